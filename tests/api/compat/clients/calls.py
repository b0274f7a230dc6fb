"""What every client's program does: its calls, each held against what `/predict` answers.

It is told what to do by a JSON file: `{"url", "model", "rows", "expected", "calls"?}`, and prints
a JSON line for each call.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# A prediction and its probabilities by label, of each row.
Answers = list[tuple[Any, dict[str, float]]]
Call = Callable[[str, str, list[dict[str, Any]]], Answers | None]


def run(calls: Sequence[Call]) -> None:
    """Make the calls that are asked for, all by default; exit 1 if one is answered otherwise."""
    task = json.loads(Path(sys.argv[1]).read_text())
    names = task.get("calls") or [each.__name__ for each in calls]
    failed = False
    for call in (each for each in calls if each.__name__ in names):
        began = time.perf_counter()
        answers = call(task["url"], task["model"], task["rows"])
        took_s = time.perf_counter() - began
        told = {"call": call.__name__, "seconds": round(took_s, 3)}
        if answers is not None:
            told["rows"] = len(answers)
            told["equal"] = _bits(answers) == _bits(_expected(call, task))
            failed |= not told["equal"]
        print(json.dumps(told), flush=True)
    sys.exit(failed)


def _expected(call: Call, task: dict[str, Any]) -> Answers:
    """What `/predict` answers for the features that the call has: those of its group."""
    found = task["expected"][getattr(call, "group", "all")]
    return [(each["prediction"], each["probabilities"]) for each in found]


def of(group: str) -> Callable[[Call], Call]:
    """The call sends only some of the features, or others: `listed`, `rounded`."""

    def mark(call: Call) -> Call:
        call.group = group
        return call

    return mark


def _bits(answers: Answers) -> list[tuple[Any, list[tuple[str, str]]]]:
    """To the last bit."""
    return [
        (label, [(name, float(chance).hex()) for name, chance in sorted(chances.items())])
        for label, chances in answers
    ]


def fails(what: Callable[[], Any], expected: str) -> None:
    """Whether `what` raises, and says what Weir said."""
    said = ""
    try:
        what()
    except Exception as error:
        said = str(error)
    assert expected in said, f"{said:.500} does not say {expected!r}"
