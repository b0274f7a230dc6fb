"""What was measured is kept, gone on with, and shown."""

import doctest
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import hosts, made, report, samples, sizes, throughput, wide
from benchmarks import journal as journals
from benchmarks import picture as pictures
from benchmarks.bench import Place, Section, measure
from benchmarks.filling import Streams
from benchmarks.journal import Journal
from benchmarks.parity import Servers
from benchmarks.picture import picture
from benchmarks.report import GOALS, markdown, results, table
from benchmarks.scale import TINY

REACHED, MISSED = "logistic regression: Kafka to learned ÷ bare loop", "p99 at half load, ms"


@contextmanager
def nowhere(run: int) -> Iterator[Place]:
    """A place without servers."""
    servers = Servers(kafka="", redis="", folder=Path())
    yield Place(servers=servers, streams=Streams(""), scale=TINY, run=run)


class Ended(Exception):
    """The benchmark is stopped in the midst of a section."""


def sections(called: list[str], *, ends_in: str = "") -> dict[str, Section]:
    def section(name: str) -> Section:
        def measured(at: Place) -> dict[str, float]:
            called.append(f"{at.run} {name}")
            if name == ends_in:
                raise Ended
            return {REACHED: 0.95 + at.run / 100, MISSED: 10.0}

        return measured

    return {name: section(name) for name in ("first", "second")}


def test_a_run_that_was_stopped_is_gone_on_with(tmp_path: Path) -> None:
    called: list[str] = []
    with pytest.raises(Ended):
        measure(Journal(tmp_path / "j"), sections(called, ends_in="second"), runs=1, where=nowhere)
    measure(Journal(tmp_path / "j"), sections(called), runs=2, where=nowhere)

    assert called == ["0 first", "0 second", "0 second", "1 first", "1 second"]
    assert not Journal(tmp_path / "j").is_new


def test_a_line_that_was_cut_short_is_measured_again(tmp_path: Path) -> None:
    Journal(tmp_path / "j").add(run=0, section="first")
    with (tmp_path / "j").open("a") as file:
        file.write('{"run": 0, "sec')

    found = Journal(tmp_path / "j")
    assert found.has(run=0, section="first")
    assert len(found.parts) == 1
    found.add(run=0, section="second")
    assert len(Journal(tmp_path / "j").parts) == 2


@pytest.mark.parametrize("changed", ["commit", "machine"])
def test_another_commit_or_machine_begins_anew(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changed: str,
) -> None:
    Journal(tmp_path / "j").add(run=0, section="first")
    monkeypatch.setattr(journals, changed, lambda: "another")

    assert Journal(tmp_path / "j").parts == []
    assert f"another {changed}" in capsys.readouterr().err


def found() -> dict[str, Any]:
    parts = [
        {
            "run": run,
            "section": "one",
            "seconds": 1.0,
            "load_before": 0.5,
            "figures": {REACHED: 0.90 + run / 10, MISSED: 10.0, "without a goal": 123456.0},
        }
        for run in range(3)
    ]
    names = ("cpu", "cores", "python", "kafka", "valkey", "river")
    return results({"commit": "abc", "machine": dict.fromkeys(names, "1")}, parts)


def test_medians_and_spread_are_shown_beside_the_goal() -> None:
    lines = table(found()["figures"]).splitlines()

    assert lines[1].split()[-6:] == ["1", "0.9", "1.1", "≥", "0.9", "reached"]
    assert lines[2].split()[-6:] == ["10", "10", "10", "≤", "5", "missed"]
    assert lines[3].split()[-3:] == ["123,456"] * 3
    assert f"| {REACHED} | 1 | 0.9 to 1.1 | ≥ 0.9, reached |" in markdown(found())


def test_the_picture_has_a_row_for_each_figure_with_a_goal() -> None:
    drawn = ElementTree.fromstring(picture(found()["figures"], "a < b"))

    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}circle"))) == 2


@pytest.mark.parametrize(
    "stream", [wide.FOURTEEN, wide.FIFTY, wide.TEXTS, wide.TURNING], ids=lambda it: it.topic
)
def test_a_stream_made_here_is_the_same_again(stream: wide.Stream) -> None:
    """Across the blocks in which it is made; and both labels come about as often."""
    once, again = (list(islice(stream.pairs(), 10_100)) for _ in range(2))

    assert once == again
    assert len({repr(x) for x, _ in once}) == len(once)
    assert 0.4 < sum(y for _, y in once) / len(once) < 0.6


def test_goals_tell_better_from_worse() -> None:
    assert GOALS[REACHED].score(1.8) == pytest.approx(2)
    assert GOALS[MISSED].score(10.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "module",
    [hosts, made, pictures, report, samples, sizes, throughput],
    ids=lambda it: it.__name__,
)
def test_examples(module: ModuleType) -> None:
    found = doctest.testmod(module)

    assert found.attempted > 0
    assert found.failed == 0
