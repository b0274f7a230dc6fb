"""What every store must do with a fence that an operator puts up; part of the contract suite."""

from checkpoints.records.line import Line
from checkpoints.stores.heads import HeldBy, Outcome
from checkpoints.stores.in_memory.store import MemoryStore
from checkpoints.stores.in_redis.store import RedisStore
from tests.checkpoints.builders import a_version, committed, granted, put

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

    def test_a_fence_that_is_sent_twice_is_one(self, store: AnyStore, line: Line) -> None:
        def count() -> int:
            return int(granted(store, line).token.partition(":")[0])

        before = count()
        store.fence(line, by="ann:1")
        store.fence(line, by="ann:1")
        assert count() == before + 2
        store.fence(line, by="ann:1")
        assert count() == before + 4
