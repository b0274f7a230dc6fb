"""Skips as operators write them: each means what it says, or is refused with how to write it."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.records.skips import (
    SKIP_CHARACTERS_MAX,
    SKIPS_MAX,
    OffsetSkip,
    Skips,
    TimeSkip,
    skips_of,
)
from tests.effort import examples

EPOCH = datetime.fromtimestamp(0, UTC)
TOPICS = st.from_regex(re.compile(r"[A-Za-z0-9._-]{1,20}", re.ASCII), fullmatch=True)


def moment(ms: int) -> str:
    return (EPOCH + timedelta(milliseconds=ms)).isoformat()


def test_several_of_each_kind_stand_together():
    found = skips_of([
        "0:5-9", "shop.events/12:0-0", "id:a", "id:b:c", "source:till-3", "source:till-3",
        "time:2026-11-20T12:00:00Z/2026-11-20T14:00:00+01:00",
    ])  # fmt: skip
    assert found == Skips(
        offsets=(
            OffsetSkip(topic=None, partition=0, first=5, last=9),
            OffsetSkip(topic="shop.events", partition=12, first=0, last=0),
        ),
        ids=frozenset({"a", "b:c"}),
        sources=frozenset({"till-3"}),
        times=(TimeSkip(from_ms=1_795_176_000_000, to_ms=1_795_179_600_000),),
    )
    assert found.asks_content


def test_no_skip_leaves_nothing_out():
    found = skips_of([])
    assert found == Skips()
    assert not found.asks_content
    assert not found.has_offset("e", 0, 0, events="e")
    assert not found.has_time(0)


@settings(max_examples=examples(300))
@given(
    topic=st.none() | TOPICS,
    partition=st.integers(0, 999),
    first=st.integers(0, 10**12),
    more=st.integers(0, 10**6),
    offset=st.integers(-5, 5),
)
def test_both_offsets_are_included(topic, partition, first, more, offset):
    named = f"{topic}/" if topic else ""
    found = skips_of([f"{named}{partition}:{first}-{first + more}"])
    where = topic or "m.events"
    for end, inside in ((first, offset >= 0), (first + more, offset <= 0)):
        at = end + offset
        expected = inside and first <= at <= first + more
        assert found.has_offset(where, partition, at, events="m.events") == expected
    assert not found.has_offset(where, partition + 1, first, events="m.events")
    assert not found.has_offset(f"{where}.more", partition, first, events="m.events")
    assert not found.asks_content


@settings(max_examples=examples(300))
@given(first=st.integers(0, 2 * 10**12), length=st.integers(1, 10**9))
def test_the_last_moment_of_a_span_is_not_in_it(first, length):
    found = skips_of([f"time:{moment(first)}/{moment(first + length)}"])
    assert found.times == (TimeSkip(from_ms=first, to_ms=first + length),)
    around = (first - 1, first, first + length - 1, first + length)
    assert [found.has_time(at) for at in around] == [False, True, True, False]
    assert found.has_time(first + 0.5)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is no skip"),
        ("yesterday", "is no skip"),
        ("5-9", "is no skip"),
        ("0:5", "is no skip"),
        ("0:5-", "is no skip"),
        ("0:-5-9", "is no skip"),
        ("0: 5-9", "is no skip"),
        ("0:\u0665-\u0669", "is no skip"),
        ("0:5-9\n", "is no skip"),
        ("a b/0:5-9", "is no skip"),
        ("a/b/0:5-9", "is no skip"),
        ("/0:5-9", "is no skip"),
        ("id:", "is no skip"),
        ("source:", "is no skip"),
        ("ids:a", "is no skip"),
        (f"0:1-{10**18}", "is no skip"),
        ("0:9-5", "ends before it begins"),
        ("time:", "no span of time"),
        ("time:2026-11-20T12:00:00Z", "no span of time"),
        ("time:2026-11-20T12:00:00Z/", "no time"),
        ("time:2026-11-20T12:00:00Z/now", "no time"),
        ("time:2026-11-20T12:00:00/2026-11-20T13:00:00Z", "no time zone"),
        ("time:2026-11-20T12:00:00Z/2026-11-20T12:00:00Z", "ends before it begins"),
        ("time:2026-11-20T13:00:00Z/2026-11-20T12:00:00Z", "ends before it begins"),
        ("id:" + "a" * SKIP_CHARACTERS_MAX, "1003 characters"),
    ],
)
def test_what_means_nothing_is_refused(text, told):
    with pytest.raises(ValueError, match=told):
        skips_of(["0:1-2", text])


def test_there_is_a_limit_to_how_many():
    assert len(skips_of([f"id:{n}" for n in range(SKIPS_MAX)]).ids) == SKIPS_MAX
    with pytest.raises(ValueError, match="a span of time may be one"):
        skips_of([f"id:{n}" for n in range(SKIPS_MAX + 1)])


@settings(max_examples=examples(300))
@given(st.text(max_size=60))
def test_any_text_means_something_or_is_refused_by_a_value_error(text):
    with suppress(ValueError):
        assert skips_of([text]) != Skips()
