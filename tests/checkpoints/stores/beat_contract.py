"""What every store must do with heartbeats; part of the contract suite."""

import select
from contextlib import closing

import pytest

from checkpoints.errors import TooLarge
from checkpoints.records.line import Line
from checkpoints.stores.in_memory.store import MemoryStore
from checkpoints.stores.in_redis.store import RedisStore
from checkpoints.stores.presence import BEAT_BYTES_MAX

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

    def test_news_are_hinted_at_and_other_beats_are_not(self, store: AnyStore, line: Line) -> None:
        with closing(store.hints([line], sure_s=60)) as hints:
            hints.take()
            for is_news in (False, True):
                payload = {"state": "frozen"}
                store.beat(
                    line, role="learner", name="a", payload=payload, ttl_s=60, is_news=is_news
                )
                select.select([hints], [], [], 2.0 if is_news else 0.1)
                assert hints.take() is is_news

    def test_a_process_that_serves_nothing_any_more_keeps_no_version(
        self, store: AnyStore, line: Line
    ) -> None:
        for serving in ("a" * 64, ""):
            store.beat(line, role="api", name="a", payload={}, ttl_s=60, serving=serving)
        store.beat(line, role="learner", name="b", payload={}, ttl_s=60)
        assert store.in_use(line) == frozenset()

    def test_a_beat_too_large_is_refused(self, store: AnyStore, line: Line) -> None:
        payload = {"text": "x" * BEAT_BYTES_MAX}
        with pytest.raises(TooLarge):
            store.beat(line, role="learner", name="a", payload=payload, ttl_s=60)
