"""Poison among good events: what is refused, how it comes out, and that the good ones never notice.

`python -m tests.stream.poison` runs it at any size; the tests run it at the size of the issue.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, cycle
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.serializer import Serializer
from river import linear_model, metrics, preprocessing

from checkpoints.dev_server import ValkeyServer
from learner.values import Reason
from stream.dev.kafka_server import KafkaServer
from stream.kafka import client as kafka_client
from tests.stream.rig import Rig, events, rig

MODEL = """
name: {name}
task: binary
learner: {{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}}
metrics: [Accuracy, LogLoss, F1]
drift: [{{on: error, detector: ADWIN}}]
checkpoint: {{every_seconds: 0.5}}
"""

GOOD = b'{"features": {"a": 1}, "label": true'
POISON: list[tuple[bytes | None, Reason]] = [
    (None, Reason.tombstone),
    (b"", Reason.not_json),
    (b"{", Reason.not_json),
    (b"\xff\xfe", Reason.not_json),
    (b"null", Reason.wrong_type),
    (b"[]", Reason.wrong_type),
    (b'"x"', Reason.wrong_type),
    (b'{"features": 3, "label": true}', Reason.wrong_type),
    (b'{"features": {"a": [1, 2]}, "label": true}', Reason.wrong_type),
    (GOOD + b', "weight": "NaN"}', Reason.wrong_type),
    (GOOD + b', "ts": "soon"}', Reason.wrong_type),
    (b'{"features": {"a": NaN}, "label": true}', Reason.not_finite),
    (b'{"features": {"a": Infinity}, "label": true}', Reason.not_finite),
    (b'{"features": {"a": 1e400}, "label": true}', Reason.not_finite),
    (b'{"features": {"a": 1e308}, "label": true}', Reason.out_of_bounds),
    (b'{"features": {"a": ' + b"9" * 400 + b'}, "label": true}', Reason.out_of_bounds),
    (b'{"features": {"a": ' + b"9" * 5000 + b'}, "label": true}', Reason.out_of_bounds),
    (GOOD + b', "weight": -1}', Reason.out_of_bounds),
    (b"[" * 100_000, Reason.too_deep),
    (b'{"a":' * 100_000, Reason.too_deep),
    (b"\x00\x00\x00\x00\x07abc", Reason.null_byte),
    (b'{"features": {"\\u0000": 1}, "label": true}', Reason.null_byte),
    (GOOD + b', "lable": false}', Reason.unknown_field),
    (GOOD + b', "text": "1 | a"}', Reason.unknown_field),
    (b'{"id": "x", "label": true}', Reason.label_unknown),
    (b'{"id": "x", "label": true, "weight": 1}', Reason.unknown_field),
    (b'{"label": true}', Reason.wrong_type),
    (b'{"features": {"a": 1}, "label": "maybe"}', Reason.bad_label),
    (b'{"features": {"a": 1}, "label": 7}', Reason.bad_label),
    (b'{"features": {"a": 1}, "label": [true]}', Reason.bad_label),
    (b'{"features": {"a": "' + b"x" * 900_000 + b'"}, "label": true}', Reason.too_large),
    (b'{"features": {"a": "' + b"x" * (1 << 20) + b'"}, "label": true}', Reason.too_large),
    (msgspec.json.encode({"features": {f"f{i}": 1 for i in range(1001)}, "label": True}),
     Reason.too_many_features),
    (b'"' + b'\\"' * 50_000, Reason.not_json),
]  # fmt: skip
# After each kind once, those of a few bytes go on: a dead letter a megabyte long proves no more.
_SMALL = [each for each in POISON if len(each[0] or b"") < 10_000]
TEN_MB = b'{"features": {"a": "' + b"x" * 10_000_000 + b'"}, "label": true}'


@dataclass(frozen=True, slots=True)
class Sent:
    """A record of a mixed stream, and why it is to be refused: None for a good one."""

    value: bytes | None
    reason: Reason | None


def mixed(good: list[dict[str, Any]], poison: int) -> Iterator[Sent]:
    """Good events in order, with so many poison records spread evenly among them."""
    every, supply, given = max(1, len(good) // max(1, poison)), chain(POISON, cycle(_SMALL)), 0
    for n, event in enumerate(good):
        yield Sent(msgspec.json.encode(event), None)
        if n % every == every // 2 and given < poison:
            given += 1
            yield Sent(*next(supply))


def publish(at: Rig, records: list[Sent], *, key: bytes | None = b"k") -> list[int]:
    """Publish in order to one partition, poison with a key; the offset of each."""
    producer = KafkaProducer(
        bootstrap_servers=at.kafka,
        linger_ms=20,
        batch_size=1 << 18,
        max_request_size=kafka_client.EVENT_BYTES_MAX,
        value_serializer=_Tombstones(),
    )
    topic = at.model_file.topics.events
    with closing(producer):
        futures = [
            producer.send(
                topic,
                value=_TOMBSTONE if each.value is None else each.value,
                key=key if each.reason else None,
                partition=0,
            )
            for each in records
        ]
        return [future.get(timeout=60).offset for future in futures]


_TOMBSTONE = b"this value becomes none"


class _Tombstones(Serializer):
    """Makes tombstones without key: the driver refuses None before it looks here."""

    def serialize(self, topic: str, headers: Any, data: bytes) -> bytes | None:
        return None if data == _TOMBSTONE else data


def dead_letters(at: Rig) -> list[Any]:
    """Every dead letter of the model's events topic."""
    topic = TopicPartition(kafka_client.dead_letter_topic(at.model_file.topics.events), 0)
    consumer = KafkaConsumer(
        bootstrap_servers=at.kafka,
        group_id=None,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=kafka_client.DEAD_LETTER_BYTES_MAX,
    )
    with closing(consumer):
        consumer.assign([topic])
        end = consumer.end_offsets([topic])[topic]
        found: list[Any] = []
        deadline = time.monotonic() + 60
        while consumer.position(topic) < end and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=500).values():
                found += records
    return found


def headers(letter: Any) -> dict[str, str]:
    """A letter's headers as text."""
    return {name: value.decode() for name, value in letter.headers}


def truth(good: list[dict[str, Any]]) -> dict[str, float]:
    """River's own progressive validation over the good events alone."""
    model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
    accuracy, log_loss, f1 = metrics.Accuracy(), metrics.LogLoss(), metrics.F1()
    for event in good:
        x, y = event["features"], event["label"]
        p = model.predict_proba_one(x)
        y_pred = max(p, key=p.get)
        accuracy.update(y, y_pred)
        f1.update(y, y_pred)
        log_loss.update(y, p)
        model.learn_one(x, y)
    return {"Accuracy": accuracy.get(), "LogLoss": log_loss.get(), "F1": f1.get()}


def problems(
    at: Rig, good: list[dict[str, Any]], sent: list[Sent], offsets: list[int]
) -> list[str]:
    """What is wrong with the head and the dead letters, once all was consumed."""
    head = at.head()
    assert head is not None
    counts, found = head.manifest.counts, []
    expected = Counter(str(each.reason) for each in sent if each.reason)
    if counts.learned != len(good) or dict(counts.refused_by) != dict(expected):
        found.append(f"{counts} of {len(good)} good, {expected} poison")
    for name, value in truth(good).items():
        lifetime = head.manifest.metrics[name]["lifetime"]
        if lifetime != value:
            found.append(f"{name} is {lifetime!r}, River says {value!r}")
    return found + list(_wrong_letters(at, sent, offsets))


def _wrong_letters(at: Rig, sent: list[Sent], offsets: list[int]) -> Iterator[str]:
    topic = at.model_file.topics.events
    pairs = zip(sent, offsets, strict=True)
    refused = {f"{topic}-0-{offset}": (each, offset) for each, offset in pairs if each.reason}
    letters = {headers(letter)["weir-dlq-id"]: letter for letter in dead_letters(at)}
    if letters.keys() != refused.keys():
        yield f"{len(letters.keys() & refused.keys())} letters of {len(refused)}"
    for name in letters.keys() & refused.keys():
        each, offset = refused[name]
        letter, said = letters[name], headers(letters[name])
        if letter.value != each.value or letter.key != b"k":
            yield f"{name} is not byte for byte what was sent"
        place = {"model": at.model_file.name, "topic": topic, "partition": "0"}
        wanted = {**place, "offset": str(offset), "reason": str(each.reason)}
        wrong = {k: v for k, v in wanted.items() if said.get(f"weir-dlq-{k}") != v}
        if wrong or said.get("weir-dlq-stage") not in {"decode", "gate", "learn"}:
            yield f"{name} says {said}, not {wrong}"


def trial(*, kafka: str, redis: str, folder: Path, name: str, good: int, poison: int) -> list[str]:
    """One learner, so many good events and poison records; what went wrong."""
    made = events(good, seed=good)
    sent = list(mixed(made, poison))
    text = MODEL.format(name=name)
    with rig(kafka=kafka, redis=redis, folder=folder, model_text=text) as at:
        offsets = publish(at, sent)
        process = at.start()
        at.until(lambda: at.consumed() == len(sent), "all is consumed", 110)
        if at.stop(process) != 0:
            return ["the learner did not stop with 0"]
        return problems(at, made, sent, offsets)


def main() -> int:
    """Run it; 1 if anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--good", type=int, default=100_000)
    parser.add_argument("--poison", type=int, default=2_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for name in ("kafka", "redis"):
            (base / name).mkdir()
        with KafkaServer(base / "kafka") as kafka, ValkeyServer(base / "redis") as redis:
            started = time.monotonic()
            found = trial(
                kafka=kafka.address, redis=redis.url, folder=base, name="poison",
                good=asked.good, poison=asked.poison,
            )  # fmt: skip
    took_s = round(time.monotonic() - started, 1)
    print(json.dumps({"good": asked.good, "poison": asked.poison, "seconds": took_s}))
    for problem in found[:20]:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
