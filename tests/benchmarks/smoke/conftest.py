"""Where the benchmarks of the tests measure."""

import pytest

from benchmarks.bench import Place
from benchmarks.filling import Streams
from benchmarks.parity import Servers
from benchmarks.scale import TINY
from checkpoints.dev_server import ValkeyServer
from tests.servers import SharedKafka


@pytest.fixture(scope="module")
def at(
    kafka_server: SharedKafka, valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Place:
    """A place in the servers that tests share."""
    servers = Servers(
        kafka=kafka_server.address,
        redis=valkey_server.url,
        folder=tmp_path_factory.mktemp("benchmarks"),
    )
    return Place(servers=servers, streams=Streams(servers.kafka), scale=TINY, run=0)
