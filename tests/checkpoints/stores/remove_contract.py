"""What every store must do when a line is removed."""

from __future__ import annotations

from checkpoints.records.line import Line
from checkpoints.stores.heads import Outcome
from checkpoints.stores.in_memory.store import MemoryStore
from checkpoints.stores.in_redis.store import RedisStore
from checkpoints.stores.records import CHUNK_BYTES
from tests.checkpoints.builders import a_control, a_version, committed, granted, put

AnyStore = MemoryStore | RedisStore


class RemoveContract:
    """Give fixtures `store` and `line`."""

    def test_a_line_that_is_removed_holds_nothing(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line, holder="a").token
        first = committed(store, line, token, number=1)
        committed(store, line, token, number=2, parent=first)
        put(store, line, b"x" * (2 * CHUNK_BYTES + 1))
        control = a_control(line)
        store.command(line, control=control, idempotency_key="k")
        store.release(line, holder="a", token=token)

        assert store.remove(line, by="ann") is None

        assert (store.head(line), store.control(line), store.highest(line)) == (None, None, 0)
        assert store.versions(line, limit=10) == store.audit(line, limit=10) == []
        assert store.recall(line, "k") is None
        assert store.manifest(line, first.id) is None
        assert line not in store.lines()

    def test_a_line_that_is_held_is_not_removed(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line, holder="a", lease_s=60).token
        first = committed(store, line, token, number=1)

        assert store.remove(line, by="ann") == "a"

        assert store.manifest(line, first.id) == first.envelope

    def test_a_removed_line_begins_anew_and_old_tokens_are_fenced(
        self, store: AnyStore, line: Line
    ) -> None:
        token = granted(store, line, holder="a").token
        first = committed(store, line, token, number=1)
        store.release(line, holder="a", token=token)
        store.remove(line, by="ann")

        late = a_version(line, number=2, parent=first)
        assert store.commit(line, token=token, version=late) is not Outcome.OK
        again = granted(store, line, holder="b")
        assert (again.head, again.highest) == (None, 0)
        assert store.commit(line, token=token, version=late) is Outcome.FENCED
        assert committed(store, line, again.token, number=1).number == 1

    def test_removing_again_changes_nothing_and_other_lines_stand(
        self, store: AnyStore, line: Line
    ) -> None:
        other = Line(f"{line.model}.more")
        kept = committed(store, other, granted(store, other).token, number=1)
        token = granted(store, line, holder="a").token
        committed(store, line, token, number=1)
        store.release(line, holder="a", token=token)

        assert store.remove(line, by="ann") is store.remove(line, by="ann") is None

        assert store.manifest(other, kept.id) == kept.envelope
