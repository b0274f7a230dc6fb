"""What every store must do with a fence that an operator puts up; part of the contract suite."""

from checkpoints.records.line import Line
from checkpoints.stores.heads import HeldBy, Outcome
from checkpoints.stores.in_memory.store import MemoryStore
from checkpoints.stores.in_redis.store import RedisStore
from tests.checkpoints.builders import a_control, a_version, committed, granted, put

AnyStore = MemoryStore | RedisStore


class FenceContract:
    """Uses the fixtures of `StoreContract`."""

    def test_a_fence_stops_the_learner_and_changes_nothing_else(
        self, store: AnyStore, line: Line
    ) -> None:
        token = granted(store, line, holder="first", lease_s=60).token
        one = committed(store, line, token, number=1)
        before = store.poll([line])
        store.fence(line, by="ann:1")
        put(store, line, b"late")
        late = a_version(line, number=2, parent=one, model=b"late")
        assert store.commit(line, token=token, version=late) is Outcome.FENCED
        assert not store.renew(line, holder="first", token=token, lease_s=5)
        assert store.poll([line]) == before
        assert isinstance(store.acquire(line, holder="second", lease_s=60), HeldBy)
        again = granted(store, line, holder="first")
        assert again.head == one.envelope
        assert store.commit(line, token=again.token, version=late) is Outcome.OK

    def test_an_order_fences_the_learner_where_it_says_so(
        self, store: AnyStore, line: Line
    ) -> None:
        """With it or not at all; head and lease stay, and no version is needed for it."""
        token = granted(store, line, holder="first", lease_s=60).token
        one = committed(store, line, token, number=1)
        freeze = a_control(line)
        assert store.command(line, control=freeze).outcome is Outcome.OK
        assert store.renew(line, holder="first", token=token, lease_s=60)

        rewind = a_control(line, freeze, command="rollback")
        stale = a_control(line, rewind, command="rollback")
        reply = store.command(line, control=stale, is_fencing=True)
        assert reply.outcome is Outcome.STALE
        assert store.renew(line, holder="first", token=token, lease_s=60)

        assert store.command(line, control=rewind, is_fencing=True).outcome is Outcome.OK
        late = a_version(line, number=2, parent=one)
        assert store.commit(line, token=token, version=late) is Outcome.FENCED
        assert not store.renew(line, holder="first", token=token, lease_s=60)
        assert (store.head(line), store.control(line)) == (one.envelope, rewind.envelope)
        assert isinstance(store.acquire(line, holder="second", lease_s=60), HeldBy)
        again = granted(store, line, holder="first").token

        assert store.command(line, control=rewind, is_fencing=True).outcome is Outcome.DUP
        assert store.renew(line, holder="first", token=again, lease_s=60)

    def test_a_fence_that_is_sent_twice_is_one(self, store: AnyStore, line: Line) -> None:
        def count() -> int:
            return int(granted(store, line).token.partition(":")[0])

        before = count()
        store.fence(line, by="ann:1")
        store.fence(line, by="ann:1")
        assert count() == before + 2
        store.fence(line, by="ann:1")
        assert count() == before + 4
