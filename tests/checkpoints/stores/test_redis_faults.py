"""Real faults between the store and a real server: lost replies, restarts, a full server."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis

from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import StoreUnavailable
from checkpoints.records.line import Line
from checkpoints.stores.heads import Outcome
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from tests.checkpoints.builders import (
    a_control,
    a_rollback,
    a_version,
    committed,
    envelopes,
    granted,
    history,
    put,
)
from tests.config.processes.waiting import until


class LossyProxy:
    """Passes bytes to a server; while `losing`, requests arrive and their replies do not.

    The connection is then cut, as a failing network does: the client cannot know. While it
    `is_mute` nothing comes back, and the connection stands, as behind a wall that forgets it.
    """

    def __init__(self, url: str) -> None:
        self._server = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._to_lose = 0
        self.lost = 0
        self.is_mute = False

    def lose(self, replies: int) -> None:
        self._to_lose = replies

    def __enter__(self) -> LossyProxy:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join(timeout=5)
        self._listener.close()

    def _start(self, target: object, *arguments: object) -> None:
        assert callable(target)
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                self._start(self._pass, self._listener.accept()[0])

    def _pass(self, client: socket.socket) -> None:
        with ExitStack() as stack:
            stack.enter_context(closing(client))
            server = stack.enter_context(closing(socket.create_connection(self._server)))
            while not self._closing.is_set():
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    data = ready.recv(1 << 16)
                    if not data or (ready is server and self._loses()):
                        return
                    if ready is server and self.is_mute:
                        continue
                    (client if ready is server else server).sendall(data)

    def _loses(self) -> bool:
        if self._to_lose == 0:
            return False
        self._to_lose -= 1
        self.lost += 1
        return True


@pytest.fixture
def line(unique_name: str) -> Line:
    return Line(unique_name)


@pytest.fixture
def proxy(valkey_server: ValkeyServer) -> Iterator[LossyProxy]:
    with LossyProxy(valkey_server.url) as proxy:
        yield proxy


@pytest.fixture
def store(proxy: LossyProxy, unique_name: str) -> Iterator[RedisStore]:
    store = RedisStore(RedisConnection(proxy.url, deadline_s=10, timeout_s=5))
    warm_up(store, Line(f"{unique_name}-warm"))
    yield store
    store.close()


def warm_up(store: RedisStore, line: Line) -> None:
    """Connected, every script known: a reply that is lost from now on is that of a change."""
    one, two = history(store, line, granted(store, line).token, length=2)
    store.command(line, control=a_control(line), version=a_rollback(two, one, number=3))
    token = granted(store, line).token
    store.prune(line, token=token, head=two.id, control=None, drop=[], lineages={})


@pytest.fixture
def own_server(starts_servers: None, tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path / "valkey") as server:
        yield server


def test_a_commit_whose_reply_is_lost_is_made_once(
    store: RedisStore, line: Line, proxy: LossyProxy
) -> None:
    token = granted(store, line).token
    put(store, line, b"weights")
    version = a_version(line)
    proxy.lose(1)
    assert store.commit(line, token=token, version=version) is Outcome.DUP
    assert (proxy.lost, envelopes(store, line)) == (1, [version.envelope])


def test_a_command_whose_reply_is_lost_is_obeyed_once(
    store: RedisStore, line: Line, proxy: LossyProxy
) -> None:
    one, two = history(store, line, granted(store, line).token, length=2)
    control = a_control(line, command="rollback", to="v1")
    back = a_rollback(two, one, number=3)
    proxy.lose(1)
    reply = store.command(line, control=control, version=back, idempotency_key="key")
    assert (reply.outcome, proxy.lost) == (Outcome.DUP, 1)
    assert store.head(line) == back.envelope
    assert store.audit(line, limit=5) == [control.envelope]


def test_a_line_taken_with_a_lost_reply_gives_the_token_that_holds(
    store: RedisStore, line: Line, proxy: LossyProxy
) -> None:
    proxy.lose(1)
    token = granted(store, line).token
    assert (proxy.lost, token.split(":")[0]) == (1, "1")
    assert store.renew(line, holder="host-1", token=token, lease_s=5)


def test_a_prune_and_a_segment_bear_lost_replies(
    store: RedisStore, line: Line, proxy: LossyProxy
) -> None:
    token = granted(store, line).token
    one, two = history(store, line, token, length=2)
    proxy.lose(1)
    put(store, line, b"weights" * 1000)
    proxy.lose(1)
    outcome = store.prune(line, token=token, head=two.id, control=None, drop=[one.id], lineages={})
    assert (outcome, proxy.lost) == (Outcome.OK, 2)


def test_what_cannot_be_answered_in_time_is_said(line: Line, proxy: LossyProxy) -> None:
    store = RedisStore(RedisConnection(proxy.url, deadline_s=0.3, timeout_s=0.2))
    token = granted(store, line).token
    put(store, line, b"weights")
    proxy.lose(1000)
    with pytest.raises(StoreUnavailable, match="commit"):
        store.commit(line, token=token, version=a_version(line))
    proxy.lose(0)
    assert store.commit(line, token=token, version=a_version(line)) is Outcome.DUP
    store.close()


def test_a_killed_server_keeps_what_it_acknowledged(own_server: ValkeyServer, line: Line) -> None:
    store = RedisStore(RedisConnection(own_server.url, deadline_s=20))
    token = granted(store, line).token
    head = history(store, line, token, length=5)[-1]
    own_server.kill()
    own_server.restart()
    assert store.head(line) == head.envelope
    committed(store, line, token, number=6, parent=head, model=b"after")
    store.close()


def test_hints_come_again_when_the_server_does(own_server: ValkeyServer, line: Line) -> None:
    store = RedisStore(RedisConnection(own_server.url, deadline_s=20))
    token = granted(store, line).token
    with closing(store.hints([line])) as hints:
        hints.take()
        own_server.kill()
        until(hints.take, what="the loss is noticed")
        assert hints.fileno() == -1
        own_server.restart()
        until(lambda: hints.take() and hints.fileno() >= 0, what="subscribed again")
        committed(store, line, token, number=1)
        until(hints.take, what="a hint")
    store.close()


def test_a_subscription_is_proved_and_one_that_is_silent_proves_nothing(
    line: Line, proxy: LossyProxy
) -> None:
    """Who follows a line is told to look within `sure_s`, as if there were no hints at all."""
    store = RedisStore(RedisConnection(proxy.url))
    with closing(store.hints([line], sure_s=0.1)) as hints:
        until(lambda: not hints.take(), what="it is proved")
        heard = [hints.take() for _ in range(20) if not time.sleep(0.02)]
        assert heard.count(True) <= 1  # a machine under load may answer late

        proxy.is_mute = True
        looked = [time.monotonic() for _ in range(30) if not time.sleep(0.02) and hints.take()]
        assert len(looked) >= 3
        until(lambda: hints.take() and hints.fileno() == -1, what="it is given up", limit_s=5)

        proxy.is_mute = False
        until(lambda: hints.take() and hints.fileno() >= 0, what="subscribed again", limit_s=10)
        until(lambda: not hints.take(), what="it is proved again")
    store.close()


def test_a_full_server_refuses_a_commit_whole(own_server: ValkeyServer, line: Line) -> None:
    store = RedisStore(RedisConnection(own_server.url, deadline_s=2))
    token = granted(store, line).token
    head = committed(store, line, token, number=1)
    put(store, line, b"more")
    version = a_version(line, number=2, parent=head, model=b"more")
    with Redis.from_url(own_server.url) as raw:
        raw.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            store.commit(line, token=token, version=version)
        with pytest.raises(StoreUnavailable, match="maxmemory"):
            put(store, line, b"and more")
        assert store.head(line) == head.envelope
        raw.config_set("maxmemory", 0)
    assert store.commit(line, token=token, version=version) is Outcome.OK
    store.close()


def test_a_full_server_lets_room_be_made_and_orders_be_given(
    own_server: ValkeyServer, line: Line
) -> None:
    """Whatever adds no version: leases, heartbeats, commands, pruning."""
    store = RedisStore(RedisConnection(own_server.url, deadline_s=2))
    token = granted(store, line).token
    old = committed(store, line, token, number=1)
    head = committed(store, line, token, number=2, parent=old)
    with Redis.from_url(own_server.url) as raw:
        raw.config_set("maxmemory", 1)
        assert store.renew(line, holder="h", token=token, lease_s=60)
        store.beat(line, role="learner", name="h", payload={"state": "idle"}, ttl_s=60)
        assert store.beats(line, "learner") == {"h": {"state": "idle"}}
        control = a_control(line)
        assert store.command(line, control=control).outcome is Outcome.OK
        store.release(line, holder="h", token=token)
        token = granted(store, line).token
        outcome = store.prune(
            line, token=token, head=head.id, control=control, drop=[old.id], lineages={}
        )
        assert outcome is Outcome.OK
    assert [each.id for each in store.versions(line, limit=9)] == [head.id]
    store.close()
