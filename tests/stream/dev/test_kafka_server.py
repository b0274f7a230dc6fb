"""One node of Kafka: it keeps what it acknowledged, and takes what the design says it takes."""

import os
import signal
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import MessageSizeTooLargeError

from config.processes.child import NotReadyError, free_port
from stream.dev.jars import fetch_jars, user_cache
from stream.dev.kafka_server import (
    KafkaServer,
    find_java,
    is_ready,
    prepare,
    server_properties,
    wait_ready,
)
from tests.servers import SharedKafka

MIB = 1 << 20


def _send(address: str, topic: str, *values: bytes) -> None:
    with closing(KafkaProducer(bootstrap_servers=address, max_request_size=32 * MIB)) as producer:
        for value in values:
            producer.send(topic, value).get(timeout=20)


def _read(address: str, topic: str, count: int) -> list[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=address, consumer_timeout_ms=10_000)
    with closing(consumer):
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek_to_beginning()
        return [record.value for record in islice(consumer, count)]


def test_acknowledged_records_survive_kill_and_stop(starts_servers: None, tmp_path: Path) -> None:
    """Whatever ends the node, the same directory brings back every record, on the same address."""
    with KafkaServer(tmp_path / "a, b=é") as server:
        with closing(KafkaAdminClient(bootstrap_servers=server.address)) as admin:
            admin.create_topics(
                {"t": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
            )
        _send(server.address, "t", b"one")
        server.kill()
        assert not is_ready(server.address)
        server.start()
        _send(server.address, "t", b"two")
        server.restart()

        assert _read(server.address, "t", 2) == [b"one", b"two"]


def test_a_new_port_and_the_old_state(starts_servers: None, tmp_path: Path) -> None:
    """The port belongs to a start, not to the directory."""
    first = KafkaServer(tmp_path)
    with first, closing(KafkaAdminClient(bootstrap_servers=first.address)) as admin:
        admin.create_topics(
            {"t": {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
        )
        _send(first.address, "t", b"one")
    with KafkaServer(tmp_path) as second:
        assert second.address != first.address
        assert _read(second.address, "t", 1) == [b"one"]


def test_sizes_are_the_topics_own(kafka_server: SharedKafka, make_topic) -> None:
    """The node itself stands in the way of no event (16 MiB) and no dead letter (17 MiB)."""
    dead_letters = make_topic(bytes_max=17 * MIB + 64 * 1024)
    _send(kafka_server.address, dead_letters, b"x" * 17 * MIB)
    assert len(_read(kafka_server.address, dead_letters, 1)[0]) == 17 * MIB

    small = make_topic(suffix="small", bytes_max=MIB)
    with pytest.raises(MessageSizeTooLargeError):
        _send(kafka_server.address, small, b"x" * 2 * MIB)


def test_topics_are_never_made_by_accident(kafka_server: SharedKafka, unique_name: str) -> None:
    """A misspelt topic is an error, not a new topic."""
    with closing(KafkaAdminClient(bootstrap_servers=kafka_server.address)) as admin:
        admin.describe_topics([unique_name])
        assert unique_name not in admin.list_topics()


def test_wait_ready_gives_up_at_its_deadline() -> None:
    """Nothing listens: the error names the address."""
    address = f"127.0.0.1:{free_port()}"

    with pytest.raises(NotReadyError, match=address):
        wait_ready(address, time.monotonic())


def test_a_node_that_cannot_start_says_why(starts_servers: None, tmp_path: Path) -> None:
    """Its last words are in the error, not only in a file."""
    server = KafkaServer(tmp_path)
    (tmp_path / "log" / "meta.properties").write_text("version=1\ncluster.id=other\nnode.id=7\n")

    with pytest.raises(NotReadyError, match=r"ended with code 1 .*node"):
        server.start()


def test_an_interrupted_format_is_finished(starts_servers: None, tmp_path: Path) -> None:
    """Half formatted is not formatted: the next start formats again, with the same cluster id."""
    jars, java = fetch_jars(user_cache()), find_java()
    prepare(tmp_path, port=free_port(), jars=jars, java=java)
    cluster = (tmp_path / "cluster-id").read_text()
    (tmp_path / "log" / "meta.properties").unlink()

    prepare(tmp_path, port=free_port(), jars=jars, java=java)

    assert f"cluster.id={cluster}" in (tmp_path / "log" / "meta.properties").read_text()


def test_java_home_counts_only_if_new_enough(tmp_path: Path) -> None:
    """An old JAVA_HOME is passed over for the packaged Java."""
    (tmp_path / "release").write_text('JAVA_VERSION="11.0.2"\n')
    packaged = find_java({})
    assert find_java({"JAVA_HOME": str(tmp_path)}) == packaged

    (tmp_path / "release").write_text('IMPLEMENTOR="x"\nJAVA_VERSION="17.0.15"\n')
    assert find_java({"JAVA_HOME": str(tmp_path)}) == tmp_path / "bin" / "java"


def test_it_listens_on_loopback_only() -> None:
    """No listener without 127.0.0.1, no path that a directory's name could break."""
    properties = dict(
        line.split("=", 1) for line in server_properties(port=1, controller_port=2).splitlines()
    )

    listeners = properties["listeners"].split(",")
    assert all("//127.0.0.1:" in listener for listener in listeners)
    assert properties["log.dirs"] == "log"


def test_the_jvm_obeys_no_inherited_options(
    starts_servers: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JAVA_TOOL_OPTIONS and its like would change, or break, every node."""
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Xmx1m")
    monkeypatch.setenv("CLASSPATH", "/nowhere")

    with KafkaServer(tmp_path) as server:
        environment = Path(f"/proc/{server.pid}/environ").read_bytes()

        assert b"JAVA_TOOL_OPTIONS" not in environment
        assert b"CLASSPATH" not in environment
        os.kill(server.pid, signal.SIGTERM)
