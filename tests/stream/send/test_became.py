"""What `weir send` says became of what it sent: true also where it was not alone."""

import time

import pytest

from checkpoints.reading.reader import LineReader
from checkpoints.records.line import Line
from checkpoints.records.manifest import Counts
from checkpoints.stores.in_memory.store import MemoryStore
from stream.send.became import Became, Delivery, summary
from tests.checkpoints.builders import VERIFIER, a_manifest, committed, granted

LINE = Line("returns")
SENT = Delivery(source="a.csv", topic="events", sent=10, ends={0: 20})


def head(offset=20, **counts):
    refused = sum(counts.get("refused_by", {}).values())
    return a_manifest(
        LINE, counts=Counts(refused=refused, **counts), offsets={"events": {"0": offset}}
    )


BEGIN = head(10, learned=6, refused_by={"bad_label": 4})


def test_what_was_sent_alone_is_told_by_its_own_count():
    """Learned, and refused by reason, the commonest first; with where the refused ones are."""
    end = head(learned=13, refused_by={"bad_label": 5, "wrong_type": 2})

    assert summary(BEGIN, end, SENT) == (
        "a.csv: of 10 sent, 7 learned, 3 refused (wrong_type 2, bad_label 1): "
        "they are in dlq.events, each with its reason (header weir-dlq-detail)"
    )
    assert summary(BEGIN, head(learned=16, refused_by={"bad_label": 4}), SENT) == (
        "a.csv: of 10 sent, 10 learned, 0 refused"
    )


@pytest.mark.parametrize("begin", [BEGIN, head(0, learned=0)])
def test_where_others_wrote_it_says_so(begin):
    """More was read than was sent: the counts are everybody's."""
    end = head(30, learned=26, refused_by={"bad_label": 4})

    said = summary(begin, end, SENT)

    assert said.startswith("a.csv: all of it is read; returns since then: ")
    assert "counting what others sent, and what had waited" in said


def test_counts_that_wait_or_are_labels_are_named():
    """Only those that are not zero."""
    end = head(learned=10, pending=4, labels=2, refused_by={"bad_label": 4})
    assert "of 10 sent, 4 learned, 4 pending, 2 labels, 0 refused" in summary(BEGIN, end, SENT)


def test_a_rollback_in_between_is_told_instead_of_counts():
    """There is then no telling which events are meant."""
    assert "went back" in summary(BEGIN, head(learned=2, forgotten=4), SENT)


def told(begin, *, state, at_ms=None, end=None):
    """What is said when the head is `begin` before, and `end` (None: the same) after."""
    store, said = MemoryStore(), []
    token = granted(store, LINE).token
    first = committed(store, LINE, token, number=1, counts=begin.counts, offsets=begin.offsets)
    became = Became(LineReader(store, VERIFIER, LINE), said.append)
    if state is not None:
        payload = {"state": state, "at_ms": at_ms or time.time_ns() // 1_000_000}
        store.beat(LINE, role="learner", name="host-1", payload=payload, ttl_s=9)
    if end is not None:
        committed(
            store, LINE, token, number=2, parent=first, counts=end.counts, offsets=end.offsets
        )
    became.tell(SENT)
    return said


def test_it_ends_as_soon_as_the_head_has_passed_it():
    """Whether or not the learner still beats."""
    started = time.monotonic()
    end = head(learned=16, refused_by={"bad_label": 4})

    assert told(BEGIN, state="learning", end=end) == ["a.csv: of 10 sent, 10 learned, 0 refused"]
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(("state", "at_ms"), [(None, None), ("learning", 1), ("stopped", None)])
def test_nothing_is_said_where_no_learner_is_up(state, at_ms):
    """What was sent waits in the topic, as it is meant to."""
    assert told(BEGIN, state=state, at_ms=at_ms) == []


@pytest.mark.parametrize("state", ["frozen", "waiting"])
def test_a_learner_that_stands_still_is_named(state):
    """It is not waited for."""
    assert told(BEGIN, state=state) == [f"returns is {state}: what was sent waits in events"]


def test_a_model_that_was_never_committed_has_nothing_to_tell():
    """Its first version is the learner's to make."""
    said = []
    Became(LineReader(MemoryStore(), VERIFIER, LINE), said.append).tell(SENT)
    assert said == []
