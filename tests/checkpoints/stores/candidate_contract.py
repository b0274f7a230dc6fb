"""What every store must do with a line's candidate: a line of its own beside it."""

from __future__ import annotations

from typing import Any

from checkpoints.records.line import Line
from checkpoints.records.manifest import Rewind, Version
from checkpoints.stores.heads import Outcome
from checkpoints.stores.in_memory.store import MemoryStore
from checkpoints.stores.in_redis.store import RedisStore
from tests.checkpoints.builders import (
    a_control,
    a_version,
    committed,
    granted,
    history,
    put,
    ref_of,
)

AnyStore = MemoryStore | RedisStore


def a_candidate(line: Line, number: int, parent: Version | None = None, **more: Any) -> Version:
    rewind = Rewind(to="v1", to_id="1" * 64, command_id="c", at_ms=1)
    return a_version(line, number=number, parent=parent, kind="candidate", rewind=rewind, **more)


def put_beside(store: AnyStore, line: Line, number: int, parent: Version | None, token: str) -> Any:
    """A version of the candidate, whose segment is stored with it; how that went."""
    put(store, line.candidate, b"replayed %d" % number)
    segments = {"model": ref_of(b"replayed %d" % number)}
    version = a_candidate(line, number, parent, segments=segments)
    return version, store.commit(line.candidate, token=token, version=version)


class CandidateContract:
    """Give fixtures `store` and `line`."""

    def test_a_candidate_has_a_token_a_head_and_numbers_of_its_own(
        self, store: AnyStore, line: Line
    ) -> None:
        token = granted(store, line, lease_s=60).token
        versions = history(store, line, token, length=3)
        beside = granted(store, line.candidate, lease_s=0.001)
        assert (beside.head, beside.highest) == (None, 0)

        one, outcome = put_beside(store, line, 1, None, beside.token)
        two, _ = put_beside(store, line, 2, one, beside.token)

        assert outcome is Outcome.OK
        assert (store.head(line.candidate), store.highest(line.candidate)) == (two.envelope, 2)
        assert (store.head(line), store.highest(line)) == (versions[2].envelope, 3)
        assert [each.number for each in store.versions(line.candidate, limit=9)] == [2, 1]
        assert [each.number for each in store.versions(line, limit=9)] == [3, 2, 1]
        assert store.renew(line, holder="host-1", token=token, lease_s=60)
        assert store.commit(line.candidate, token=token, version=two) is Outcome.DUP
        late, outcome = put_beside(store, line, 3, two, token)
        assert outcome is Outcome.FENCED
        assert store.manifest(line, late.id) is None

    def test_what_is_ordered_for_the_line_is_not_ordered_for_its_candidate(
        self, store: AnyStore, line: Line
    ) -> None:
        granted(store, line)
        beside = granted(store, line.candidate).token
        control = a_control(line)
        assert store.command(line, control=control, is_fencing=True).outcome is Outcome.OK
        assert store.control(line.candidate) is None
        assert store.audit(line.candidate, limit=9) == []
        assert put_beside(store, line, 1, None, beside)[1] is Outcome.OK

    def test_a_candidate_is_not_listed_among_the_lines(self, store: AnyStore, line: Line) -> None:
        put_beside(store, line, 1, None, granted(store, line.candidate).token)
        assert line not in store.lines()
        assert line.candidate not in store.lines()
        committed(store, line, granted(store, line).token, number=1)
        assert line in store.lines()
        assert line.candidate not in store.lines()

    def test_a_candidate_that_is_removed_leaves_the_line_as_it_was(
        self, store: AnyStore, line: Line
    ) -> None:
        token = granted(store, line, lease_s=60).token
        versions = history(store, line, token, length=2)
        control = a_control(line)
        store.command(line, control=control, idempotency_key="k")
        beside = granted(store, line.candidate, lease_s=60).token
        gone, _ = put_beside(store, line, 1, None, beside)
        before = store.poll([line])
        assert store.remove(line.candidate, by="ann") == "host-1"  # its lease stands against it
        store.release(line.candidate, holder="host-1", token=beside)

        assert store.remove(line.candidate, by="ann") is None

        assert (store.head(line.candidate), store.highest(line.candidate)) == (None, 0)
        assert store.manifest(line.candidate, gone.id) is None
        assert store.poll([line]) == before
        assert (store.head(line), store.highest(line)) == (versions[1].envelope, 2)
        for version in versions:
            store.get_segment(line, version.manifest.segments["model"])
        assert store.audit(line, limit=9) == [control.envelope]
        assert store.recall(line, "k") == control.envelope
        assert store.renew(line, holder="host-1", token=token, lease_s=60)
        assert put_beside(store, line, 1, None, beside)[1] is Outcome.FENCED

    def test_a_line_that_is_removed_takes_its_candidate_with_it(
        self, store: AnyStore, line: Line
    ) -> None:
        token = granted(store, line).token
        committed(store, line, token, number=1)
        store.release(line, holder="host-1", token=token)
        beside = granted(store, line.candidate).token
        put_beside(store, line, 1, None, beside)
        store.release(line.candidate, holder="host-1", token=beside)

        assert store.remove(line, by="ann") is None

        assert store.head(line.candidate) is None
        assert store.versions(line.candidate, limit=9) == []
        assert granted(store, line.candidate).highest == 0
