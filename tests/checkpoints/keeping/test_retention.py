"""Retention keeps what it says, whatever the history, and never what is in use."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from checkpoints.keeping.retention import Kept, to_keep

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@dataclass(frozen=True)
class Rules:
    last: int = 20
    minutely: int = 60
    hourly: int = 24
    daily: int = 7
    max_bytes: int = 4 << 30


def every(step_ms: int, count: int, size: int = 100) -> list[Kept]:
    """`count` versions, one each `step_ms`, oldest first, the first at the epoch."""
    return [Kept(n, (n - 1) * step_ms, size) for n in range(1, count + 1)]


def kept(versions, *, protected=(), now_ms=None, **rules) -> list[int]:
    now_ms = max(v.created_at_ms for v in versions) if now_ms is None else now_ms
    return sorted(to_keep(versions, keep=Rules(**rules), protected=protected, now_ms=now_ms))


ONLY = {"last": 0, "minutely": 0, "hourly": 0, "daily": 0}


def test_the_last_few_are_kept_by_number():
    """`last` counts versions, not time."""
    assert kept(every(1000, 100), **{**ONLY, "last": 3}) == [98, 99, 100]


def test_the_newest_of_each_minute_hour_and_day_is_kept():
    """Each rule by itself, one version a second or an hour."""
    assert kept(every(1000, 300), **{**ONLY, "minutely": 3}) == [180, 240, 300]
    assert kept(every(10 * MINUTE, 20), **{**ONLY, "hourly": 2}) == [18, 20]
    assert kept(every(6 * HOUR, 10), **{**ONLY, "daily": 9}) == [4, 8, 10]


def test_a_day_at_one_version_a_second_leaves_about_a_hundred():
    """The defaults bound what a busy learner leaves behind."""
    numbers = kept(every(1000, 86_400))

    assert numbers[-20:] == list(range(86_381, 86_401))
    assert len(numbers) == 20 + 59 + 23  # the newest minute and hour, and the day, are among them


def test_versions_in_which_nothing_was_learned_push_none_out():
    """They stay as the newest, or protected, and take no place of `last` nor of a minute."""
    learned = every(1000, 30)
    fallow = [Kept(n, n * 1000, 100, is_fallow=True) for n in range(31, 200)]

    assert kept([*learned, *fallow], **{**ONLY, "last": 3}) == [28, 29, 30, 199]
    assert kept([*learned, *fallow], **{**ONLY, "minutely": 2}, protected=[40]) == [30, 40, 199]


def test_standing_still_for_a_week_costs_nothing():
    """Minutes without a version take no place."""
    before = every(MINUTE, 30)

    assert kept(before, now_ms=30 * DAY) == kept(before)


def test_a_clock_that_ran_ahead_holds_one_place():
    """Versions dated in the future count as made now."""
    ahead = [Kept(n, DAY + n * MINUTE, 1) for n in range(1, 50)]
    now = [Kept(50 + n, n * MINUTE, 1) for n in range(60)]

    numbers = kept([*ahead, *now], now_ms=HOUR, **{**ONLY, "minutely": 10})

    assert numbers == [49, *range(101, 110)]


def test_what_is_in_use_is_kept_and_weighs():
    """Head, pins, tags and what is served stay, however old or large."""
    versions = [Kept(1, 0, 900), *every(MINUTE, 10, 50)[1:]]

    numbers = kept(versions, protected=[1], max_bytes=1000)

    assert numbers == [1, 9, 10]


def test_over_the_byte_limit_the_oldest_go_first():
    """The newest stays even if it alone is over the limit."""
    assert kept(every(1000, 10), max_bytes=350) == [8, 9, 10]
    assert kept(every(1000, 10), max_bytes=1) == [10]


@given(
    sizes=st.lists(st.integers(1, 100), min_size=1, max_size=60),
    steps=st.data(),
    rules=st.builds(
        Rules,
        last=st.integers(0, 10),
        minutely=st.integers(0, 10),
        hourly=st.integers(0, 5),
        daily=st.integers(0, 5),
        max_bytes=st.integers(0, 2000),
    ),
)
def test_whatever_the_history(sizes, steps, rules):
    """Bounded in number and bytes, the newest and the protected in it, and settled at once."""
    times = steps.draw(st.lists(st.integers(0, 3 * DAY), min_size=len(sizes), max_size=len(sizes)))
    versions = [
        Kept(n + 1, at, size) for n, (at, size) in enumerate(zip(times, sizes, strict=True))
    ]
    protected = set(steps.draw(st.lists(st.sampled_from(range(1, len(sizes) + 1)), max_size=3)))

    numbers = to_keep(versions, keep=rules, protected=protected, now_ms=2 * DAY)
    again = to_keep(
        [v for v in versions if v.number in numbers],
        keep=rules, protected=protected, now_ms=2 * DAY,
    )  # fmt: skip

    assert {len(sizes)} | protected <= numbers
    free = numbers - protected - {len(sizes)}
    assert len(free) <= rules.last + rules.minutely + rules.hourly + rules.daily
    weight = sum(v.bytes for v in versions if v.number in numbers)
    assert not free or weight <= rules.max_bytes
    assert again == numbers
