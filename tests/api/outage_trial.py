"""A broker that stands still under load: all is answered, and each answer is logged or counted.

`python -m tests.api.outage_trial --seconds 60` asks a host for predictions from several threads,
stops its broker for so long, and has it go on. What the applications were told is the oracle.
"""

import argparse
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from benchmarks.samples import percentile
from checkpoints.dev_server import ValkeyServer
from stream.dev.kafka_server import KafkaServer
from tests.api.hosting import LIGHT, Host, hosting

MODEL = LIGHT + "log: {{predictions: 1.0}}\n"
_THREADS = 4
_AROUND_S = 5.0  # before the outage, and after it
_SETTLED_S = 90.0


@dataclass(slots=True)
class Asked:
    """What applications were told: ids answered, requests that failed, and how long each took."""

    ids: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    took_s: list[tuple[float, float]] = field(default_factory=list)  # when it began, seconds

    def p99_ms(self, begin: float, end: float) -> float:
        """Of the requests that began between these moments."""
        return 1000 * percentile([took for at, took in self.took_s if begin <= at < end], 0.99)


def ask(path: str, asked: Asked, is_over: threading.Event) -> None:
    """Ask again as soon as it is answered."""
    with httpx.Client(timeout=30) as client:
        while not is_over.is_set():
            began = time.monotonic()
            try:
                answer = client.post(f"{path}/predict", json={"features": {"https": 1}})
                asked.ids.append(answer.raise_for_status().json()["prediction_id"])
            except httpx.HTTPError as error:
                asked.failed.append(repr(error))
            asked.took_s.append((began, time.monotonic() - began))


def outage(host: Host, kafka: KafkaServer, seconds: float) -> tuple[list[str], dict[str, Any]]:
    """The broker stands still for so long under load; what was wrong, and the figures."""
    told, is_over = [Asked() for _ in range(_THREADS)], threading.Event()
    threads = [threading.Thread(target=ask, args=(host.path, each, is_over)) for each in told]
    for thread in threads:
        thread.start()
    try:
        time.sleep(_AROUND_S)
        os.kill(kafka.pid, signal.SIGSTOP)
        stopped_at = time.monotonic()
        try:
            time.sleep(seconds)
        finally:
            os.kill(kafka.pid, signal.SIGCONT)
        went_on_at = time.monotonic()
        time.sleep(_AROUND_S)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    ids = [each for of in told for each in of.ids]
    failed = [each for of in told for each in of.failed]
    whole = Asked(took_s=[each for of in told for each in of.took_s])
    counts = _settled(host, len(ids))
    logged = _logged(kafka.address, f"{host.name}.predictions")
    figures = {
        "answered": len(ids),
        **counts,
        "in the topic": len(logged),
        "p99 before, ms": whole.p99_ms(0.0, stopped_at),
        "p99 while it stands, ms": whole.p99_ms(stopped_at, went_on_at),
    }
    return _problems(ids, failed, counts, logged), figures


def _problems(
    ids: list[str], failed: list[str], counts: dict[str, int], logged: Counter[str]
) -> list[str]:
    found = []
    if failed:
        found.append(f"{len(failed)} predictions failed: {failed[0]}")
    if sum(counts.values()) != len(ids):
        found.append(f"{counts} of {len(ids)} answers")
    if logged.total() != len(logged) or logged.keys() - set(ids):
        found.append("answers are logged twice, or were never given")
    if len(logged) != counts.get("acknowledged"):
        found.append(f"{len(logged)} are in the topic, {counts} are told")
    return found


def _settled(host: Host, asked: int) -> dict[str, int]:
    """The counts, when each answer has come to something, or time is up."""
    give_up_at = time.monotonic() + _SETTLED_S
    while True:
        pattern = rf'weir_predictions_logged_total\{{model="{host.name}",outcome="(\w+)"\}} (\S+)'
        found = {name: int(float(count)) for name, count in re.findall(pattern, host.metrics())}
        if sum(found.values()) == asked or time.monotonic() > give_up_at:
            return found
        time.sleep(0.2)


def _logged(address: str, topic: str) -> Counter[str]:
    """How often each answer is in the topic."""
    where, found = TopicPartition(topic, 0), Counter[str]()
    with closing(KafkaConsumer(bootstrap_servers=address)) as consumer:
        consumer.assign([where])
        consumer.seek_to_beginning(where)
        end = consumer.end_offsets([where])[where]
        while consumer.position(where) < end:
            for records in consumer.poll(1_000).values():
                found.update(msgspec.json.decode(it.value)["prediction_id"] for it in records)
    return found


def run(folder: Path, redis_url: str, *, name: str, seconds: float) -> tuple[list[str], Any]:
    """One outage on a broker of its own."""
    with KafkaServer(folder) as kafka:
        with closing(KafkaAdminClient(bootstrap_servers=kafka.address)) as admin:
            options = {"num_partitions": 1, "replication_factor": 1}
            admin.create_topics({f"{name}.predictions": options}, wait_for_metadata=True)
        with hosting(redis_url, name, model=MODEL, workers=2, kafka=kafka.address) as host:
            return outage(host, kafka, seconds)


def main() -> int:
    """The campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        for part in ("kafka", "redis"):
            (Path(folder) / part).mkdir()
        with ValkeyServer(Path(folder) / "redis") as redis:
            problems, figures = run(
                Path(folder) / "kafka", redis.url, name="outage", seconds=seconds
            )
    for what, value in figures.items():
        print(f"{what:<26} {value:,.5g}" if isinstance(value, float) else f"{what:<26} {value:,}")
    print(f"{len(problems)} problems", *problems, sep="\n")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
