"""The real servers that tests share, one of each a session, and names of a test's own in them.

A test that kills or stops a server starts its own, `KafkaServer(tmp_path)`, and asks for
`starts_servers`. `make check` leaves out whatever asks for it, and lets nobody start a server.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from kafka import KafkaAdminClient

from checkpoints.dev_server import ValkeyServer
from stream.dev.kafka_server import KafkaServer

MIB = 1 << 20


@pytest.fixture(scope="session")
def starts_servers() -> None:
    """Asked for by all that starts Kafka, Redis, or whole processes of `weir`."""


@pytest.fixture(scope="session")
def kafka_server(
    starts_servers: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KafkaServer]:
    """A running Kafka; `.address` is its `host:port`."""
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server


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
def make_topic(kafka_server: KafkaServer, unique_name: str) -> Callable[..., str]:
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
