"""Loader and workers as processes: what ends, what is replaced, what their clients notice."""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPResponse

import httpx
import pytest

from checkpoints.dev_server import ValkeyServer
from tests import web
from tests.api.hosting import HEAVY, Host, hosting
from tests.api.running import Learning, until, until_said
from tests.config.processes.waiting import is_running
from tests.servers import SharedKafka


@pytest.fixture(scope="module", params=[1, 3])
def host(request: pytest.FixtureRequest, valkey_server: ValkeyServer) -> Iterator[Host]:
    workers = request.param
    with hosting(valkey_server.url, f"light-{workers}", workers=workers) as found:
        until(lambda: len(found.workers) == workers)
        yield found


@pytest.fixture(scope="module")
def heavy(valkey_server: ValkeyServer) -> Iterator[Host]:
    with hosting(valkey_server.url, "heavy", model=HEAVY, workers=3) as found:
        until(lambda: len(found.workers) == 3)
        yield found


@contextmanager
def clients(count: int) -> Iterator[list[httpx.Client]]:
    """Clients, each of which keeps its connection."""
    with ExitStack() as held:
        yield [held.enter_context(httpx.Client()) for _ in range(count)]


@contextmanager
def asking(host: Host, connections: int = 4) -> Iterator[list[str]]:
    """Clients that ask all the time on connections that they keep; the versions they met."""
    seen: list[str] = []
    failed: list[Exception] = []
    is_over = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=10) as client:
            while not is_over.is_set():
                try:
                    seen.append(host.ask(client)["version"])
                except Exception as error:  # the border of this thread: told below
                    failed.append(error)
                    return

    threads = [threading.Thread(target=ask) for _ in range(connections)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    assert failed == []


def test_every_answer_after_a_command_is_by_what_it_orders(host: Host) -> None:
    with clients(6) as six:
        newest = host.commit()
        until(lambda: all(host.ask(client)["version"] == newest for client in six))

        for command, fields in (("pin", {"to": "v1"}), ("unpin", {})):
            serving = host.order(command, **fields)["serving"]
            assert {host.ask(client)["version"] for client in six} == {serving}


def test_ready_means_that_whichever_worker_is_asked_can_answer(valkey_server: ValkeyServer) -> None:
    with hosting(
        valkey_server.url, "begins", model=HEAVY, workers=3, is_begun=False
    ) as host, httpx.Client() as client:  # fmt: skip
        until(lambda: len(host.workers) == 3)
        sleeper = host.workers[0]  # it may let somebody in at any time, and has no version
        os.kill(sleeper, signal.SIGSTOP)
        host.commit()
        # Stopped before it was first heard of, it holds the next generation up for 30 s.
        ready = f"{host.url}/readyz"
        until_said(lambda: client.get(ready).text, "another worker of this host", limit_s=60)
        os.kill(sleeper, signal.SIGCONT)
        until(host.is_ready)

        assert {host.ask()["version"] for _ in range(30)} == {"v1"}


def test_an_order_is_in_force_when_no_worker_may_answer_by_another_any_more(heavy: Host) -> None:
    newest = heavy.commit()
    until(lambda: heavy.serves(newest))
    until(lambda: len(heavy.workers) == 3)
    sleeper = heavy.workers[0]
    os.kill(sleeper, signal.SIGSTOP)
    with ThreadPoolExecutor() as pool:
        order = pool.submit(heavy.order, "rollback", to="v1", mode="forget")
        with httpx.Client() as client:
            until(lambda: heavy.ask(client)["version"] != newest)  # the others obey
        with pytest.raises(TimeoutError):
            order.result(timeout=0.5)
        os.kill(sleeper, signal.SIGCONT)

        assert heavy.serves(order.result()["version"])


def test_a_killed_worker_is_replaced_and_what_it_counted_is_not_lost(host: Host) -> None:
    until(lambda: len(host.workers) == host.size)  # no generation is being made
    before = host.counted()
    for _ in range(30):
        host.ask()
    pid = host.workers[0]
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid not in host.workers and len(host.workers) == host.size)

    assert host.counted() == before + 30
    until(host.is_ready)
    assert host.ask()["version"]


def test_a_worker_that_is_told_to_end_leaves_its_connections_to_others(host: Host) -> None:
    with httpx.Client() as client, asking(host, 2):
        host.ask(client)
        for pid in host.workers:
            os.kill(pid, signal.SIGTERM)
            until(lambda pid=pid: pid not in host.workers)
        assert host.ask(client)["version"]


def _commit(learning: Learning) -> str:
    learning.learn([({"https": 1}, True)])
    return learning.commit().manifest.name


def _status(link: socket.socket) -> int:
    """Of the next answer, which is read to its end."""
    with HTTPResponse(link, method="POST") as answer:
        answer.begin()
        answer.read()
        return answer.status


def test_a_request_under_way_is_finished_and_its_connection_goes_on(host: Host) -> None:
    body = json.dumps({"features": {"https": 1}}).encode()
    head = (
        f"POST /v1/models/{host.name}/predict HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode()
    port = int(host.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as link:
        until(lambda: len(host.workers) == host.size)
        old = host.workers
        link.sendall(head + body)
        assert _status(link) == 200
        link.sendall(head + body[:5])
        until(lambda: host.in_progress() == 2)  # it, and the one that asks
        for pid in old:
            os.kill(pid, signal.SIGTERM)
        until(lambda: len(set(host.workers) - set(old)) == host.size and host.is_ready())
        until(lambda: len(set(host.workers) & set(old)) == 1)  # it waits for the rest

        link.sendall(body[5:])
        assert _status(link) == 200
        until(lambda: not set(host.workers) & set(old))
        link.sendall(head + body)
        assert _status(link) == 200


def test_a_version_that_does_not_load_leaves_the_old_one_serving(host: Host) -> None:
    good = host.ask()["version"]
    bad = host.commit(software={"river": "0.1.0"})
    failed = f'weir_model_loads_total{{model="{host.name}",outcome="failed"}} 1.0'
    until(lambda: failed in host.metrics())

    assert web.get(host.path).json()["version"] == bad
    assert {host.ask()["version"] for _ in range(10)} == {good}
    assert host.is_ready()
    newest = host.commit()
    until(lambda: host.serves(newest))


def test_a_large_model_swaps_under_load_and_no_request_fails(heavy: Host) -> None:
    workers = set(heavy.workers)
    with asking(heavy) as seen:
        for _ in range(3):
            newest = heavy.commit()
            until(lambda newest=newest: seen and seen[-1] == newest)
    assert len(set(seen)) >= 4
    until(lambda: len(heavy.workers) == 3)
    assert not workers & set(heavy.workers)


def test_a_connection_that_rests_is_not_answered_by_an_old_model(heavy: Host) -> None:
    with clients(8) as eight:
        newest = heavy.commit()
        until(lambda: all(heavy.ask(client)["version"] == newest for client in eight))

        version = heavy.order("rollback", to="v1", mode="forget")["version"]

        assert {heavy.ask(client)["version"] for client in eight} == {version}


def test_a_version_that_is_kept_warm_comes_back(heavy: Host) -> None:
    newest = heavy.commit()
    until(lambda: heavy.serves(newest))
    heavy.order("tag", to=newest, tag="stable")
    other = heavy.commit()
    until(lambda: heavy.serves(other))

    version = heavy.order("rollback", to=newest, mode="forget")["version"]

    assert heavy.serves(version)


def test_workers_have_what_is_kept_warm_and_need_only_be_told(heavy: Host) -> None:
    old = heavy.commit()
    until(lambda: heavy.serves(old))
    newest = heavy.commit()
    until(lambda: heavy.serves(newest))
    until(lambda: len(heavy.workers) == 3)
    without = set(heavy.workers)
    heavy.order("tag", to=old, tag="stable")  # loaded beside what is served
    until(lambda: len(heavy.workers) == 3 and not without & set(heavy.workers))
    workers = heavy.workers

    version = heavy.order("rollback", to=old, mode="forget")["version"]

    with clients(8) as eight:
        assert {heavy.ask(client)["version"] for client in eight} == {version}
    assert heavy.workers == workers


def test_more_large_models_than_workers_are_kept_reach_them(valkey_server: ValkeyServer) -> None:
    model = HEAVY.replace("of_4_mb", "of_300_kb")  # loaded faster than a worker begins
    with hosting(valkey_server.url, "many", model=model, models=8) as host, asking(host) as seen:
        most = 0
        for _ in range(5):
            newest = {each.model_file.name: _commit(each) for each in host.learnings}
            most = max(most, len(host.workers))
        until(lambda: host.versions() == newest, limit_s=5)
        until(lambda: len(host.workers) == 1)

        assert most <= 2 + 4  # one that answers, one that begins, and those that end
        assert len(set(seen)) > 2


def test_the_end_of_the_loader_is_the_end_of_its_workers(valkey_server: ValkeyServer) -> None:
    with hosting(valkey_server.url, "killed", workers=3) as host:
        workers = host.workers
        host.process.kill()
        host.process.wait(10)
        until(lambda: not any(map(is_running, workers)))


def test_sigterm_ends_all_in_order(valkey_server: ValkeyServer) -> None:
    with hosting(valkey_server.url, "ended", workers=3) as host:
        workers = host.workers
        with httpx.Client() as client:
            host.ask(client)
            host.process.send_signal(signal.SIGTERM)
            until(lambda: client.get(f"{host.url}/readyz").status_code == 503)
            assert host.ask(client)["version"] == "v1"
        assert host.process.wait(10) == 0
        assert not any(map(is_running, workers))
        beats = host.store.beats(host.learning.line, "api").values()
        assert {beat["state"] for beat in beats} <= {"stopped"}


def test_who_comes_when_all_is_about_to_end_is_refused_at_once(
    valkey_server: ValkeyServer,
) -> None:
    with hosting(valkey_server.url, "closing", workers=2) as host:
        address = ("127.0.0.1", int(host.url.rpartition(":")[2]))
        with socket.create_connection(address) as slow:  # keeps its worker for some seconds
            slow.sendall(b"POST /v1/models/closing/predict HTTP/1.1\r\nHost: localhost\r\n")
            until(lambda: len(host.workers) == 2)
            host.process.send_signal(signal.SIGTERM)
            until(lambda: _is_refused(address), limit_s=3)
            assert host.process.poll() is None


def _is_refused(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_each_worker_publishes_events_by_a_producer_of_its_own(
    valkey_server: ValkeyServer,
    kafka_server: SharedKafka,
    make_topic: Callable[..., str],
    unique_name: str,
) -> None:
    make_topic(suffix="events")
    event = {"features": {"https": 1}, "label": True}
    with (
        hosting(valkey_server.url, unique_name, workers=2, kafka=kafka_server.address) as host,
        clients(8) as eight,
    ):
        answers = [client.post(f"{host.path}/events", json=event, timeout=30) for client in eight]
        assert [answer.status_code for answer in answers] == [202] * 8
        offsets = [answer.json()["items"][0]["offset"] for answer in answers]
        assert offsets == list(range(8))
        host.process.send_signal(signal.SIGTERM)
        assert host.process.wait(15) == 0
