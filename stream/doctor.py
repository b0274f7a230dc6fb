"""What `weir doctor` looks at on this side: model files, Kafka, and both against the heads."""

import re
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import KafkaError

from checkpoints.compatibility import adopted_sections, check_software, package_of
from checkpoints.errors import CheckpointError
from checkpoints.records.manifest import Manifest, Version
from config.errors import Mistake, ModelFileError
from config.files import free_bytes, free_share, in_words, mount_point
from config.findings import Finding, error, fine, warning
from config.model_file import ModelFile
from config.processes.scratch import private_folder
from config.settings import KafkaSettings
from learner.check_model_file import checked_model_file
from learner.errors import SpecError
from stream.between.positions import Positions
from stream.commit.protocol import software
from stream.dev.disk_watch import LOW_SHARE
from stream.dev.jars import user_cache
from stream.errors import StreamError
from stream.kafka import client as kafka_client
from stream.kafka.consumer import KafkaSource
from stream.kafka.group_mirror import highest_mirrored
from stream.learning.restore import positions_of
from stream.learning.trial import check_restorable
from stream.source.topics import lose_what_is_lost

_CONNECT_S = 3.0
# Topic ids, by which a recreated topic is told from the old one, came with Kafka 2.8.
_OLDEST = (2, 8)
# What a dead letter has beside the record: its headers, and a batch around it.
_LETTER_EXTRA_BYTES = 64 * 1024
_MEND_ADDRESS = (
    "set the broker's advertised.listeners to an address that this machine can reach, or make that "
    "name resolve here"
)


def model_findings(path: Path) -> tuple[ModelFile | None, list[Finding]]:
    """The model file, if it can be used, and what is wrong with it.

    The learner is built, asked, written down and loaded again, as it is before it begins.
    """
    try:
        model_file = checked_model_file(path)
    except ModelFileError as wrong:
        return None, [_mistake(each) for each in wrong.problems]
    try:
        with private_folder(None) as scratch:
            check_restorable(model_file, scratch)
    except SpecError as wrong:
        problem = model_file.source.problem(wrong.key, wrong.message)
        mend = "mend the learner's own code, or take another learner"
        return None, [error(problem.place, problem.told, mend, exit_code=2)]
    what = f"model {model_file.name}, {model_file.task}, can be built, and versions made of it"
    return model_file, [fine(str(path), what)]


def _mistake(problem: Mistake) -> Finding:
    can_be_read = problem.line > 0
    mend = "mend this line of the model file" if can_be_read else "name a file that can be read"
    return error(problem.place, problem.told, mend, exit_code=2)


def disk_findings(data_dir: Path) -> Iterator[Finding]:
    """The disks that `weir dev` writes to, where one of them is filling."""
    folders = {"data directory": data_dir, "cache of Kafka's jars": user_cache()}
    disks = {mount_point(folder): name for name, folder in reversed(folders.items())}
    for disk, name in disks.items():
        free, share = free_bytes(disk), free_share(disk)
        if share >= LOW_SHARE:
            continue
        what = f"{in_words(free)} free, {share:.1%}, where the {name} is"
        mend = "make room there, or name another directory (--data-dir, XDG_CACHE_HOME)"
        yield warning(f"disk {disk}", what, mend)


def kafka_findings(
    kafka: KafkaSettings,
    models: Sequence[ModelFile],
    heads: Mapping[str, Version | None],
    *,
    makes_topics: bool = False,
) -> Iterator[Finding]:
    """The brokers, then each model's topics, then topics and file against the head.

    Args:
        heads: The verified head of each model whose line could be read; None: it has none yet.
        makes_topics: The servers are those of `weir dev`, which makes the topics of a model that
            it begins: that they are missing stops nobody.
    """
    about = f"kafka {kafka.bootstrap_servers}"
    try:
        with closing(kafka_client.admin(kafka)) as client:
            brokers = list(_broker_findings(about, client))
            yield from brokers
            if any(finding.level == "error" for finding in brokers):
                return
            for model_file in models:
                begins = makes_topics and heads.get(model_file.name) is None
                topics = list(_topic_findings(client, model_file, are_made=begins))
                yield from topics
                is_there = not any(finding.level == "error" for finding in topics)
                if is_there and model_file.name in heads:
                    head = heads[model_file.name]
                    manifest = head.manifest if head else None
                    yield from _head_findings(kafka, client, model_file, manifest)
    except StreamError as problem:
        yield _as_error(about, problem)
    except KafkaError as problem:
        mend = "check that Kafka runs and that we may talk to it"
        yield error(about, f"{type(problem).__name__}: {problem}", mend, exit_code=5)


def _broker_findings(about: str, client: KafkaAdminClient) -> Iterator[Finding]:
    """Whether each broker can be reached at the address that it gives out, and is new enough."""
    # What the broker at the given address said: any request would go to the advertised ones.
    brokers = client._manager.cluster.brokers()
    for broker in sorted(brokers, key=lambda each: each.node_id):
        name = f"broker {broker.node_id} advertises {broker.host}:{broker.port}"
        problem = _cannot_reach(broker.host, broker.port)
        if problem is not None:
            what = f"{name}, which cannot be reached from here ({problem})"
            yield error(about, what, _MEND_ADDRESS, exit_code=5)
            continue
        yield fine(about, f"{name}, which answers")
        version = client.get_broker_version_data(broker.node_id).broker_version
        if version < _OLDEST:
            what = f"broker {broker.node_id} speaks the protocol of Kafka {_dotted(version)}"
            yield error(about, what, f"use Kafka {_dotted(_OLDEST)} or newer", exit_code=5)
        else:
            yield fine(about, f"it speaks the protocol of Kafka {_dotted(version)} or newer")


def _cannot_reach(host: str, port: int) -> OSError | None:
    try:
        socket.create_connection((host, port), timeout=_CONNECT_S).close()
    except OSError as problem:
        return problem
    return None


def _topic_findings(
    client: KafkaAdminClient, model_file: ModelFile, *, are_made: bool
) -> Iterator[Finding]:
    """The events topic and its dead letters: there, led, large enough, not compacted."""
    events = model_file.topics.events
    letters = kafka_client.dead_letter_topic(events)
    about = f"model {model_file.name}"
    found = {topic["name"]: topic for topic in client.describe_topics([events, letters])}
    missing = [name for name in (events, letters) if found[name]["error_code"] != 0]
    for name in missing:
        what, mend = f"topic {name} does not exist", "create it, or start `weir learn` once with "
        if are_made:
            yield warning(about, what, "`weir dev --model FILE` makes it when it begins the model")
        else:
            yield error(about, what, mend + "--create-topics", exit_code=3)
    for name in (events, letters):
        if name not in missing:
            yield _partitions(about, found[name])
    if not missing:
        yield from _configured(client, about, events, letters)


def _partitions(about: str, topic: Mapping[str, Any]) -> Finding:
    name, partitions = topic["name"], topic["partitions"]
    leaderless = [p["partition_index"] for p in partitions if p["leader_id"] < 0]
    if leaderless:
        what = f"topic {name}: partitions {leaderless} have no leader"
        return error(about, what, "bring their brokers back", exit_code=5)
    return fine(about, f"topic {name} has {len(partitions)} partitions, all led")


def _configured(
    client: KafkaAdminClient, about: str, events: str, letters: str
) -> Iterator[Finding]:
    config = _configs(client, [events, letters])
    gone = [name for name in (events, letters) if "cleanup.policy" not in config.get(name, {})]
    if gone:  # deleted since they were described
        yield error(about, f"topic {gone[0]} was just deleted", "look again", exit_code=3)
        return
    policy = config[events]["cleanup.policy"]
    if "compact" in policy:
        what = f"topic {events} is compacted: records go, and no version can be rebuilt from it"
        yield warning(about, what, f"set cleanup.policy=delete on {events}")
    yield fine(about, f"topic {events} keeps {_retention(config[events])}")
    event_bytes, letter_bytes = (
        int(config[name]["max.message.bytes"]) for name in (events, letters)
    )
    if letter_bytes < event_bytes + _LETTER_EXTRA_BYTES:
        needed = event_bytes + _LETTER_EXTRA_BYTES
        what = f"{letters} takes {letter_bytes} bytes, {events} {event_bytes}: the largest "
        mend = f"set max.message.bytes={needed} on {letters}"
        yield warning(about, what + "dead letters would go truncated", mend)
    else:
        yield fine(about, f"{letters} takes every record of {events} whole")


def _configs(client: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found = client.describe_configs(resources, config_filter="all")["topic"]
    return {name: {key: entry["value"] for key, entry in of.items()} for name, of in found.items()}


def _retention(config: Mapping[str, str]) -> str:
    milliseconds, size = int(config["retention.ms"]), int(config["retention.bytes"])
    time_kept = "for ever" if milliseconds < 0 else f"{milliseconds / 3_600_000:g} h"
    return f"records {time_kept}" + ("" if size < 0 else f", at most {size} bytes a partition")


def _head_findings(
    kafka: KafkaSettings, client: KafkaAdminClient, model_file: ModelFile, head: Manifest | None
) -> Iterator[Finding]:
    """Whether file, log and store tell one story: what the learner checks when it starts."""
    about = f"model {model_file.name}"
    mirrored = highest_mirrored(kafka, model_file.name)
    if head is None:
        if mirrored:
            what = f"Kafka's group {kafka_client.group_id(model_file.name)} has offsets of it"
            mend = "bring its Redis back, or give up what it learned with --new --abandon-history"
            yield error(about, f"the store holds no version, yet {what}", mend, exit_code=4)
        return
    if mirrored > head.number:
        what = f"Kafka remembers v{mirrored}, the store's head is {head.name}"
        mend = "nothing, if Redis lost its last commits: they are learned again, as newer versions"
        yield warning(about, what, mend)
    yield from _change_findings(about, model_file, head)
    yield from _log_findings(kafka, client, model_file, head)


def _change_findings(about: str, model_file: ModelFile, head: Manifest) -> Iterator[Finding]:
    uses = package_of(model_file.learner)
    was = msgspec.to_builtins(head)
    now = msgspec.json.decode(msgspec.json.encode(model_file.sections()))
    try:
        adopted = adopted_sections(model_file.name, head.name, was["model_file"], now)
        check_software(model_file.name, head.name, head.software, software(), uses=uses)
    except CheckpointError as problem:
        what = problem.what.removeprefix(f"{about}: ")
        yield error(about, what, problem.advice, exit_code=problem.exit_code)
        return
    changes = f"; changed and adopted at the next start: {', '.join(adopted)}" if adopted else ""
    yield fine(about, f"the model file is the one that {head.name} was learned by{changes}")


def _log_findings(
    kafka: KafkaSettings, client: KafkaAdminClient, model_file: ModelFile, head: Manifest
) -> Iterator[Finding]:
    about, positions = f"model {head.model}", positions_of(head, model_file)
    try:
        for lost in lose_what_is_lost(positions, kafka, model_file):
            mend = "nothing; the learner reads it from its earliest record on"
            yield warning(about, f"{lost.topic} is not what {head.name} has read: {lost.why}", mend)
        KafkaSource(kafka, head.model, positions).close()
    except StreamError as problem:
        yield _as_error(about, problem)
        return
    yield fine(about, f"the log is the one that {head.name} was learned from")
    yield _headroom(client, about, positions)


def _headroom(client: KafkaAdminClient, about: str, positions: Positions) -> Finding:
    """What retention has left of the records that the line has learned from."""
    earliest = client.list_partition_offsets(
        {TopicPartition(*key): OffsetSpec.EARLIEST for key in positions.next_offsets}
    )
    gone = sum(earliest[TopicPartition(*key)].offset > at for key, at in positions.begins.items())
    kept = sum(
        next_offset - max(earliest[TopicPartition(*key)].offset, positions.begins[key])
        for key, next_offset in positions.next_offsets.items()
    )
    if gone:
        what = f"Kafka has deleted the first records learned ({gone} partitions); {kept:,} are left"
        mend = "nothing, if old versions need not be rebuilt; else raise the topic's retention"
        return warning(about, what, mend)
    return fine(about, f"Kafka still has all {kept:,} records that were taken")


def _as_error(about: str, problem: StreamError) -> Finding:
    text = str(problem).removeprefix(f"{about}: ").removesuffix("; `weir doctor` tells")
    # What a driver said stands in brackets, with colons of its own.
    what, mend = text, ""
    for part in re.finditer(r": ", text):
        if text.count("(", 0, part.start()) == text.count(")", 0, part.start()):
            what, mend = text[: part.start()], text[part.end() :]
            break
    return error(about, what, mend, exit_code=problem.exit_code)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
