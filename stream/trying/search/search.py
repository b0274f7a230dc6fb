"""The search: trials rung after rung, the worse ones let go, the best one found.

A trial that goes on does so from where it stopped. At a rung trials are compared by their rolling
score, for what a learner was like when it began is past; at the end by their lifetime score, as
models are elsewhere. Only trials that scored the same events are ranked: one that gave too few
predictions stands behind those that can win, at a rung as at the end.
"""

import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from types import MappingProxyType
from typing import Any, NamedTuple

from config.processes.stopping import Stop
from stream.trying.beside.pairs import EventPairs, compared
from stream.trying.beside.ranks import value_of, why_unfit
from stream.trying.progress import say
from stream.trying.rows import TrialRow
from stream.trying.search.engine import Engine
from stream.trying.search.lab import Lab, Step, TrialOutcome
from stream.trying.search.rungs import Rung
from stream.trying.trial import TrialState

# How far it is: records learned by all trials together, and how many trials have done their rung.
Tell = Callable[[int, str], None]


class Search(NamedTuple):
    """What was found.

    Attributes:
        rows: One a trial, the best first: those that came further before those that were let go.
        winner: The number of the best trial; None where none can win, or it was stopped.
        records: Learned by all trials together.
        planned: The same, had each trial learned all records.
        let_go: Where the rows begin that were let go after so many records, by their place.
        unfit: Why a row cannot win, by its place.
    """

    rows: list[TrialRow]
    winner: int | None
    records: int
    planned: int
    let_go: Mapping[int, int] = MappingProxyType({})
    unfit: Mapping[int, str] = MappingProxyType({})
    is_stopped: bool = False


class _Field:
    """The trials of a search, and where each stands."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.states: dict[int, TrialState | None] = dict.fromkeys(range(len(lab.candidates)))
        self.outcomes: dict[int, TrialOutcome] = {}
        self.records = 0
        self._losses: dict[int, array[float]] = {}
        self._let_go: list[list[int]] = []
        self._let_go_at: list[int] = []
        self._unfit: dict[int, str] = {}

    def steps(self, left: Sequence[int], rung: Rung, *, is_last: bool) -> list[Step]:
        return [
            Step(trial=n, until=rung.until, state=self.states[n], is_last=is_last) for n in left
        ]

    def hear(self, outcome: TrialOutcome) -> None:
        self.outcomes[outcome.trial] = outcome
        self.states[outcome.trial] = outcome.state
        self.records += outcome.records
        self._losses.setdefault(outcome.trial, array("d")).frombytes(outcome.losses)

    def let_go(self, trials: list[int], at: int) -> None:
        """Note that these go no further; those that came further stand before them."""
        self._let_go.insert(0, trials)
        self._let_go_at.insert(0, at)

    def ranked(self, trials: Sequence[int], window: str) -> list[int]:
        """The best first; of equal ones that which was listed first; behind them who cannot win."""
        return sorted(trials, key=lambda n: (n in self._unfit, -self._value(n, window), n))

    def judge(self, trials: Sequence[int]) -> None:
        """Note which of these, that have all done the same rung, cannot win."""
        told = why_unfit([self.outcomes[n].row for n in trials])
        self._unfit = {n: why for n, why in self._unfit.items() if n not in trials}
        self._unfit |= {n: why for n, why in zip(trials, told, strict=True) if why}

    def _value(self, n: int, window: str) -> float:
        """The score, such that more is better; minus infinity where there is none."""
        outcome = self.outcomes.get(n)
        return -math.inf if outcome is None else value_of(outcome.row, self.lab.metric, window)

    def _can_win(self, n: int) -> bool:
        return n not in self._unfit and self._value(n, "lifetime") > -math.inf

    def told(self, left: Sequence[int], *, is_stopped: bool = False) -> Search:
        """What is known by now; those in `left` take part in the rung that is the last so far."""
        groups = [self.ranked(left, "lifetime"), *self._let_go]
        order = [n for group in groups for n in group if n in self.outcomes]
        best = self.ranked(left, "lifetime")[0]
        has_winner = self._can_win(best) and not is_stopped
        rows = [self.outcomes[n].row for n in order]
        begins = accumulate(sum(n in self.outcomes for n in group) for group in groups)
        return Search(
            rows=self._compared(rows, order) if has_winner else rows,
            winner=best if has_winner else None,
            records=self.records,
            planned=self.lab.records * len(self.lab.candidates),
            let_go=dict(zip(begins, self._let_go_at, strict=False)),
            unfit={place: why for place, n in enumerate(order) if (why := self._unfit.get(n))},
            is_stopped=is_stopped,
        )

    def _compared(self, rows: list[TrialRow], order: Sequence[int]) -> list[TrialRow]:
        """The rows, each with how far its score is from the winner's, which is the first."""
        loss, metric = self.lab.event_loss(), self.lab.metric
        if loss is None:
            return rows
        first, *others = (self._losses[n] for n in order)
        return [
            rows[0],
            *(
                compared(row, EventPairs({metric: loss}).taking(first, other, metric))
                for row, other in zip(rows[1:], others, strict=True)
            ),
        ]


def search(lab: Lab, engine: Engine, plan: Sequence[Rung], stop: Stop, tell: Tell) -> Search:
    """Run the plan, until told to stop."""
    field = _Field(lab)
    left = list(field.states)
    for place, rung in enumerate(plan):
        if place:
            ranked = field.ranked(left, "rolling")
            at = lab.reached(plan[place - 1].until)
            left = sorted(ranked[: rung.trials])
            field.let_go(ranked[rung.trials :], at)
            say(f"{rung.trials} of {len(ranked)} trials go on from {at:,} records")
        steps_of_rung = field.steps(left, rung, is_last=place == len(plan) - 1)
        done = 0
        for outcome in engine.run(steps_of_rung):
            if outcome is not None:
                done += 1
                field.hear(outcome)
            at = lab.reached(rung.until)
            tell(field.records + engine.under_way(), f"{done} of {len(left)} trials at {at:,}")
            if stop.is_asked:
                return field.told(left, is_stopped=True)
        field.judge(left)
    return field.told(left)


def as_body(lab: Lab, found: Search, edges: Mapping[str, str]) -> dict[str, Any]:
    """What `weir search --json` has beside the rows.

    Args:
        edges: Of the winner's values those at the edge of what was offered.
    """
    winner = None if found.winner is None else found.rows[0].set
    unfit = [{"row": place, "why": why} for place, why in found.unfit.items()]
    counts = {"records": lab.records, "steps": found.records, "steps_of_grid": found.planned}
    return {
        "winner": winner, "metric": lab.metric, "edges": dict(edges), "unfit": unfit, **counts,
    }  # fmt: skip
