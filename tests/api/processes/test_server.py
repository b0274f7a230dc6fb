"""The server itself: slow, huge, broken and too many requests; start and end."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from api.app import create_app
from api.http import guard
from api.processes import http_protocol as receive_deadline
from api.processes.handover import AddressTakenError, Passage, listen
from api.processes.loader import run_api
from api.processes.server import make_server
from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import StoreUnavailable
from checkpoints.stores.in_memory.store import MemoryStore
from config.errors import SettingsError
from config.model_file import parse_model_file
from tests import web
from tests.api.hosting import hosting
from tests.api.running import (
    KEYS,
    PHISHING,
    Running,
    by_line,
    running,
    settings_of,
    until,
    until_said,
)

CLIENTS = 40
PATH = "/v1/models/phishing/predict"
MODELS = by_line(parse_model_file(PHISHING))
_UNFINISHED = (
    b"POST /v1/models/phishing/predict HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
)


@contextlib.contextmanager
def connection(api: Running) -> Iterator[socket.socket]:
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as found:
        yield found


def everything(link: socket.socket) -> bytes:
    """All that the server sends until it hangs up."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := link.recv(65536):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (b"", b"head"),
        (b"\r\n", b"head"),
        (b"GET /livez HTTP/1.1\r\nHost: localhost\r\n", b"head"),
        (_UNFINISHED, b"body"),
    ],
)
def test_who_does_not_finish_a_request_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, sent: bytes, what: bytes
) -> None:
    monkeypatch.setattr(receive_deadline, "HEAD_S", 0.2)
    monkeypatch.setattr(receive_deadline, "BODY_S", 0.2)
    with running() as api, connection(api) as link:
        link.sendall(sent)
        answer = everything(link)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"the request's " + what in answer
        assert api.post(PATH, {"features": {}}).status_code == 200


def test_a_request_that_trickles_is_cut_off_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_deadline, "HEAD_S", 0.3)
    with running() as api, connection(api) as link:
        link.settimeout(0.02)
        began, answer = time.monotonic(), b""
        for letter in b"GET /livez HTTP/1.1\r\nX-Long: " + b"a" * 10_000:
            try:
                link.sendall(bytes([letter]))
                answer = link.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if answer:
                break
        assert time.monotonic() - began < 5
        assert not answer or answer.startswith(b"HTTP/1.1 408")


def test_a_connection_that_rests_between_requests_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_deadline, "HEAD_S", 0.2)
    request = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with running() as api, connection(api) as link:
        for _ in range(3):
            link.sendall(request)
            assert link.recv(65536).startswith(b"HTTP/1.1 200")
            rested_at = time.monotonic() + 0.3
            until(lambda rested_at=rested_at: time.monotonic() > rested_at)


def test_a_head_without_end_is_cut_off(api: Running) -> None:
    with connection(api) as link:
        link.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 70_000)
        assert everything(link).startswith(b"HTTP/1.1 431")


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01", b"HELLO\r\n\r\n", b"GET\r\n\r\n"])
def test_what_is_no_http_is_answered_by_a_problem(api: Running, sent: bytes) -> None:
    with connection(api) as link:
        link.sendall(sent)
        answer = everything(link)
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"application/problem+json" in answer


def test_too_many_connections_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receive_deadline, "CONNECTIONS_MAX", 2)
    with running(learned=0) as api, connection(api), connection(api), connection(api) as third:
        assert everything(third).startswith(b"HTTP/1.1 503")


def test_too_many_requests_are_shed_but_probes_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "IN_PROGRESS_MAX", 0)
    with running() as api:
        answer = api.post(PATH, {"features": {}})
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert answer.headers["retry-after"] == "1"
        assert api.get("/readyz").status_code == 200


@pytest.mark.parametrize("size", [(1 << 20) + 1, 10 << 20])
def test_a_body_over_the_limit_is_refused_after_it_was_read(api: Running, size: int) -> None:
    answer = api.post(PATH, b"x" * size)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_body_of_unknown_length_is_limited_too(api: Running) -> None:
    headers = {"content-type": "application/json"}
    chunks = (b"x" * 65536 for _ in range(40))
    answer = api.client.post(PATH, content=chunks, headers=headers)
    assert answer.status_code == 413


def test_a_client_that_asks_before_it_sends_is_spared_the_upload(api: Running) -> None:
    with connection(api) as link:
        link.sendall(
            b"POST /v1/models/phishing/predict HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 99999999\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert link.recv(65536).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("announced", [10**9, 10**18, 10**19, 10**30, "0" * 20 + "9" * 20])
def test_a_body_announced_as_absurdly_large_is_refused_at_once(
    api: Running, announced: int | str
) -> None:
    """Nothing of it is waited for, and the connection is closed."""
    with connection(api) as link:
        link.sendall(
            b"POST /v1/models/phishing/predict HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: %s\r\n\r\n{" % str(announced).encode()
        )
        answer = everything(link)
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in answer
        assert b'"code":"too_large"' in answer


def test_a_client_that_hangs_up_leaves_no_trace(api: Running) -> None:
    for _ in range(3):
        with connection(api) as link:
            link.sendall(_UNFINISHED)
    until_said(lambda: api.get("/metrics").text, "weir_http_requests_in_progress 1.0")


def test_at_the_end_it_is_not_ready_before_it_stops() -> None:
    with running() as api:
        api.server._drain_s = 0.5
        api.server.begin_drain()
        answer = api.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert api.post(PATH, {"features": {}}).status_code == 200


def test_a_taken_port_is_told_by_its_number() -> None:
    door = listen("127.0.0.1", 0)
    port = door.getsockname()[1]
    try:
        with pytest.raises(AddressTakenError, match=str(port)):
            listen("127.0.0.1", port)
    finally:
        door.close()


def test_what_may_not_start_does_not() -> None:
    with pytest.raises(SettingsError) as caught:
        run_api(
            settings_of(host="0.0.0.0"),
            MODELS,
            MemoryStore(),
            KEYS,
            None,
        )
    assert caught.value.exit_code == 2


class AwayStore(MemoryStore):
    """A store that never answers."""

    def poll(self, lines: object) -> dict[object, object]:
        raise StoreUnavailable("redis://nowhere", doing="look", cause="it is away")

    def beat(self, *args: object, **kwargs: object) -> None:
        raise StoreUnavailable("redis://nowhere", doing="beat", cause="it is away")


def test_a_store_that_never_answers_ends_the_process_with_code_5() -> None:
    settings = replace(
        settings_of(port=0), learner=replace(settings_of().learner, start_wait_seconds=0.3)
    )
    with pytest.raises(StoreUnavailable) as caught:
        run_api(settings, MODELS, AwayStore(), KEYS, None)
    assert caught.value.exit_code == 5


class BrokenStore(MemoryStore):
    """A store with a fault of ours."""

    def poll(self, lines: object) -> dict[object, object]:
        raise ZeroDivisionError


def test_a_fault_in_following_ends_the_process() -> None:
    with pytest.raises(ZeroDivisionError):
        run_api(settings_of(port=0), MODELS, BrokenStore(), KEYS, None)


PROGRAM = """
import sys
from api.processes.loader import run_api
from api.processes.server import make_server
from checkpoints.stores.in_memory.store import MemoryStore
from config.model_file import parse_model_file
from tests.api.hosting import hosting
from tests.api.running import by_line, KEYS, PHISHING, settings_of
settings = settings_of(port=int(sys.argv[1]))
sys.exit(run_api(settings, by_line(parse_model_file(PHISHING)), MemoryStore(), KEYS, None))
"""


def test_sigterm_ends_the_process_with_code_0(starts_servers: None) -> None:
    door = listen("127.0.0.1", 0)
    port = door.getsockname()[1]
    door.close()
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, str(port)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(command, env=environment) as process:
        try:
            until(lambda: _is_live(port), limit_s=60)
            process.send_signal(signal.SIGTERM)
            assert process.wait(15) == 0
        finally:
            process.kill()


def test_what_a_killed_process_left_in_memory_is_cleared_by_the_next(
    valkey_server: ValkeyServer, unique_name: str
) -> None:
    """Its private folder, where models are loaded from, goes when another API starts."""
    with hosting(valkey_server.url, unique_name) as host:
        (left,) = Path("/dev/shm").glob(f"weir-{host.process.pid}-*")
        host.process.kill()
        host.process.wait()
    assert left.exists()

    with hosting(valkey_server.url, f"{unique_name}-next"):
        assert not left.exists()


def _is_live(port: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return web.get(f"http://127.0.0.1:{port}/livez").status_code == 200
    return False


def test_who_is_on_the_way_in_when_a_worker_leaves_goes_to_the_next_as_well() -> None:
    with contextlib.ExitStack() as held:
        door = held.enter_context(listen("127.0.0.1", 0))
        passage = held.enter_context(contextlib.closing(Passage()))
        for _ in range(CLIENTS):
            held.enter_context(socket.create_connection(door.getsockname()))
        app = create_app(settings_of(), MODELS, MemoryStore(), KEYS, None)
        left: list[int] = []

        def leave_amid_arrivals() -> None:
            asyncio.get_running_loop().call_later(0.001, server.hand_over)

        server = make_server(
            app, door, passage,
            on_open=leave_amid_arrivals, on_left=lambda: left.append(len(taken(passage.take))),
        )  # fmt: skip
        server.run()

        assert taken(passage.take) == []
        assert left == [CLIENTS - len(taken(door.accept))]


def taken(take: Callable[[], tuple[socket.socket, object]]) -> list[socket.socket]:
    """All that wait there, closed."""
    found = []
    with contextlib.suppress(BlockingIOError):
        while True:
            found.append(take()[0])
            found[-1].close()
    return found
