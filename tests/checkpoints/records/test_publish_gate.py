"""The publish gate's arithmetic: what is held back, for how long, and what opens it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from checkpoints.records.gate import GateRule, HeldBack, PublishGate
from checkpoints.records.line import Line
from checkpoints.records.lineage import rolled_back
from checkpoints.records.manifest import Counts, Version
from checkpoints.records.publish_gate import begun_with, judged
from tests.checkpoints.builders import a_version, pointer
from tests.effort import examples

LINE = Line("gated")
RULE = GateRule(score="Accuracy", margin=0.05, window=1000, is_bigger_better=True)
FULL = 1000  # scored events at which the first window is full


def metrics(value: float | None, name: str = "Accuracy") -> dict[str, dict[str, float | None]]:
    return {name: {"lifetime": None, "rolling": value, "fading": None}}


class Commits:
    """A line whose learner commits versions of given scores, under a gate.

    Attributes:
        rule: As the model file has it.
        released: What an operator has let through last.
    """

    def __init__(self, rule: GateRule = RULE) -> None:
        self.rule, self.released = rule, 0
        self.versions: list[Version] = []

    @property
    def head(self) -> Version:
        return self.versions[-1]

    def commit(self, value: float | None, *, scored: int) -> Version:
        """A version with this rolling value that has scored so many events in all."""
        parent = self.versions[-1] if self.versions else None
        number = len(self.versions) + 1
        found = metrics(value, self.rule.score)
        at_ms = 1_700_000_000_000 + number
        gate = judged(
            self.rule, parent, metrics=found, scored=scored, at_ms=at_ms, released=self.released
        )
        version = a_version(
            LINE, number=number, parent=parent, created_at_ms=at_ms, metrics=found,
            counts=Counts(learned=scored, scored=scored), gate=gate,
        )  # fmt: skip
        self.versions.append(version)
        return version

    def held(self) -> HeldBack | None:
        return self.head.manifest.held_back(self.released)

    def release(self) -> None:
        self.released = self.head.number


def armed(value: float = 0.9, rule: GateRule = RULE) -> Commits:
    """A line whose first window is full, and which has this value."""
    line = Commits(rule)
    line.commit(None, scored=0)
    line.commit(value, scored=FULL)
    return line


def test_what_is_worse_by_more_than_the_margin_is_held_for_the_last_good_one():
    """It says for which and since when; the versions after it say the same."""
    line = armed(0.9)
    good = line.head

    first = line.commit(0.84, scored=1100)
    line.commit(0.3, scored=1200)

    assert line.held() == HeldBack(good=pointer(good), since_ms=first.manifest.created_at_ms)
    assert isinstance(line.head.manifest.gate, PublishGate)
    assert line.head.manifest.gate.best == 0.9


def test_it_is_let_through_once_it_is_within_the_margin_again():
    """Of the value that stood when it began, however long ago that is."""
    line = armed(0.9)
    line.commit(0.5, scored=1100)
    line.commit(0.849, scored=9000)
    assert line.held()

    line.commit(0.851, scored=9100)

    assert line.held() is None
    line.commit(0.84, scored=9200)  # by its own value now: the old one is a window ago
    assert line.held() is None


def test_the_values_of_a_window_that_is_not_full_hold_nothing():
    """One right guess is an accuracy of 1, and would be held against all that follows."""
    line = Commits()
    for value, scored in ((1.0, 1), (0.5, 2), (0.95, 400), (0.7, 999)):
        line.commit(value, scored=scored)
        assert line.held() is None

    line.commit(0.8, scored=1000)
    line.commit(0.7, scored=1001)

    assert line.held()


def test_a_gate_that_a_running_model_is_given_begins_with_a_window():
    """A score that is new with it has a window that is not full, whatever the model has scored."""
    line = Commits()
    line.versions.append(a_version(LINE, counts=Counts(learned=5000, scored=5000)))
    line.commit(1.0, scored=5001)
    line.commit(0.5, scored=5999)
    assert line.held() is None

    line.commit(0.8, scored=6000)
    line.commit(0.5, scored=6001)

    assert line.held()


def test_a_fall_in_steps_within_a_window_is_held():
    """Each step is within the margin of the version before it; all together are not."""
    line = armed(0.9)

    for value, scored in ((0.88, 1100), (0.865, 1200), (0.851, 1300)):
        line.commit(value, scored=scored)
        assert line.held() is None
    line.commit(0.849, scored=1400)

    assert line.held()
    assert line.held().good == pointer(line.versions[-2])


def test_a_slow_fall_is_the_stream_and_passes():
    """Over more than a window a stream may become harder."""
    line = armed(0.9)

    for step in range(1, 20):
        line.commit(0.9 - 0.04 * step, scored=FULL * (step + 1))
        assert line.held() is None


def test_what_an_operator_lets_through_is_the_good_one():
    """Its own value counts from then on, and falls from there are held again."""
    line = armed(0.9)
    line.commit(0.5, scored=1100)
    line.release()
    after = line.commit(0.48, scored=1200)
    assert line.held() is None

    line.commit(0.44, scored=1300)

    assert line.held()
    assert line.held().good == pointer(after)


def test_a_version_made_before_the_release_was_known_is_let_through_by_it():
    """The learner had not seen the order yet; who reads both has."""
    line = armed(0.9)
    line.commit(0.5, scored=1100)
    released = line.head.number
    line.commit(0.49, scored=1200)
    assert line.held()

    line.released = released

    assert line.held() is None
    line.commit(0.47, scored=1300)
    assert line.held() is None
    assert line.head.manifest.gate == PublishGate(rule=RULE, best=0.49, best_scored=1200)


def test_without_a_value_nothing_begins_or_ends():
    """A score may have none for a while: an area under a curve of one class."""
    line = armed(0.9)
    line.commit(None, scored=1100)
    assert line.held() is None

    line.commit(0.5, scored=1200)
    line.commit(None, scored=1300)

    assert line.held()


def test_another_score_or_window_begins_anew_and_a_standing_hold_goes_on_by_its_own():
    """Values of two scores cannot be compared."""
    line = armed(0.9)
    line.rule = GateRule(score="LogLoss", margin=0.1, window=1000, is_bigger_better=False)
    line.commit(0.3, scored=1100)
    assert line.head.manifest.gate == PublishGate(rule=line.rule, best_scored=FULL)

    held = armed(0.9)
    held.commit(0.5, scored=1100)
    held.rule = line.rule
    held.commit(0.01, scored=1200)
    assert held.held()
    assert held.head.manifest.gate.rule == RULE
    held.rule = GateRule(score="Accuracy", margin=0.5, window=1000, is_bigger_better=True)
    held.commit(0.5, scored=1300)
    assert held.held() is None  # a margin that was changed counts at once


def test_a_rollback_is_let_through_and_held_against_what_follows():
    """To a good version: by what that was judged by; to one that was held: by its own value."""
    line = armed(0.9)
    good = line.head
    bad = line.commit(0.5, scored=1100)
    told = {"number": 9, "command_id": "c1", "reason": "spoilt", "who": "ann", "at_ms": 1}

    to_good, to_bad = (rolled_back(bad, target, **told) for target in (good, bad))

    assert to_good.gate == good.manifest.gate
    assert to_good.held_back(0) is to_bad.held_back(0) is None
    assert to_bad.gate == PublishGate(rule=RULE, best=0.5, best_scored=1100)


def test_a_line_that_is_rewound_begins_with_its_own_value():
    """Once its window is full; a line that begins untrained has none."""
    full = begun_with(RULE, metrics=metrics(0.8), scored=4000)
    untrained = begun_with(RULE, metrics=metrics(None), scored=0)

    assert full == PublishGate(rule=RULE, best=0.8, best_scored=4000)
    assert untrained == PublishGate(rule=RULE, best_scored=0)


def test_a_version_of_earlier_has_no_gate():
    """Nor has one whose model file has none."""
    assert a_version(LINE).manifest.gate is UNSET
    assert a_version(LINE).manifest.held_back(0) is None


# --- whatever the scores are ---------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 100).map(lambda n: n / 100)),
        st.integers(0, 1500),
        st.booleans(),
    ),
    max_size=30,
)


@given(steps=STEPS)
@settings(max_examples=examples(200), deadline=None)
def test_what_is_served_is_never_worse_than_what_was_served_before(steps):
    """By more than the margin, but for what operators let through and for the first window."""
    line, scored = armed(0.5), FULL
    served = line.head
    for value, more, is_released in steps:
        scored += more
        line.commit(value, scored=scored)
        held = line.held()
        if held:
            assert held.good == pointer(served)
        if held and is_released:
            line.release()
        elif held:
            continue
        elif (before := _rolling(served)) is not None and value is not None:
            assert value >= before - RULE.margin
        served = line.head


@given(steps=STEPS)
@settings(max_examples=examples(100), deadline=None)
def test_a_score_whose_smaller_values_are_better_is_its_mirror(steps):
    """The same decisions about values of the other sign."""
    rule = GateRule(score="Accuracy", margin=0.05, window=1000, is_bigger_better=False)
    line, mirror, scored = armed(0.5), armed(-0.5, rule), FULL
    for value, more, is_released in steps:
        scored += more
        line.commit(value, scored=scored)
        mirror.commit(None if value is None else -value, scored=scored)
        assert line.held() is None if mirror.held() is None else line.held()
        if is_released and line.held():
            line.release()
            mirror.release()


def _rolling(version: Version) -> float | None:
    return version.manifest.metrics["Accuracy"]["rolling"]
