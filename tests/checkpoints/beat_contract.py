"""What every store must do with heartbeats; part of the contract suite."""

import pytest

from checkpoints.errors import TooLarge
from checkpoints.line import Line
from checkpoints.memory_store import MemoryStore
from checkpoints.redis_store import RedisStore
from checkpoints.store import BEAT_BYTES_MAX

AnyStore = MemoryStore | RedisStore


class BeatContract:
    """Uses the fixtures of `StoreContract`."""

    def test_beats_are_listed_by_role_and_name(self, store: AnyStore, line: Line) -> None:
        store.beat(line, role="learner", name="a:1", payload={"state": "idle"}, ttl_s=60)
        store.beat(line, role="api", name="b/2", payload={"n": 1}, ttl_s=60)
        store.beat(line, role="learner", name="c", payload={"state": "learning"}, ttl_s=60)
        assert store.beats(line, "api") == {"b/2": {"n": 1}}
        assert set(store.beats(line, "learner")) == {"a:1", "c"}
        assert store.poll([line])[line].learner == {"state": "learning"}

    def test_a_beat_takes_the_place_of_one_of_the_same_name(
        self, store: AnyStore, line: Line
    ) -> None:
        for payload in ({"pid": 1}, {"pid": 2}):
            store.beat(line, role="api", name="host:8000 1f", payload=payload, ttl_s=60)
        assert store.beats(line, "api") == {"host:8000 1f": {"pid": 2}}

    def test_a_beat_too_large_is_refused(self, store: AnyStore, line: Line) -> None:
        payload = {"text": "x" * BEAT_BYTES_MAX}
        with pytest.raises(TooLarge):
            store.beat(line, role="learner", name="a", payload=payload, ttl_s=60)
