"""One answer of two rows: what good events show, and what was made of events as they came."""

from collections.abc import Sequence

import pytest

from checkpoints.records.line import Line
from checkpoints.records.manifest import Counts, Version
from stream.looking_back.judging.change_point import Break
from stream.looking_back.judging.progressive import error_rates, progressive_break
from stream.looking_back.judging.verdict import ProbeBreak, verdict
from tests.checkpoints.builders import a_rollback, a_version

LINE = Line("phishing")
EVENTS = 100


def a_row(errors: Sequence[int]) -> list[Version]:
    """Versions of 100 events each, of which so many were predicted wrongly."""
    versions: list[Version] = []
    wrong = 0
    for number, more in enumerate(errors, 1):
        wrong += more
        scored = EVENTS * number
        accuracy = 1 - wrong / scored
        versions.append(
            a_version(
                LINE,
                number=number,
                parent=versions[-1] if versions else None,
                counts=Counts(learned=scored, scored=scored),
                metrics={"Accuracy": {"lifetime": accuracy, "rolling": None, "fading": None}},
                offsets={"t": {"0": scored}},
                begins={"t": {"0": 0}},
            )
        )
    return versions


GOOD = [12, 9, 11, 10, 8, 12, 10, 9, 11, 10]
BAD = [85, 80, 75]


def test_the_errors_between_two_versions_are_those_that_were_made_there() -> None:
    """Of the first version nothing is known; nor of one that learned nothing."""
    versions = a_row([12, 9, 30])
    versions.append(a_version(LINE, number=4, parent=versions[-1], counts=Counts(scored=300)))

    found = error_rates(versions)

    assert [(it.before.number, it.after.number, it.rate.events) for it in found] == [
        (1, 2, EVENTS), (2, 3, EVENTS),
    ]  # fmt: skip
    assert [it.rate.share for it in found] == pytest.approx([0.09, 0.3])


def test_a_few_events_are_no_share() -> None:
    """They are counted with the next."""
    versions = a_row([10, 10])
    for number, scored in ((3, 210), (4, 250)):
        versions.append(
            a_version(
                LINE, number=number, parent=versions[-1],
                counts=Counts(learned=scored, scored=scored),
                metrics={"Accuracy": {"lifetime": 1 - 40 / scored}},
            )
        )  # fmt: skip

    found = error_rates(versions)[-1]

    assert (found.before.number, found.after.number, found.rate.events) == (2, 4, 50)
    assert found.rate.share == pytest.approx(20 / 50)


def test_a_rollback_has_no_errors_and_the_next_goes_on_from_it() -> None:
    versions = a_row([10, 10, 80])
    back = a_rollback(versions[2], versions[1], number=4)
    after = a_version(
        LINE, number=5, parent=back, counts=Counts(learned=300, scored=300),
        metrics={"Accuracy": {"lifetime": 1 - 35 / 300}},
    )  # fmt: skip

    found = error_rates([*versions, back, after])

    assert [it.after.number for it in found] == [2, 3, 5]
    assert found[-1].rate.share == pytest.approx(0.15)


def test_errors_that_rose_are_enough_where_good_events_show_nothing() -> None:
    """The version before is the last good one, and the way back is told."""
    versions = a_row([*GOOD, *BAD, *GOOD])

    found = verdict(None, progressive_break(versions, 5))

    assert found is not None
    assert (found.good.number, found.bad.number) == (10, 11)
    assert found.back is not None
    assert found.back.number == 14
    assert (found.worst, found.by) == (None, ("progressive",))


def test_a_model_that_gets_used_to_what_is_wrong_errs_again_at_its_end() -> None:
    """However much deeper that is: the first is the beginning, and the way back is after both."""
    used_to, again = [40, 15, 12, 11], [95, 90]
    versions = a_row([*GOOD, 70, *used_to, *again, *GOOD])

    found = verdict(None, progressive_break(versions, 5))

    assert found is not None
    assert (found.good.number, found.bad.number) == (10, 11)
    assert found.back is not None
    assert found.back.number == 18


def test_nothing_that_was_good_as_it_came_is_blamed() -> None:
    versions = a_row([*GOOD, *GOOD])

    assert verdict(None, progressive_break(versions, 3)) is None


def on_good_events(versions: list[Version], bad: int, worst: int) -> ProbeBreak:
    at = Break(
        good=bad - 2, bad=bad - 1, best=0, worst=worst - 1, back=None, fall=0.3, z=9.0, needed_z=4.0
    )
    return ProbeBreak(row=versions, at=at)


@pytest.mark.parametrize(
    ("bad", "first", "by"),
    [
        (12, 11, ("probe", "progressive")),
        (11, 11, ("probe", "progressive")),
        (6, 6, ("probe",)),
        (20, 11, ("progressive",)),
    ],
)
def test_errors_that_were_up_when_the_probe_broke_are_its_beginning(
    bad: int, first: int, by: tuple[str, ...]
) -> None:
    """Of two breaks the earlier one is told, and that there is another."""
    versions = a_row([*GOOD, *BAD, *GOOD])

    found = verdict(on_good_events(versions, bad, 22), progressive_break(versions, 5))

    assert found is not None
    assert (found.good.number, found.bad.number, found.by) == (first - 1, first, by)
    assert (found.also is None) == (bad in (11, 12))
    if "probe" in by:
        assert (found.worst, found.back) == (versions[21], None)


def test_without_an_accuracy_the_probe_decides_alone() -> None:
    """A regression has none."""
    versions = [a_version(LINE, number=n, metrics={"MAE": {"lifetime": 1.0}}) for n in (1, 2, 3)]

    assert progressive_break(versions, 0) is None
