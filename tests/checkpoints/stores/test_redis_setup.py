"""How a real server is set up, and what a learner makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from checkpoints.dev_server import ValkeyServer
from checkpoints.doctor import store_findings
from checkpoints.errors import StoreUnavailable, UnsafeStore
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.setup import findings_of
from checkpoints.stores.in_redis.store import RedisStore
from checkpoints.stores.setup import SetupFinding, refuse_unsafe


@pytest.fixture
def server(starts_servers: None, tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "valkey") as started:
        yield started


@pytest.fixture
def admin(server: ValkeyServer) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        yield client


def found(server: ValkeyServer) -> dict[str, SetupFinding]:
    with closing(RedisStore(RedisConnection(server.url))) as store:
        return {each.name: each for each in store.findings()}


def refused(server: ValkeyServer) -> None:
    refuse_unsafe("redis://here", found(server).values())


def test_the_embedded_server_is_set_up_safely(server: ValkeyServer) -> None:
    assert {each.level for each in found(server).values()} == {"ok"}
    refused(server)


def test_what_may_lose_versions_is_refused_or_warned_of(server: ValkeyServer, admin: Redis) -> None:
    admin.config_set("maxmemory-policy", "allkeys-lru")
    with pytest.raises(UnsafeStore, match=r"allkeys-lru.*noeviction"):
        refused(server)
    admin.config_set("maxmemory-policy", "volatile-lru")
    admin.config_set("appendonly", "no")
    refused(server)
    levels = {name: each.level for name, each in found(server).items()}
    assert levels == {"version": "ok", "role": "ok", "eviction": "warn", "persistence": "warn"}


def test_a_replica_is_waited_for_and_named(server: ValkeyServer, admin: Redis) -> None:
    """It may be promoted, so it is away and not unsafe; `weir doctor` says the same."""
    admin.replicaof("primary.example", "6379")
    with pytest.raises(StoreUnavailable, match=r"replica of primary\.example:6379") as caught:
        refused(server)
    assert caught.value.exit_code == 5
    told = [each for each in store_findings(server.url, None, [])[1] if each.level == "error"]
    assert [(each.exit_code, "replica" in each.what) for each in told] == [(5, True)]


@pytest.mark.parametrize("facts", [{"redis_version": "6.2.1"}, {"redis_version": "5.0"}, {}])
def test_what_is_too_old_is_refused(facts: dict[str, str]) -> None:
    with pytest.raises(UnsafeStore, match="too old"):
        refuse_unsafe("redis://here", findings_of(facts))


def test_doctor_names_what_a_user_lacks(server: ValkeyServer, admin: Redis) -> None:
    rules = ["~weir:*", "&weir:*", "+@all", "-info", "-publish"]
    admin.execute_command("ACL", "SETUSER", "weir", "on", ">s3cret", *rules)
    url = server.url.replace("://", "://weir:s3cret@")
    told = [each for each in store_findings(url, None, [])[1] if each.level == "error"]
    assert "run PUBLISH, run INFO" in told[0].what
    assert told[0].mend.endswith("ACL SETUSER weir +publish +info")
    assert {each.exit_code for each in told} == {6}
    assert "s3cret" not in str(told)
