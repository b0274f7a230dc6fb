"""The real servers that tests share, and names of a test's own in them.

One Kafka serves all the processes that run tests: a second one would spend what the first has
spent on getting warm. Valkey begins at once, and each process has its own.
A test that kills or stops a server starts its own, `KafkaServer(tmp_path)`, and asks for
`starts_servers`. `make check` leaves out whatever asks for it, and lets nobody start a server.
"""

import fcntl
import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from checkpoints.dev_server import ValkeyServer
from stream.dev.kafka_server import KafkaServer

MIB = 1 << 20


@pytest.fixture(scope="session")
def starts_servers() -> None:
    """Asked for by all that starts Kafka, Redis, or whole processes of `weir`."""


@dataclass(frozen=True)
class SharedKafka:
    """A running Kafka that others use, too."""

    address: str


@pytest.fixture(scope="session")
def kafka_server(
    starts_servers: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedKafka]:
    """A running Kafka; `.address` is its `host:port`."""
    base = tmp_path_factory.getbasetemp()
    is_one_of_several = "PYTEST_XDIST_WORKER" in os.environ
    with _one_kafka(base.parent if is_one_of_several else base) as address:
        yield SharedKafka(address)


@contextmanager
def _one_kafka(directory: Path) -> Iterator[str]:
    """The address of the one Kafka in a directory, begun by who comes first.

    Each holds a lock that it shares with the others. Who began it ends it when it has that lock
    for itself: after all the others.
    """
    told = directory / "kafka.address"
    with (directory / "kafka.lock").open("w") as lock, ExitStack() as mine:
        with _alone(directory / "kafka.begins"):
            fcntl.flock(lock, fcntl.LOCK_SH)
            if not told.exists():
                server = mine.enter_context(KafkaServer(directory / "kafka"))
                told.write_text(server.address)
                mine.callback(told.unlink)
                mine.callback(fcntl.flock, lock, fcntl.LOCK_EX)
        yield told.read_text()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def valkey_server(
    starts_servers: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ValkeyServer]:
    """A running Valkey; `.url` is its address. Its keys are shared: use `unique_name` in them."""
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def unique_name(request: pytest.FixtureRequest) -> str:
    """A name that no other test has, fit for a model, a topic or a key."""
    test = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    return f"{test}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def make_topic(kafka_server: SharedKafka, unique_name: str) -> Callable[..., str]:
    """`make_topic(partitions=1, suffix="events")`: a new topic's name, its partitions led."""

    def make(*, partitions: int = 1, suffix: str = "events", bytes_max: int = 16 * MIB) -> str:
        topic = f"{unique_name}.{suffix}"
        with closing(KafkaAdminClient(bootstrap_servers=kafka_server.address)) as admin:
            options = {
                "num_partitions": partitions,
                "replication_factor": 1,
                "configs": {"max.message.bytes": str(bytes_max)},
            }
            admin.create_topics({topic: options}, wait_for_metadata=True)
        return topic

    return make
