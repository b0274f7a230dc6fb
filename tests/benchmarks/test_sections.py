"""Every benchmark still measures: each in seconds, on counts that tell nothing about speed."""

from pathlib import Path

import pytest

from benchmarks import flames, recovery, throughput
from benchmarks.bench import Place
from benchmarks.filling import Streams
from benchmarks.journal import Journal
from benchmarks.long import curve
from benchmarks.parity import Servers
from benchmarks.peers.__main__ import compare
from benchmarks.scale import TINY
from benchmarks.sizes import at_size
from checkpoints.embedded import ValkeyServer
from stream.embedded.kafka import KafkaServer

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def at(
    kafka_server: KafkaServer, valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory
) -> Place:
    """A place in the servers that tests share."""
    servers = Servers(
        kafka=kafka_server.address,
        redis=valkey_server.url,
        folder=tmp_path_factory.mktemp("benchmarks"),
    )
    return Place(servers=servers, streams=Streams(servers.kafka), scale=TINY, run=0)


@pytest.mark.parametrize("name", ["logistic regression", "VW, text"])
def test_a_learner_and_its_bare_loop(at: Place, name: str) -> None:
    found = throughput.speed(name, at.servers, at.streams, run=0, scale=TINY)

    assert all(value > 0 for value in found.values())
    assert found[f"{name}: Kafka to learned ÷ bare loop"] == pytest.approx(
        found[f"{name}: Kafka to learned, events/s"] / found[f"{name}: bare loop, events/s"]
    )


def test_a_size(at: Place) -> None:
    """Every commit is told apart, and versions grow old."""
    found = at_size("0", at.servers, at.streams, run=0, scale=TINY)

    assert all(value > 0 for value in found.values())


def test_starts_and_deaths(at: Place) -> None:
    """With servers that stand, and with those of `weir dev`."""
    found = {
        **recovery.cold_start(at.servers, at.streams, run=0, scale=TINY),
        **recovery.standby(at.servers, at.streams, run=0, scale=TINY),
    }

    assert all(value > 0 for value in found.values())


def test_deaths_under_weir_dev(tmp_path: Path) -> None:
    found = recovery.under_dev(tmp_path, run=0, scale=TINY)

    assert all(value > 0 for value in found.values())


def test_a_curve_is_gone_on_with(tmp_path: Path) -> None:
    """Each step is kept; what is there is not measured again."""
    journal = Journal(tmp_path / "journal", "tiny")
    curve(journal, tmp_path / "servers", 20_000)
    measured = [part["events"] for part in journal.parts]
    assert measured == list(range(2_000, 20_001, 2_000))

    journal = Journal(tmp_path / "journal", "tiny")
    journal.parts = journal.parts[:-1]
    curve(journal, tmp_path / "servers", 20_000)
    assert [part["events"] for part in journal.parts] == measured


def test_weir_is_asked_as_its_peers_are(at: Place) -> None:
    """The others need environments of their own."""
    (found,) = compare(at.servers, [], rounds=1, scale=TINY)["Weir"]

    assert found.failed == 0
    assert 0 < found.client_share < 1


def test_flame_graphs(at: Place, tmp_path: Path) -> None:
    for path in flames.profile(at, "logistic regression", seconds=1, out=tmp_path):
        assert path.read_text().startswith("<?xml")
