"""The Redis store keeps the contract on a real Valkey, and trusts nothing that it finds there."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from redis import Redis

from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import (
    BadCommand,
    CheckpointCorrupt,
    StoreForbidden,
    StoreUnavailable,
    Tampered,
)
from checkpoints.records.control import AUDIT_KEPT
from checkpoints.records.line import Line
from checkpoints.records.manifest import MANIFEST_BYTES_MAX
from checkpoints.stores.heads import HeldBy, Outcome
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from checkpoints.stores.presence import BEAT_SHOWN_S, BEAT_TTL_S
from checkpoints.stores.records import ORPHAN_S
from tests.checkpoints.builders import (
    a_control,
    a_rollback,
    a_version,
    committed,
    envelopes,
    granted,
    history,
    put,
    ref_of,
)
from tests.checkpoints.stores.store_contract import NOTHING, StoreContract


@pytest.fixture
def line(unique_name: str) -> Line:
    return Line(unique_name)


@pytest.fixture
def store(valkey_server: ValkeyServer) -> Iterator[RedisStore]:
    store = RedisStore(RedisConnection(valkey_server.url))
    yield store
    store.close()


@pytest.fixture
def raw(valkey_server: ValkeyServer) -> Iterator[Redis]:
    """The server by its back door."""
    with Redis.from_url(valkey_server.url) as client:
        yield client


def key(line: Line, name: str) -> str:
    return f"{line.prefix}{name}"


class TestRedisStore(StoreContract):
    """Every test of the contract."""


def until(condition: object, *, timeout_s: float = 10.0) -> None:
    """Wait for a condition that time brings about."""
    assert callable(condition)
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_at, "it never became true"
        time.sleep(0.01)


# Time ------------------------------------------------------------------------------------------


def test_a_lease_runs_out(store: RedisStore, line: Line) -> None:
    granted(store, line, holder="first", lease_s=0.05)
    until(lambda: not isinstance(store.acquire(line, holder="second", lease_s=5), HeldBy))


def test_a_beat_runs_out(store: RedisStore, line: Line) -> None:
    store.beat(line, role="learner", name="a", payload={}, ttl_s=0.05, serving="a" * 64)
    until(lambda: store.poll([line])[line] == NOTHING)
    assert (store.beats(line, "learner"), store.in_use(line)) == ({}, frozenset())


def test_a_silent_learner_is_shown_no_longer_than_it_beats(
    store: RedisStore, line: Line, raw: Redis
) -> None:
    store.beat(line, role="learner", name="a", payload={}, ttl_s=BEAT_TTL_S)
    assert 0 < raw.pttl(key(line, "beat:learner")) <= 1000 * BEAT_SHOWN_S
    assert raw.pttl(key(line, "beat:learner/a")) > 1000 * BEAT_SHOWN_S


def test_only_what_a_version_names_stays(store: RedisStore, line: Line, raw: Redis) -> None:
    token = granted(store, line).token
    put(store, line, b"weights", b"orphan")
    chunks = [key(line, f"chunk:{ref_of(data).sha256}:0") for data in (b"weights", b"orphan")]
    assert all(0 < raw.ttl(chunk) <= ORPHAN_S for chunk in chunks)
    assert store.commit(line, token=token, version=a_version(line)) is Outcome.OK
    put(store, line, b"weights")
    assert raw.ttl(chunks[0]) == -1
    assert raw.ttl(chunks[1]) > 0


def test_nothing_of_a_pruned_version_is_left(store: RedisStore, line: Line, raw: Redis) -> None:
    token = granted(store, line).token
    versions = history(store, line, token, length=5)
    dropped = versions[:4]
    store.prune(
        line, token=token, head=versions[4].id, control=None,
        drop=[version.id for version in dropped], lineages={},
    )  # fmt: skip
    keys = {
        name.decode() for name in raw.scan_iter(key(line, "*").replace("{", "?").replace("}", "?"))
    }
    for version in dropped:
        assert not [name for name in keys if version.id in name]
        assert not [name for name in keys if version.manifest.segments["model"].sha256 in name]
    assert raw.hlen(key(line, "refs")) == 1


# Hostile content -------------------------------------------------------------------------------


def test_a_chunk_of_the_wrong_length_is_corrupt(store: RedisStore, line: Line, raw: Redis) -> None:
    version = committed(store, line, granted(store, line).token, number=1)
    ref = version.manifest.segments["model"]
    for wrong in (b"", b"weight", b"weights!", b"Weights"):
        raw.set(key(line, f"chunk:{ref.sha256}:0"), wrong)
        with pytest.raises(CheckpointCorrupt, match=ref.sha256[:12]):
            store.get_segment(line, ref)


def test_a_rollback_to_what_has_lost_a_chunk_is_torn(
    store: RedisStore, line: Line, raw: Redis
) -> None:
    one, two = history(store, line, granted(store, line).token, length=2)
    raw.delete(key(line, f"chunk:{one.manifest.segments['model'].sha256}:0"))
    control = a_control(line, command="rollback", to="v1")
    back = a_rollback(two, one, number=3)
    assert store.command(line, control=control, version=back).outcome is Outcome.TORN
    assert (store.head(line), store.control(line)) == (two.envelope, None)


@pytest.mark.parametrize("pointer", [b"v1", b"1:xyz", b"1:" + b"a" * 65, b"\xff\x00", b"9" * 2000])
def test_a_pointer_that_is_none_is_corrupt(
    store: RedisStore, line: Line, raw: Redis, pointer: bytes
) -> None:
    for name, read in (("head", store.head), ("control", store.control)):
        raw.set(key(line, name), pointer)
        with pytest.raises(CheckpointCorrupt, match=str(line)):
            read(line)
        with pytest.raises(CheckpointCorrupt, match=str(line)):
            store.poll([line])
        raw.delete(key(line, name))


def test_a_head_without_its_manifest_is_corrupt(store: RedisStore, line: Line, raw: Redis) -> None:
    version = committed(store, line, granted(store, line).token, number=1)
    raw.delete(key(line, f"manifest:{version.id}"))
    for read in (
        lambda: store.head(line),
        lambda: store.manifest_by_number(line, 1),
    ):
        with pytest.raises(CheckpointCorrupt, match="missing"):
            read()


def test_a_manifest_beyond_its_cap_is_not_fetched(
    store: RedisStore, line: Line, raw: Redis
) -> None:
    version = committed(store, line, granted(store, line).token, number=1)
    raw.set(key(line, f"manifest:{version.id}"), b"x" * (MANIFEST_BYTES_MAX + 5_000_000))
    for read in (
        lambda: store.head(line),
        lambda: store.manifest(line, version.id),
    ):
        with pytest.raises(CheckpointCorrupt, match="longer than"):
            read()
    assert envelopes(store, line) == [None]
    assert granted(store, line).head == b""


def test_a_rank_that_is_no_number_is_corrupt(store: RedisStore, line: Line, raw: Redis) -> None:
    version = committed(store, line, granted(store, line).token, number=1)
    raw.zadd(key(line, "versions"), {version.id: "inf"})
    with pytest.raises(CheckpointCorrupt, match="no number"):
        store.versions(line, limit=5)


def test_a_key_of_another_type_is_tampered(store: RedisStore, line: Line, raw: Redis) -> None:
    raw.lpush(key(line, "head"), "x")
    for read in (
        lambda: store.head(line),
        lambda: store.poll([line]),
        lambda: store.acquire(line, holder="host-1", lease_s=5),
    ):
        with pytest.raises(Tampered, match="WRONGTYPE"):
            read()


@pytest.mark.parametrize("beat", [b"[1]", b"{", b"nan", b"\xff", b"[" * 5000])
def test_a_beat_that_cannot_be_read_counts_as_none(
    store: RedisStore, line: Line, raw: Redis, beat: bytes
) -> None:
    store.beat(line, role="learner", name="a", payload={}, ttl_s=60)
    raw.set(key(line, "beat:learner/a"), beat)
    raw.set(key(line, "beat:learner"), beat)
    assert store.beats(line, "learner") == {}
    assert store.poll([line])[line] == NOTHING


@pytest.mark.parametrize("highest", [b"many", b"-1", b"1e9", b"9" * 16])
def test_a_highest_that_is_no_number_is_corrupt(
    store: RedisStore, line: Line, raw: Redis, highest: bytes
) -> None:
    raw.set(key(line, "highest"), highest)
    with pytest.raises(CheckpointCorrupt, match="highest"):
        store.highest(line)


def test_a_member_that_is_no_id_is_corrupt(store: RedisStore, line: Line, raw: Redis) -> None:
    raw.zadd(key(line, "versions"), {"../../etc": 5})
    with pytest.raises(CheckpointCorrupt, match="no id"):
        store.versions(line, limit=5)


def test_the_audit_is_bounded(store: RedisStore, line: Line, raw: Redis) -> None:
    """The oldest records go when there are 10,000 already, and the newest stay."""
    first = a_control(line)
    store.command(line, control=first)
    raw.zadd(
        key(line, "audit"), {f"{n:064x}": 1 + (n + 1) / AUDIT_KEPT for n in range(AUDIT_KEPT - 1)}
    )
    second = a_control(line, first)
    assert store.command(line, control=second).outcome is Outcome.OK
    assert raw.zcard(key(line, "audit")) == AUDIT_KEPT
    assert raw.exists(key(line, f"control:{first.id}")) == 0
    assert store.control(line) == second.envelope


def test_a_move_is_announced(store: RedisStore, line: Line, raw: Redis) -> None:
    with raw.pubsub(ignore_subscribe_messages=True) as hints:
        hints.subscribe(key(line, "moved"))
        hints.get_message(timeout=5)
        version = committed(store, line, granted(store, line).token, number=1)
        message = hints.get_message(timeout=5)
    assert message is not None
    assert message["data"] == version.id.encode()


# The server ------------------------------------------------------------------------------------


def test_a_server_that_is_away_is_said_with_what_to_do() -> None:
    store = RedisStore(RedisConnection("redis://:secret@127.0.0.1:1/0", deadline_s=0.2))
    with pytest.raises(StoreUnavailable, match="WEIR_REDIS__URL") as caught:
        store.head(Line("m"))
    assert "secret" not in str(caught.value)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("url", ["", "http://here", "redis://host:port/0", "localhost:6379"])
def test_an_address_that_is_none_is_a_usage_error(url: str) -> None:
    with pytest.raises(BadCommand, match="WEIR_REDIS__URL"):
        RedisConnection(url)


def test_a_reader_needs_no_right_to_write_or_to_run_scripts(
    store: RedisStore, line: Line, raw: Redis, valkey_server: ValkeyServer
) -> None:
    """What an API process may be given: it can read all, and change nothing."""
    version = committed(store, line, granted(store, line).token, number=1)
    control = a_control(line)
    store.command(line, control=control)
    store.beat(line, role="learner", name="a", payload={}, ttl_s=60, serving=version.id)
    raw.acl_setuser(
        line.model, enabled=True, passwords=["+secret"], keys=["%R~weir:*"],
        commands=["-@all", "+@read", "+multi", "+exec", "+hello", "+client|setname",
                  "+client|setinfo", "+select", "+info"],
    )  # fmt: skip
    url = valkey_server.url.replace("://", f"://{line.model}:secret@")
    reader = RedisStore(RedisConnection(url, deadline_s=1))
    assert reader.poll([line])[line].head == version.id
    assert reader.head(line) == version.envelope
    assert envelopes(reader, line) == [version.envelope]
    assert reader.audit(line, limit=5) == [control.envelope]
    assert reader.get_segment(line, version.manifest.segments["model"]) == b"weights"
    assert (reader.beats(line, "learner"), reader.in_use(line)) == ({"a": {}}, {version.id})
    assert reader.recall(line, "key") is None
    with pytest.raises(StoreForbidden, match="may not run EVALSHA"):
        reader.acquire(line, holder="intruder", lease_s=5)
    reader.close()
    raw.acl_deluser(line.model)
