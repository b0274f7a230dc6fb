"""The learner's place in the log, pure: next offsets, runs, anchors."""

import hashlib

import pytest

from stream.between.positions import Positions, fingerprint
from stream.between.shared_numbers import SharedNumbers
from stream.source.reports.heartbeat import Status, Trouble


def positions(*partitions):
    keys = [("events", p) for p in partitions]
    return Positions(
        topic_ids={"events": "id-1"},
        begins=dict.fromkeys(keys, 5),
        next_offsets=dict.fromkeys(keys, 5),
    )


def took(of, partition, first, last, value=b"x"):
    of.took(("events", partition), first, fingerprint(last, value, 1000 + last))


def test_the_next_offset_is_the_last_taken_plus_one():
    """Gaps before and within a run are no loss: transactions and compaction leave them."""
    at = positions(0)
    assert not at.has_moved

    took(at, 0, 7, 9)

    assert at.next_offsets == {("events", 0): 10}
    assert at.offsets_json() == {"events": {"0": 10}}
    assert at.begins_json() == {"events": {"0": 5}}
    assert at.has_moved


def test_runs_tell_the_order_in_which_partitions_were_interleaved():
    """Consecutive records of one partition are one run."""
    at = positions(0, 1)
    for partition, first, last in [(0, 5, 6), (0, 7, 9), (1, 5, 5), (0, 10, 10), (1, 8, 9)]:
        took(at, partition, first, last)

    assert at.runs == [
        ["events", 0, 5, 10], ["events", 1, 5, 6], ["events", 0, 10, 11], ["events", 1, 8, 10],
    ]  # fmt: skip
    runs, left_out = at.cut()
    assert left_out == []
    assert (len(runs), at.runs, at.has_moved) == (4, [], False)
    assert at.offsets_json() == {"events": {"0": 11, "1": 10}}


def test_what_is_no_record_is_passed_and_that_is_worth_a_commit():
    """No run tells of it, and the anchor stays the last record's."""
    at = positions(0)
    took(at, 0, 5, 6)
    at.cut()

    at.passed(("events", 0), 9)
    assert at.has_moved
    assert (at.offsets_json(), at.runs) == ({"events": {"0": 9}}, [])
    at.uncut(at.cut())
    assert at.has_moved
    assert at.cut() == ([], [])
    assert not at.has_moved
    took(at, 0, 9, 9)
    assert at.runs == [["events", 0, 9, 10]]


def test_a_commit_that_was_not_made_gives_its_runs_back():
    """They go before those that were begun since."""
    at = positions(0, 1)
    took(at, 0, 5, 6)
    runs = at.cut()
    took(at, 1, 5, 5)

    at.uncut(runs)

    assert at.runs == [["events", 0, 5, 7], ["events", 1, 5, 6]]


def test_nothing_is_taken_twice():
    """A record below the next offset is our own bug."""
    at = positions(0)
    took(at, 0, 5, 9)

    with pytest.raises(AssertionError, match="was taken before"):
        took(at, 0, 9, 9)


def test_an_anchor_is_the_fingerprint_of_the_last_record():
    """Offset, hash and timestamp; a tombstone's is that of nothing."""
    at = positions(0, 1)
    took(at, 0, 5, 8, b"last")
    took(at, 1, 5, 5, None)

    found = at.anchors_json()["events"]

    assert found["topic_id"] == "id-1"
    assert found["partitions"]["0"] == {
        "offset": 8, "sha256": hashlib.sha256(b"last").hexdigest(), "timestamp_ms": 1008,
    }  # fmt: skip
    assert found["partitions"]["1"]["sha256"] == hashlib.sha256(b"").hexdigest()


def test_it_comes_back_from_its_manifest():
    """A partition that took nothing since keeps its anchor."""
    at = positions(0, 1)
    took(at, 0, 5, 8)
    took(at, 1, 5, 6)
    written = {
        "offsets": at.offsets_json(), "begins": at.begins_json(), "anchors": at.anchors_json(),
    }  # fmt: skip

    back = Positions.from_manifest(**written)

    assert back.next_offsets == at.next_offsets
    assert not back.has_moved
    took(back, 1, 7, 7)
    anchors = back.anchors_json()["events"]["partitions"]
    assert anchors["0"] == written["anchors"]["events"]["partitions"]["0"]
    assert anchors["1"] == fingerprint(7, b"x", 1007)


def test_a_new_partition_begins_where_it_is_told():
    """It counts from there."""
    at = positions(0)
    at.add_partition(("events", 1), 0)

    assert at.offsets_json() == {"events": {"0": 5, "1": 0}}
    assert at.begins_json() == {"events": {"0": 5, "1": 0}}


def test_a_lag_that_is_not_known_is_none():
    """And a learner that was ended again and again says so, and why, until it commits."""
    trouble = Trouble().added("one").added("two")
    status = Status(SharedNumbers(), trouble=trouble)
    assert (status.beat("h")["state"], status.beat("h")["lag"]) == ("starting", None)

    status.trouble = trouble.added("no memory")
    for state in ("starting", "learning", "frozen", "stopped"):
        status.state = state
        told = "failing" if state in ("starting", "learning") else state
        assert (status.beat("h")["state"], status.beat("h")["last_error"]) == (told, "no memory")


def test_a_heartbeat_tells_the_status():
    """The lag is that of all partitions."""
    board = SharedNumbers()
    board.obeyed_seq, board.uncommitted = 4, 9
    status = Status(board, state="learning", version="v3", lag={("e", 0): 2, ("e", 1): 3})

    beat = status.beat("host:1")

    names = ("state", "version", "lag", "control_seq", "uncommitted", "holder")
    assert {name: beat[name] for name in names} == {
        "state": "learning", "version": "v3", "lag": 5, "control_seq": 4, "uncommitted": 9,
        "holder": "host:1",
    }  # fmt: skip
    assert (beat["last_error"], isinstance(beat["at_ms"], int)) == (None, True)
    assert isinstance(beat["pid"], int)


def test_a_lost_topic_is_begun_anew_and_what_was_read_of_it_stays_counted():
    """Another log under its name: offsets and anchors of the old one mean nothing there."""
    at = Positions(
        topic_ids={"events": "id-1", "labels": "id-2"},
        begins={("events", 0): 0, ("labels", 0): 5},
        next_offsets={("events", 0): 0, ("labels", 0): 5},
    )
    at.took(("labels", 0), 5, fingerprint(14, b"x", 1))
    at.cut()

    at.begin({"events": "id-1", "labels": "id-3"}, [("labels", 0, 2), ("labels", 1, 0)], ["labels"])
    assert at.begun_anew == {"labels": {"times": 1, "records": 10}}
    assert at.offsets_json() == {"events": {"0": 0}, "labels": {"0": 2, "1": 0}}
    assert at.begins_json() == at.offsets_json()
    assert at.anchors_json()["labels"] == {"topic_id": "id-3", "partitions": {}}
    assert at.has_moved, "a version tells of it"
    at.lose("labels")
    assert at.begun_anew == {"labels": {"times": 2, "records": 10}}
