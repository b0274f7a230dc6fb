"""`python -m benchmarks.fetch`: what it costs to fetch an event, by kafka-python alone and by ours.

CPU of the whole process, kafka-python's network thread with it, over a filled topic: one reads it
from its first record to its last, then the other, round after round, each time in the other order.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from stream.dev.kafka_server import KafkaServer
from stream.kafka.batches import fast_records

MIB = 1 << 20
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "keyed": {"key": b"user-00000000"},
    "two headers": {"headers": [("ce_id", b"0123456789"), ("ce_type", b"event")]},
}


def main() -> int:
    """Fill a topic for each kind of record, measure, print medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--bytes", type=int, default=184, help="of a value")
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    value = b"x" * asked.bytes
    with tempfile.TemporaryDirectory() as folder, KafkaServer(Path(folder)) as server:
        for name, options in KINDS.items():
            key = TopicPartition(name.replace(" ", "-"), 0)
            _fill(server.address, key, asked.events, {"value": value, **options})
            pairs = [_pair(server.address, key, asked.events, n) for n in range(asked.rounds)]
            _print(name, pairs)
    return 0


def _fill(address: str, key: TopicPartition, count: int, record: dict[str, Any]) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        topic = {key.topic: {"num_partitions": 1, "replication_factor": 1}}
        admin.create_topics(topic, wait_for_metadata=True)
    with closing(KafkaProducer(bootstrap_servers=address, linger_ms=5)) as producer:
        for _ in range(count):
            producer.send(key.topic, partition=key.partition, **record)


def _pair(address: str, key: TopicPartition, count: int, turn: int) -> tuple[float, float]:
    """CPU microseconds an event: kafka-python alone, ours."""
    found = {}
    for is_fast in (False, True) if turn % 2 else (True, False):
        found[is_fast] = _cost_us(address, key, count, is_fast=is_fast)
    return found[False], found[True]


def _cost_us(address: str, key: TopicPartition, count: int, *, is_fast: bool) -> float:
    with closing(_consumer(address)) as consumer:
        if is_fast and not fast_records.use_in(consumer):
            raise RuntimeError("this kafka-python is not as known")
        consumer.assign([key])
        consumer.seek(key, 0)
        left, started = count, time.process_time()
        while left:
            left -= sum(map(len, consumer.poll(timeout_ms=1000).values()))
        return (time.process_time() - started) / count * 1e6


def _consumer(address: str) -> Any:
    """As a learner's."""
    return KafkaConsumer(
        bootstrap_servers=address,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_poll_records=2_000,
        max_partition_fetch_bytes=17 * MIB,
        fetch_max_bytes=34 * MIB,
        fetch_max_wait_ms=100,
    )


def _print(name: str, pairs: list[tuple[float, float]]) -> None:
    stock, fast = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(before / after for before, after in pairs)
    spread = ", ".join(f"{before:.2f}/{after:.2f}" for before, after in pairs)
    print(f"{name:<12} kafka-python {stock:5.2f} us, ours {fast:5.2f} us, {ratio:.1f} times less")
    print(f"{'':<12} {spread}   (load {os.getloadavg()[0]:.1f})", flush=True)


if __name__ == "__main__":
    sys.exit(main())
