"""A search finds the same by every engine, and what goes on is not begun anew."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from config.model_file import parse_model_file
from config.processes.stopping import Stop
from config.text.extras import install_command
from stream.trying.candidates import Candidate, ModelDocument
from stream.trying.progress import TrialProgress
from stream.trying.search.lab import Lab, Step, TrialOutcome, open_lab
from stream.trying.search.local import LocalEngine
from stream.trying.search.on_ray import RayEngine, RayMissingError
from stream.trying.search.rungs import rungs
from stream.trying.search.search import Search, search
from stream.trying.side_by_side import SideBySide
from stream.trying.value_paths import grid
from tests.config.processes.waiting import until
from tests.stream.trying.runs import LOGISTIC, RUN, TOP, MadeSource, candidate, stream, tried

RATES = [{"optim.SGD": [rate]} for rate in (0.001, 0.01, 0.1)]
SPACE = {
    "learner.river.LogisticRegression.optimizer": RATES,
    "learner.river.LogisticRegression.l2": [0.0, 0.01],
}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Six logistic regressions on Bananas."""
    path = tmp_path / "logistic.yaml"
    path.write_text(LOGISTIC)
    document = ModelDocument(path)
    candidates = [document.candidate(settings) for settings in grid(SPACE.items())]
    progress = TrialProgress("", None)
    return open_lab(candidates, stream("Bananas"), "Accuracy", progress, Stop(), has_curve=True)


def searched(lab: Lab, engine: Any, *, first: int, stop: Stop | None = None) -> Search:
    plan = rungs(len(lab.candidates), lab.records, first=first, keep=0.5)
    return search(lab, engine, plan, stop or Stop(), lambda records, at: None)


def told(found: Search) -> list[Any]:
    """What does not depend on the time that it took."""
    return [(row.set, row.learned, row.metrics, row.refused_by, row.curve) for row in found.rows]


def test_a_grid_gives_what_try_gives(lab: Lab) -> None:
    """Whatever is set, and however many processes run it."""
    found = searched(lab, LocalEngine(lab, workers=2), first=lab.records)

    assert (found.records, found.planned) == (6 * 5_300, 6 * 5_300)
    for row in found.rows:
        texts = [each.model_file for each in lab.candidates if each.settings == row.set]
        assert without_differences(row.metrics) == tried_alone(texts[0])
    best = max(row.metrics["Accuracy"].lifetime for row in found.rows)
    assert found.rows[0].metrics["Accuracy"].lifetime == best
    assert found.winner is not None


def without_differences(metrics: Any) -> Any:
    return {name: replace(score, difference=UNSET) for name, score in metrics.items()}


def test_each_trial_is_compared_with_the_winner_as_try_compares_with_the_first(lab: Lab) -> None:
    """Event by event; one that was let go on the events that both have learned."""
    halved = searched(lab, LocalEngine(lab, workers=2), first=2_000)
    ordered = [
        next(each for each in lab.candidates if each.settings == row.set) for row in halved.rows
    ]
    side_by_side = SideBySide(ordered, stream("Bananas"))
    beside = side_by_side.run(Stop(), TrialProgress("", None)).rows
    (place,) = halved.let_go
    begun = SideBySide(ordered, stream("Bananas", halved.let_go[place]))
    early = begun.run(Stop(), TrialProgress("", None)).rows

    assert not halved.rows[0].metrics["Accuracy"].difference
    for n, row in enumerate(halved.rows[1:], 1):
        tried_there = beside[n] if n < place else early[n]
        assert row.learned == tried_there.learned
        found, wanted = (each.metrics["Accuracy"].difference for each in (row, tried_there))
        assert (found.events, found.mean) == (wanted.events, wanted.mean)
        assert (found.low, found.high) == (wanted.low, wanted.high)


def test_losses_of_too_many_trials_are_not_kept(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What they take is bounded; the search is as it was."""
    monkeypatch.setattr("stream.trying.search.lab.LOSSES_MAX", 1_000)

    found = searched(lab, LocalEngine(lab, workers=1), first=lab.records)

    assert lab.is_too_much_to_pair
    assert found.winner is not None
    assert not any(row.metrics["Accuracy"].difference for row in found.rows)


def test_how_far_trials_are_is_known_before_the_first_ends(lab: Lab, tmp_path: Path) -> None:
    """Each process says what it has learned, in memory that they share."""
    is_heard = tmp_path / "heard"

    class LastingLab(Lab):
        """Its trials say how far they are, and end when that was heard."""

        def advance(self, step: Step, tell: Callable[[int], None] = print) -> TrialOutcome:
            done = super().advance(step, tell)
            until(is_heard.exists, what="it is heard how far they are")
            return done

    lasting = LastingLab(**{each.name: getattr(lab, each.name) for each in fields(lab)})
    engine = LocalEngine(lasting, workers=2)
    steps = [Step(trial=n, until=lab.records, is_last=True) for n in range(2)]
    ended = 0
    for outcome in engine.run(steps):
        ended += outcome is not None
        if engine.under_way() == 2 * lab.records:
            is_heard.touch()
            assert not ended
    engine.close()

    assert ended == 2


def test_what_comes_of_a_rung_is_told_by_the_records_that_were_learned(
    lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    """A trial takes whole stretches: as the table has it."""
    found = searched(lab, LocalEngine(lab, workers=2), first=2_000)

    ((place, at),) = found.let_go.items()
    assert f"3 of 6 trials go on from {at:,} records" in capsys.readouterr().err
    assert {row.learned for row in found.rows[place:]} == {at}
    assert {row.learned for row in found.rows[:place]} == {5_300}


def tried_alone(model_file: Any) -> Any:
    one = Candidate(path="m.yaml", model_file=model_file)
    trials = SideBySide([one], stream("Bananas"))
    return trials.run(Stop(), TrialProgress("", None)).rows[0].metrics


def test_halving_learns_a_part_of_it_and_gives_the_same_scores(lab: Lab) -> None:
    """A trial that has gone on from rung to rung has the scores of one that never stopped."""
    whole = searched(lab, LocalEngine(lab, workers=2), first=lab.records)
    halved = searched(lab, LocalEngine(lab, workers=2), first=2_000)

    assert halved.records < 0.8 * whole.records
    scores = {str(row.set): row.metrics for row in whole.rows}
    finalists = [row for row in halved.rows if row.learned == 5_300]
    assert 2 <= len(finalists) < 6
    assert all(row.metrics == scores[str(row.set)] for row in finalists)


def test_ray_finds_the_same(starts_servers: None, lab: Lab) -> None:
    """Winner, scores, order, and what was let go."""
    ours = searched(lab, LocalEngine(lab, workers=1), first=2_000)
    engine = RayEngine(lab, workers=2)
    try:
        rays = searched(lab, engine, first=2_000)
    finally:
        engine.close()

    assert told(rays) == told(ours)
    assert (rays.winner, rays.records) == (ours.winner, ours.records)


class DyingLab(Lab):
    """One trial's process is killed, as by a machine that is out of memory."""

    def advance(self, step: Step, tell: Callable[[int], None] = print) -> TrialOutcome:
        if step.trial == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().advance(step, tell)


def test_a_process_that_dies_costs_its_own_trial(lab: Lab) -> None:
    """It says so, and comes last."""
    dying = DyingLab(**{each.name: getattr(lab, each.name) for each in fields(lab)})

    found = searched(dying, LocalEngine(dying, workers=2), first=2_000)

    assert found.rows[0].failed is None
    assert found.rows[-1].failed == "its process ended with -9 (out of memory?)"
    assert len(found.rows) == 6


def test_files_that_may_be_open_bound_the_workers(tmp_path: Path) -> None:
    """Which is said; no trial is lost."""
    (tmp_path / "logistic.yaml").write_text(LOGISTIC)
    (tmp_path / "experiment.yaml").write_text(
        "model: logistic.yaml\ndata: {from: 'river:Phishing'}\nworkers: 60\n"
        f"space: {{learner.river.LogisticRegression.l2: {[n / 100 for n in range(40)]}}}\n"
    )
    words = [sys.executable, "-c", RUN, "search", "experiment.yaml", "--json"]
    limited = subprocess.run(
        ["bash", "-c", 'ulimit -n 40; exec "$@"', "limited", *words],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(TOP)}, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip

    assert limited.returncode == 0, limited.stderr
    assert re.search(r"workers: \d+ in place of 60: no more files may be open", limited.stderr)
    assert not [row for row in json.loads(limited.stdout)["rows"] if row["failed"]]


def test_more_than_a_thousand_files_are_no_hindrance(lab: Lab) -> None:
    """As select(2) has it, to which none beyond the 1,024th can be given."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 4_096), most))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1_100)]
    try:
        found = searched(lab, LocalEngine(lab, workers=2), first=lab.records)
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert not [row for row in found.rows if row.failed]


class SlowEngine:
    """Is told to stop after the first trial."""

    def __init__(self, engine: LocalEngine, stop: Stop) -> None:
        self._engine, self._stop = engine, stop

    def run(self, steps: Sequence[Step]) -> Iterator[TrialOutcome | None]:
        for outcome in self._engine.run(steps):
            self._stop.is_asked = self._stop.is_asked or outcome is not None
            yield outcome

    def under_way(self) -> int:
        return self._engine.under_way()


def test_who_stops_it_has_the_trials_so_far_and_no_winner(lab: Lab) -> None:
    """What runs is ended."""
    stop, local = Stop(), LocalEngine(lab, workers=2)

    found = searched(lab, SlowEngine(local, stop), first=2_000, stop=stop)
    local.close()

    assert (found.is_stopped, found.winner, len(found.rows)) == (True, None, 1)


def test_a_source_that_breaks_is_searched_as_far_as_it_went() -> None:
    """The lab says what ended it."""
    events = [{"features": {"a": float(n % 7)}, "label": n % 2 == 0} for n in range(1_000)]

    lab = open_lab(
        [candidate(LOGISTIC), candidate(LOGISTIC)],
        MadeSource(events, breaks_at=450),
        "Accuracy",
        TrialProgress("", None),
        Stop(),
    )

    assert lab.records == 400
    assert lab.ended_by is not None
    assert len(lab.tapes) == 1, "decoded once for both"


def test_models_that_see_other_examples_have_records_of_their_own() -> None:
    """A bound of a feature decides what is refused."""
    strict = LOGISTIC + "features: {a: {type: float, max: 3}}\n"
    events = [{"features": {"a": float(n % 7)}, "label": n % 2 == 0} for n in range(700)]
    lab = open_lab(
        [candidate(LOGISTIC), candidate(strict)], MadeSource(events), "Accuracy",
        TrialProgress("", None), Stop(),
    )  # fmt: skip

    outcomes = [lab.advance(Step(trial=n, until=700, is_last=True)) for n in (0, 1)]

    assert [each.row.learned for each in outcomes] == [700, 400]
    assert tried(MadeSource(events), strict).rows[0].metrics == outcomes[1].row.metrics
    assert parse_model_file(strict).features


def test_ray_that_is_missing_is_told_with_how_to_install_it(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra: nothing else needs it."""
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(RayMissingError, match=re.escape(install_command("ray"))):
        RayEngine(lab, workers=2)
