"""What the log of answers costs predictions: `python -m benchmarks.answer_log`.

Two APIs of one worker each, on one Redis and one Kafka: a model whose answers are logged, and the
same without. A load of so many a second, which both can answer, and one as fast as they are
answered take turns between them; the medians are compared.
"""

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.load import Load, drive
from benchmarks.tabs import cpu_s
from checkpoints.dev_server import ValkeyServer
from config.model_file import parse_model_file
from config.settings import load_settings
from stream.dev.kafka_server import KafkaServer
from stream.kafka import client as kafka_client
from tests.api.hosting import LIGHT, Host, hosting

_ROUNDS, _SECONDS, _CONNECTIONS, _RATE = 7, 4.0, 8, 1_500.0
_BODY = b'{"features":{"https":1.0}}'
_LOGGED = LIGHT + "log: {{predictions: 1.0}}\n"


def asked(host: Host, rate: float | None) -> tuple[Load, float]:
    """A load, and the CPU of the API for each answer in microseconds."""
    port, before = int(host.url.rpartition(":")[2]), cpu_s(host)
    path = f"/v1/models/{host.name}/predict"
    load = drive(port, path, _BODY, seconds=_SECONDS, connections=_CONNECTIONS, rate=rate)
    assert load.failed == 0
    return load, (cpu_s(host) - before) / (load.rate * _SECONDS) * 1e6


def main() -> None:
    """Print what both take, and the ratios."""
    found: dict[str, dict[str, list[float]]] = {}
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        for name in ("kafka", "redis"):
            (folder / name).mkdir()
        valkey = held.enter_context(ValkeyServer(folder / "redis"))
        kafka = held.enter_context(KafkaServer(folder / "kafka"))
        settings = load_settings({"kafka": {"bootstrap_servers": kafka.address}}, environ={})
        kafka_client.create_topics(
            settings.kafka, parse_model_file(_LOGGED.format(name="logged")), partitions=1
        )
        hosts = {
            "off": held.enter_context(hosting(valkey.url, "plain", kafka=kafka.address)),
            "on": held.enter_context(
                hosting(valkey.url, "logged", model=_LOGGED, kafka=kafka.address)
            ),
        }
        for _ in range(_ROUNDS):
            for log, host in hosts.items():
                figures = found.setdefault(log, {"rate": [], "p99": [], "cpu": []})
                fast, cpu = asked(host, None)
                steady, _ = asked(host, _RATE)
                for name, value in (("rate", fast.rate), ("p99", steady.p99_ms), ("cpu", cpu)):
                    figures[name].append(value)
    medians = {
        log: {name: statistics.median(values) for name, values in figures.items()}
        for log, figures in found.items()
    }
    for name, unit in (("rate", "answers/s"), ("cpu", "µs an answer"), ("p99", "ms, p99")):
        off, on = medians["off"][name], medians["on"][name]
        print(f"{off:.4g} {unit}, {on:.4g} with the log: {on / off:.3f}")


if __name__ == "__main__":
    main()
