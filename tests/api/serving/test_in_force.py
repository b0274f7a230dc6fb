"""An order says in force when it is: also when an API stands still, starts, or is killed."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from msgspec.structs import replace

from api.processes.handover import listen
from api.processes.heartbeat import Beats, name_of
from api.processes.loader import run_api
from api.serving.served import ServedPosition
from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import StoreUnavailable
from checkpoints.records.line import Line
from checkpoints.stores.heads import Position
from checkpoints.stores.in_memory.store import MemoryStore
from checkpoints.stores.presence import BEAT_SHOWN_S
from config.model_file import parse_model_file
from tests.api.hosting import Host, hosting
from tests.api.running import KEYS, PHISHING, by_line, settings_of, until

LINE = Line("phishing")
FIRST, NEXT = ServedPosition(1, 1, "a" * 64), ServedPosition(2, 2, "b" * 64)


class FragileStore(MemoryStore):
    """A store that can be away."""

    is_away = False
    beaten = 0

    def beat(self, *given: object, **named: object) -> None:
        self.beaten += 1
        if self.is_away:
            raise StoreUnavailable("redis://nowhere", doing="beat", cause="it is away")
        super().beat(*given, **named)


def test_beats_stand_until_the_store_is_away_and_are_all_said_anew() -> None:
    store = FragileStore()
    beats = Beats(store, lambda: 0, name="one")
    assert not beats.stand
    beats.say({LINE: FIRST})
    assert beats.stand
    beats.say({LINE: FIRST})
    assert store.beaten == 1

    store.is_away = True
    beats.say({LINE: NEXT})
    assert not beats.stand
    assert beats.unheard is None
    beats.say({LINE: NEXT})
    assert store.beaten == 2  # it is not asked again at once

    store.is_away = False
    until(lambda: beats.rests_s == 0)
    beats.say({LINE: NEXT})
    assert beats.stand
    assert store.beats(LINE, "api")["one"]["control_seq"] == 2


def test_a_store_that_was_never_there_is_told() -> None:
    store = FragileStore()
    store.is_away = True
    beats = Beats(store, lambda: 0, name="one")
    beats.say({LINE: FIRST})
    assert "away" in str(beats.unheard)


def test_the_next_at_one_place_has_the_same_name_and_others_have_others() -> None:
    with listen("127.0.0.1", 0) as door:
        name, port = name_of(door), door.getsockname()[1]
        assert name.startswith(f"{socket.gethostname()}:{port} ")
        with listen("127.0.0.2", port) as beside:
            assert name_of(beside) != name
    with listen("127.0.0.1", port) as door:
        assert name_of(door) == name


class Looked(Exception):
    """The loader looked where the lines stand so many times."""


class Watched(FragileStore):
    """Ends the loader at its `looks`th look, telling what operators see of it then."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.left = looks
        self.goes_away = False

    def poll(self, lines: Sequence[Line]) -> dict[Line, Position]:
        self.left -= 1
        if self.left == 0:
            raise Looked(self.beats(LINE, "api"))
        if self.goes_away:  # and comes back without any heartbeat
            self._lines.clear()
            raise StoreUnavailable("redis://nowhere", doing="look", cause="it is away")
        return super().poll(lines)


def run(store: MemoryStore, *, start_wait_s: float = 0.3) -> None:
    learner = replace(settings_of().learner, start_wait_seconds=start_wait_s)
    settings = replace(settings_of(port=0), learner=learner)
    run_api(settings, by_line(parse_model_file(PHISHING)), store, KEYS, None)


def test_operators_see_an_api_before_it_looks_at_what_they_order() -> None:
    with pytest.raises(Looked) as caught:
        run(Watched(looks=1))
    (beat,) = caught.value.args[0].values()
    assert (beat["state"], beat["control_seq"], beat["serving"]) == ("serving", 0, None)


def test_after_an_outage_operators_see_it_before_it_looks_again() -> None:
    store = Watched(looks=3)
    store.goes_away = True
    with pytest.raises(Looked) as caught:
        run(store, start_wait_s=30.0)
    assert len(caught.value.args[0]) == 1


def test_an_api_that_operators_cannot_see_looks_at_nothing() -> None:
    store = Watched(looks=1)
    store.is_away = True
    with pytest.raises(StoreUnavailable):
        run(store)
    assert store.left == 1


@pytest.fixture(scope="module")
def host(valkey_server: ValkeyServer) -> Iterator[Host]:
    with hosting(valkey_server.url, "in-force", workers=2) as found:
        yield found


def test_a_loader_that_stands_still_is_waited_for_while_its_workers_answer(host: Host) -> None:
    newest = host.commit()
    until(lambda: host.serves(newest))
    until(lambda: len(host.workers) == 2)
    os.kill(host.process.pid, signal.SIGSTOP)
    time.sleep(BEAT_SHOWN_S + 0.5)
    with ThreadPoolExecutor() as pool:
        order = pool.submit(host.order, "rollback", to="v1", mode="forget")
        with pytest.raises(TimeoutError):
            order.result(timeout=1.0)
        assert host.serves(newest)  # so it is not in force
        os.kill(host.process.pid, signal.SIGCONT)

        assert host.serves(order.result(timeout=5)["version"])


def test_no_answer_is_older_than_an_order_that_was_in_force_when_it_was_asked(host: Host) -> None:
    """While the API is killed and starts, and orders come all the time."""
    host.commit()
    floor, too_old, answered, is_over = [0], [], [0], threading.Event()

    def ask() -> None:
        while not is_over.is_set():
            due = floor[0]
            try:
                found = int(host.ask()["version"][1:])
            except (httpx.TransportError, AssertionError):  # it starts, and has none yet
                time.sleep(0.002)
                continue
            answered[0] += 1
            if found < due:
                too_old.append((due, found))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: answered[0] > 0)
        host.start_again()
        give_up_at, orders_since = time.monotonic() + 60, 0
        while orders_since < 5 and time.monotonic() < give_up_at:
            floor[0] = int(host.order("rollback", to="v1", mode="forget")["version"][1:])
            orders_since += host.is_ready()
            time.sleep(0.01)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()

    assert orders_since == 5
    assert too_old == []
    assert [beat["pid"] for beat in host.beats()] == [host.process.pid]  # the old one's is its own
