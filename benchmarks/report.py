"""Figures as a table, and how far each is from its goal."""

import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
README = HERE / "README.md"
_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"


@dataclass(frozen=True, slots=True)
class Goal:
    """What a figure should be.

    Attributes:
        is_least: More is better; else less is.
    """

    value: float
    is_least: bool = False

    def score(self, found: float) -> float:
        """How good a figure is: 1 just reaches the goal, 2 is twice as good.

        >>> Goal(10.0).score(5.0), Goal(0.5, is_least=True).score(0.25)
        (2.0, 0.5)
        """
        return found / self.value if self.is_least else self.value / max(found, 1e-9)

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {self.value:,g}"


GOALS = {
    "logistic regression: Kafka to learned ÷ bare loop": Goal(0.90, is_least=True),
    "Hoeffding tree: Kafka to learned ÷ bare loop": Goal(0.95, is_least=True),
    "ARF(10): Kafka to learned ÷ bare loop": Goal(0.97, is_least=True),
    "VW, text: Kafka to learned, events/s": Goal(150_000, is_least=True),
    "VW, JSON: Kafka to learned, events/s": Goal(80_000, is_least=True),
    "stall a commit at 16 MB, p99 ms": Goal(10.0),
    "stall a commit at 64 MB, p99 ms": Goal(30.0),
    "age of the served model at 2 KB, p99 s": Goal(1.5),
    "age of the served model at 16 MB, p99 s": Goal(5.0),
    "rollback to three workers at 2 KB, max s": Goal(0.5),
    "rollback to three workers at 16 MB, max s": Goal(1.0),
    "rollback to three workers at 16 MB kept warm, max s": Goal(0.3),
    "kill -9 of source to learning again, max s": Goal(3.0),
    "kill -9 of learner to learning again, max s": Goal(3.0),
    "cold weir learn to learning, max s": Goal(6.0),
    "kill -9 of Kafka to learning again, max s": Goal(8.0),
    "kill -9 of Redis to the next version, max s": Goal(8.0),
    "the lease lapsed to the standby learning, max s": Goal(5.0),
    "predictions a CPU-second, two ÷ one": Goal(0.9, is_least=True),
    "predictions ÷ empty route": Goal(0.85, is_least=True),
    "p99 at half load, ms": Goal(5.0),
    "p99 at half load, 16 MB swapped every 5 s, ms": Goal(15.0),
}


def results(origin: Mapping[str, Any], parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What `results.json` holds: the origin, the load before each section, the figures' spread."""
    found: dict[str, list[float]] = defaultdict(list)
    sections = []
    for part in parts:
        sections.append({name: part[name] for name in ("run", "section", "seconds", "load_before")})
        for name, value in part["figures"].items():
            found[name].append(value)
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **origin,
        "sections": sections,
        "figures": {
            name: {
                "median": statistics.median(values),
                "min": min(values),
                "max": max(values),
                "runs": len(values),
            }
            for name, values in found.items()
        },
    }


def table(figures: Mapping[str, Mapping[str, float]]) -> str:
    """The figures in plain text, aligned."""
    rows = [("", "median", "least", "most", "goal", "")]
    rows += [_row(name, each) for name, each in figures.items()]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if n in {0, 5} else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(name: str, each: Mapping[str, float]) -> tuple[str, ...]:
    goal = GOALS.get(name)
    spread = (number(each["min"]), number(each["max"])) if each["runs"] > 1 else ("", "")
    if goal is None:
        return name, number(each["median"]), *spread, "", ""
    is_reached = goal.score(each["median"]) >= 1
    return name, number(each["median"]), *spread, str(goal), "reached" if is_reached else "missed"


def number(value: float) -> str:
    """Three digits that count.

    >>> number(123456.7), number(12.345), number(0.91234)
    ('123,457', '12.3', '0.912')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(found: Mapping[str, Any]) -> str:
    """The same for a README, with what it was measured on."""
    head = ["| Figure | Median | Least to most | Goal |", "|---|---|---|---|"]
    lines = [_on_what(found), "", *head]
    for name, each in found["figures"].items():
        _, median, least, most, goal, verdict = _row(name, each)
        spread = f"{least} to {most}" if least else ""
        lines.append(f"| {name} | {median} | {spread} | {f'{goal}, {verdict}' if goal else ''} |")
    return "\n".join(lines)


def _on_what(found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    names = {"python": "Python", "kafka": "Kafka", "valkey": "Valkey", "river": "River"}
    software = ", ".join(f"{name} {machine[key]}" for key, name in names.items())
    return (
        f"Commit `{found['commit']}`, {found['at']}. {machine['cpu']}, {machine['cores']} cores, "
        f"{software}. {_runs(found)}, load average before the sections {_loads(found)}."
    )


def _runs(found: Mapping[str, Any]) -> str:
    count = max((part["run"] for part in found["sections"]), default=0) + 1
    return f"{count} run{'s' if count > 1 else ''}"


def _loads(found: Mapping[str, Any]) -> str:
    loads = [part["load_before"] for part in found["sections"]]
    return f"{min(loads):g} to {max(loads):g}"


def main() -> None:
    """Put the figures of `results.json` into the README, between its two marks."""
    found = json.loads((HERE / "results.json").read_text())
    before, _, rest = README.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    README.write_text(f"{before}{_BEGIN}\n{markdown(found)}\n{_END}{after}")


if __name__ == "__main__":
    main()
