"""What changes in Redis while a learner runs is said once, shown, and ends nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from redis import Redis

from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import StoreForbidden, StoreUnavailable, UnsafeStore
from checkpoints.records.line import Line
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from checkpoints.stores.patience import Patience
from checkpoints.stores.setup import SetupFinding
from stream.between.shared_numbers import SharedNumbers
from stream.source.order_watch import OrderWatch
from stream.source.reports.heartbeat import Status
from stream.source.reports.metrics import LearnerMetrics
from stream.source.store_check import StoreCheck
from tests.checkpoints.builders import VERIFIER, committed, granted
from tests.config.processes.waiting import until


@pytest.fixture
def server(starts_servers: None, tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "valkey") as started:
        yield started


@pytest.fixture
def admin(server: ValkeyServer) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        yield client


@pytest.fixture
def metrics() -> LearnerMetrics:
    return LearnerMetrics("m", CollectorRegistry())


@pytest.fixture
def check(server: ValkeyServer, metrics: LearnerMetrics) -> StoreCheck:
    """One that looks whenever it is told to."""

    def ask() -> list[SetupFinding]:
        with closing(RedisStore(RedisConnection(server.url))) as store:
            return store.findings()

    return StoreCheck(ask, "redis://here", metrics, every_s=0)


def shown(metrics: LearnerMetrics) -> set[str]:
    """The problems that the metrics show."""
    families = metrics.registry.collect()
    samples = [s for family in families for s in family.samples if s.name == "weir_store_unsafe"]
    return {sample.labels["problem"] for sample in samples if sample.value}


CHANGES = [
    ("maxmemory-policy", "allkeys-lru", "noeviction", "eviction"),
    ("maxmemory-policy", "volatile-ttl", "noeviction", "eviction"),
    ("appendonly", "no", "yes", "persistence"),
]


@pytest.mark.parametrize(("setting", "bad", "good", "problem"), CHANGES)
def test_a_change_is_said_once_and_shown_until_it_is_mended(
    check: StoreCheck, metrics: LearnerMetrics, admin: Redis, caplog: pytest.LogCaptureFixture,
    setting: str, bad: str, good: str, problem: str,
) -> None:  # fmt: skip
    caplog.set_level(logging.INFO)
    check.begin(may_refuse=True)
    assert (shown(metrics), caplog.messages) == (set(), [])

    admin.config_set(setting, bad)
    for _ in range(3):
        check.look()
    assert shown(metrics) == {problem}
    assert [record.levelname for record in caplog.records] == ["ERROR"]

    admin.config_set(setting, good)
    for _ in range(3):
        check.look()
    assert shown(metrics) == set()
    assert "mended" in caplog.messages[-1]
    assert len(caplog.messages) == 2


def test_only_a_program_that_starts_is_refused(check: StoreCheck, admin: Redis) -> None:
    admin.config_set("maxmemory-policy", "allkeys-random")
    check.begin(may_refuse=False)
    with pytest.raises(UnsafeStore):
        check.begin(may_refuse=True)


def forbidden() -> StoreForbidden:
    return StoreForbidden("redis://here", doing="say how it is set up", cause="its user may not")


def answers(*given: object) -> Callable[[], Sequence[SetupFinding]]:
    left = list(given)

    def ask() -> Sequence[SetupFinding]:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, list)
        return answer

    return ask


def test_a_right_that_is_taken_away_is_shown_beside_what_was_known(metrics: LearnerMetrics) -> None:
    policy = SetupFinding(name="eviction", level="warn", what="volatile-lru", mend="set noeviction")
    away = StoreUnavailable("redis://here", doing="answer", cause="it is away")
    ask = answers([policy], forbidden(), away, [policy])
    check = StoreCheck(ask, "redis://here", metrics, every_s=0)
    check.begin(may_refuse=True)
    seen = []
    for _ in range(3):
        check.look()
        seen.append(shown(metrics))
    assert seen == [{"eviction", "rights"}, {"eviction", "rights"}, {"eviction"}]


def test_it_is_asked_once_a_minute(metrics: LearnerMetrics) -> None:
    now, asked = [0.0], []

    def ask() -> list[SetupFinding]:
        asked.append(now[0])
        return []

    check = StoreCheck(ask, "redis://here", metrics, clock=lambda: now[0])
    check.begin(may_refuse=True)
    for second in range(200):
        now[0] = float(second)
        check.look()
    assert asked == [0, 60, 120, 180]


# The watch --------------------------------------------------------------------------------------


@pytest.fixture
def line() -> Line:
    return Line("m")


@pytest.fixture
def watch(
    server: ValkeyServer, admin: Redis, line: Line, metrics: LearnerMetrics, check: StoreCheck
) -> Iterator[OrderWatch]:
    """One at work, as a user with all rights."""
    admin.execute_command("ACL", "SETUSER", "weir", "on", ">p", "~weir:*", "&weir:*", "+@all")
    url = server.url.replace("://", "://weir:p@")
    store = RedisStore(RedisConnection(url, deadline_s=1))
    token = granted(store, line).token
    board = SharedNumbers()
    status = Status(board, state="idle")
    watch = OrderWatch(
        store, VERIFIER, line, holder="host-1", token=token, lease_s=5, board=board,
        status=status, metrics=metrics, check=StoreCheck(list, "", metrics),
        patience=Patience(1.2),
    )  # fmt: skip
    status.own_heads = frozenset({committed(store, line, token, number=1).id})
    watch.start()
    yield watch
    watch.end()
    store.close()


@pytest.mark.parametrize("rule", ["-evalsha", "-getrange", "resetkeys"])
def test_a_right_that_lacks_for_a_while_is_borne_and_for_long_is_not(
    watch: OrderWatch, admin: Redis, metrics: LearnerMetrics, rule: str
) -> None:
    admin.execute_command("ACL", "SETUSER", "weir", "-evalsha")
    time.sleep(0.2)
    admin.execute_command("ACL", "SETUSER", "weir", "+evalsha")
    time.sleep(1.5)
    assert watch.refused is None

    admin.execute_command("ACL", "SETUSER", "weir", rule)
    until(lambda: watch.refused is not None, what="it gives up")
    assert watch.refused is not None
    assert watch.refused.exit_code == 6
    labels = {"model": "m", "dependency": "redis"}
    assert metrics.registry.get_sample_value("weir_dependency_up", labels) == 0


def test_a_watch_over_an_idle_model_asks_little_and_sees_what_moves_at_once(
    watch: OrderWatch, server: ValkeyServer, admin: Redis, line: Line
) -> None:
    time.sleep(1.0)
    before, began = admin.info("stats")["total_commands_processed"], time.monotonic()
    time.sleep(4.0)
    after, ended = admin.info("stats")["total_commands_processed"], time.monotonic()
    assert (after - before) / (ended - began) < 12

    with closing(RedisStore(RedisConnection(server.url))) as store:
        began = time.monotonic()
        committed(store, line, granted(store, line).token, number=2, parent=store_head(store, line))
        until(lambda: watch.moved, what="the head has moved")
    assert time.monotonic() - began < 1.0


def store_head(store: RedisStore, line: Line):
    from checkpoints.reading.reader import LineReader

    return LineReader(store, VERIFIER, line).state().head
