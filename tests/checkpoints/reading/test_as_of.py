"""Which version served at a moment: against a line that is played through and watched."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checkpoints.reading.as_of import as_of, as_of_view
from checkpoints.records.control import Command, Control, following, seal_control
from checkpoints.records.line import Line
from checkpoints.records.lineage import rolled_back
from checkpoints.records.manifest import Version, seal_version
from tests.checkpoints.builders import OPERATOR, a_version, pointer

LINE = Line("phishing")
BEGAN_MS = 1_700_000_000_000
STEP_MS = 1000


class Life:
    """A line, a step each second; what served after each step is written down."""

    def __init__(self) -> None:
        self.versions: list[Version] = []
        self.audit: list[Control] = []
        self.served: list[int | None] = []

    @property
    def now_ms(self) -> int:
        return BEGAN_MS + len(self.served) * STEP_MS

    @property
    def orders(self) -> Any:
        return self.audit[-1].record if self.audit else None

    def step(self, what: str, which: int) -> None:
        """Do one thing, as far as it can be done."""
        if what == "commit" or not self.versions:
            self._commit()
        elif what == "rollback":
            self._roll_back(self.versions[which % len(self.versions)])
        else:
            chosen = pointer(self.versions[which % len(self.versions)])
            pins = {"pin": chosen, "unpin": None}
            self._order(what, pin=pins[what]) if what in pins else self._order(what)
        pin = self.orders.pin if self.orders else None
        self.served.append(pin.number if pin else self.versions[-1].number)

    def _commit(self) -> None:
        parent = self.versions[-1] if self.versions else None
        self.versions.append(
            a_version(LINE, number=len(self.versions) + 1, parent=parent, created_at_ms=self.now_ms)
        )

    def _roll_back(self, target: Version) -> None:
        made = rolled_back(
            self.versions[-1], target, number=len(self.versions) + 1, command_id="c",
            reason="spoilt", who="ann", at_ms=self.now_ms,
        )  # fmt: skip
        self.versions.append(seal_version(made, OPERATOR))
        self._order("rollback", version=made.name, pin=None)

    def _order(self, command: Any, *, version: str | None = None, **changes: Any) -> None:
        newest = self.audit[-1] if self.audit else None
        order = Command(
            id=f"c{len(self.audit)}", command=command, who="ann", reason="why", version=version
        )
        record = following(newest, LINE, command=order, at_ms=self.now_ms)
        self.audit.append(seal_control(replace(record, **changes), OPERATOR))

    def asked(self, at_ms: int, dropped: frozenset[int] = frozenset()) -> Any:
        """What is said of a moment once these versions are gone."""
        kept = [each for each in reversed(self.versions) if each.number not in dropped]
        return as_of(at_ms, iter(kept), iter(self.audit[::-1]))

    def truth(self, at_ms: int) -> int | None:
        step = (at_ms - BEGAN_MS) // STEP_MS
        return self.served[min(step, len(self.served) - 1)] if step >= 0 else None


def lived(steps: list[tuple[str, int]]) -> Life:
    life = Life()
    for what, which in steps:
        life.step(what, which)
    return life


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["commit", "commit", "commit", "rollback", "pin", "unpin", "freeze"]),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=20,
)


@given(STEPS, st.integers(-2 * STEP_MS, 25 * STEP_MS))
def test_while_all_is_kept_the_answer_is_what_served(
    steps: list[tuple[str, int]], after_ms: int
) -> None:
    life = lived(steps)
    at_ms = BEGAN_MS + after_ms

    found = life.asked(at_ms)

    assert found.is_exact
    assert found.first == life.truth(at_ms)
    assert found.is_kept == (found.first is not None)
    assert (found.version and found.version.number) == found.first


@given(STEPS, st.integers(-2 * STEP_MS, 25 * STEP_MS), st.sets(st.integers(1, 21)))
def test_what_retention_dropped_makes_it_unsure_and_never_wrong(
    steps: list[tuple[str, int]], after_ms: int, dropped: set[int]
) -> None:
    life = lived(steps)
    head, pin = life.versions[-1].number, life.orders.pin if life.orders else None
    gone = frozenset(dropped - {head} - ({pin.number} if pin else set()))
    at_ms = BEGAN_MS + after_ms
    truth = life.truth(at_ms)

    found = life.asked(at_ms, gone)

    if found.is_exact:
        assert found.first == truth
    else:
        assert truth is None or (found.first or 1) <= truth <= found.last
        assert truth is not None or found.first is None
        assert not found.is_kept
    if found.is_kept:
        assert truth not in gone
    if found.version is not None:
        assert found.version.number <= (found.last or 0)


@given(STEPS, st.integers(0, 25 * STEP_MS))
def test_the_order_is_the_last_that_changed_what_served(
    steps: list[tuple[str, int]], after_ms: int
) -> None:
    life = lived(steps)
    at_ms = BEGAN_MS + after_ms
    pins = [None, *(control.record.pin for control in life.audit)]
    changing = [
        control
        for control, was in zip(life.audit, pins, strict=False)
        if control.record.at_ms <= at_ms
        and (control.record.command.version or control.record.pin != was)
    ]

    assert life.asked(at_ms).order == (changing[-1] if changing else None)


def test_an_audit_that_does_not_reach_back_is_said() -> None:
    """A pin may have stood then."""
    life = lived([("commit", 0), ("pin", 0), ("commit", 0), ("unpin", 0)])

    found = as_of(BEGAN_MS, iter(life.versions[::-1]), iter(life.audit[:0:-1]))

    assert not found.is_exact
    assert as_of_view(found, None)["note"].startswith("the audit does not reach back")


@pytest.mark.parametrize(
    ("after_ms", "dropped", "said"),
    [
        (-1, set(), {"version": None, "note": "nothing was served yet"}),
        (1000, {2, 3}, {"version": None, "between": ["v1", "v3"], "before": "v1", "after": "v4"}),
        (3000, {2, 3}, {"version": "v4", "between": None, "kept": True, "order": None}),
        (0, {1, 2, 3}, {"version": None, "between": ["v1", "v3"], "before": None, "after": "v4"}),
    ],
)
def test_the_answer_says_what_it_knows(
    after_ms: int, dropped: set[int], said: dict[str, Any]
) -> None:
    life = lived([("commit", 0)] * 4)

    body = as_of_view(life.asked(BEGAN_MS + after_ms, frozenset(dropped)), None)

    assert {key: body[key] for key in said} == said


def test_a_pinned_version_that_is_gone_is_still_named() -> None:
    """Retention dropped it once the pin was taken away."""
    life = lived([("commit", 0), ("pin", 0), ("commit", 0), ("unpin", 0), ("commit", 0)])

    body = as_of_view(life.asked(BEGAN_MS + 2 * STEP_MS, frozenset({1})), None)

    assert (body["version"], body["kept"], body["pinned"]) == ("v1", False, True)
    assert body["order"]["command"] == "pin"
    assert body["note"] == "v1 was pinned, and is not kept"
