"""The same commands on a real server: what the scripts compare and write."""

import threading
import time
from collections.abc import Iterator

import pytest

from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import Conflict, NotInForce
from checkpoints.operating.in_force import Enforcement
from checkpoints.operating.operator import Operator
from checkpoints.reading.reader import LineReader
from checkpoints.records.line import Line
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from tests.checkpoints.builders import OPERATOR, VERIFIER, granted, history
from tests.checkpoints.operators import order


@pytest.fixture
def line(unique_name: str) -> Line:
    return Line(unique_name)


@pytest.fixture
def store(valkey_server: ValkeyServer) -> Iterator[RedisStore]:
    store = RedisStore(RedisConnection(valkey_server.url))
    yield store
    store.close()


@pytest.fixture
def versions(store, line):
    return history(store, line, granted(store, line).token, length=5)


def operator(store: RedisStore, who: str = "ann", **more) -> Operator:
    return Operator(store, OPERATOR, VERIFIER, who=who, **more)


def test_a_day_of_commands(store, line, versions):
    """Pin, tag, roll back, repeat, freeze, unpin; a reader follows each."""
    reader = LineReader(store, VERIFIER, line)
    ann = operator(store)

    ann.run(line, order("pin", "v2"))
    assert reader.checked().serving == versions[1]
    ann.run(line, order("tag", "v1", tag="stable"))
    back = ann.run(line, order("rollback", "stable"), idempotency_key="k" * 500)
    assert ann.run(line, order("rollback", "stable"), idempotency_key="k" * 500) == back
    assert (back["version"], back["unpinned"], back["forgotten"]) == ("v6", "v2", 40)
    assert reader.checked().head.number == reader.checked().serving.number == 6
    ann.run(line, order("freeze", expect="v6"))
    with pytest.raises(Conflict, match="rollback"):
        ann.run(line, order("thaw", expect="v5"))
    ann.run(line, order("unpin"))

    audit = [control.record.command.command for control in reader.audit(limit=9)]
    assert audit == ["unpin", "freeze", "rollback", "tag", "pin"]
    assert reader.checked().is_frozen
    assert reader.refusals == 0


def test_operators_at_once_lose_nothing(store, line, versions):
    """Four at a time, each command stands once, and the records are one chain."""
    failed: list[Exception] = []

    def work(who: str) -> None:
        try:
            for number in range(1, 6):
                operator(store, who).run(line, order("pin", f"v{number}"))
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(f"op{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    records = [c.record for c in LineReader(store, VERIFIER, line).audit(limit=100)]
    assert failed == []
    assert [record.seq for record in records] == list(range(20, 0, -1))


def test_it_is_in_force_when_the_api_says_so(store, line, versions):
    """Beats come and go by the server's clock."""
    store.beat(line, role="api", name="dead", payload={"control_seq": 0}, ttl_s=0.3)
    began = time.monotonic()
    operator(store).run(line, order("pin", "v1"))
    assert 0.1 < time.monotonic() - began < 5

    store.beat(line, role="api", name="stuck", payload={"control_seq": 0}, ttl_s=30)
    with pytest.raises(NotInForce, match="api stuck"):
        operator(store, enforcement=Enforcement(store=store, limit_s=0.1)).run(
            line, order("pin", "v2")
        )
