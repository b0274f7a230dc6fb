"""`make bench`: every figure side by side, in one run; `--runs 5` gives medians and spread.

Each finished section of each run is kept at once, so that a second start goes on where the first
was stopped. At the end stand a table, `results.json` and `results.svg`. Ratios are of figures
measured one after the other on the same machine; absolute figures are the machine's.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import hosts, recovery, rollbacks, serving, throughput, wide, workers
from benchmarks.filling import Streams
from benchmarks.journal import Journal, say
from benchmarks.machine import load
from benchmarks.parity import Servers
from benchmarks.picture import picture
from benchmarks.program import end_in_order
from benchmarks.report import HERE, results, table
from benchmarks.scale import FULL, Scale
from benchmarks.sizes import at_size
from checkpoints.dev_server import ValkeyServer
from stream.dev.kafka_server import KafkaServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a section measures in: servers and topics of its own."""

    servers: Servers
    streams: Streams
    scale: Scale
    run: int


Section = Callable[[Place], dict[str, float]]


def _speed(name: str, at: Place) -> dict[str, float]:
    return throughput.speed(name, at.servers, at.streams, run=at.run, scale=at.scale)


def _wide(name: str, at: Place) -> dict[str, float]:
    return wide.speed(name, at.servers, at.streams, run=at.run, scale=at.scale)


def _host(count: int, at: Place) -> dict[str, float]:
    return hosts.host(count, at.servers.folder, run=at.run, scale=at.scale)


def _size(size: str, at: Place) -> dict[str, float]:
    return at_size(size, at.servers, at.streams, run=at.run, scale=at.scale)


def _rollbacks(at: Place) -> dict[str, float]:
    return rollbacks.to_three_workers(at.servers, run=at.run, scale=at.scale)


def _predictions(at: Place) -> dict[str, float]:
    found = serving.prediction_rates(at.servers, run=at.run)
    return {
        {"ratio": "predictions ÷ empty route"}.get(name, name): value
        for name, value in found.items()
    }


def _workers(measure: Callable[..., dict[str, float]], at: Place) -> dict[str, float]:
    return measure(at.servers.redis, run=at.run)


def _under_dev(at: Place) -> dict[str, float]:
    return recovery.under_dev(at.servers.folder, run=at.run, scale=at.scale)


def _cold_start(at: Place) -> dict[str, float]:
    return recovery.cold_start(at.servers, at.streams, run=at.run, scale=at.scale)


def _standby(at: Place) -> dict[str, float]:
    return recovery.standby(at.servers, at.streams, run=at.run, scale=at.scale)


# What `make bench` measures, in order. Sizes are megabytes; 0 is nothing beside the regression.
SECTIONS: dict[str, Section] = {
    **{name: partial(_speed, name) for name in throughput.CASES},
    **{name: partial(_wide, name) for name in wide.CASES},
    **{f"size {size}": partial(_size, size) for size in ("0", "16", "64")},
    "predictions": _predictions,
    "workers": partial(_workers, workers.worker_rates),
    "swaps": partial(_workers, workers.swaps),
    "rollback to three workers": _rollbacks,
    "recovery": _under_dev,
    "cold start": _cold_start,
    "standby": _standby,
    **{f"host of {count}": partial(_host, count) for count in (1, 12, 50)},
}

# What `make bench-long` measures before its ten million events.
SIZE_SECTIONS: dict[str, Section] = {
    f"size {size}": partial(_size, size) for size in ("0", "1", "4", "16", "64")
}


def main() -> int:
    """Measure what is not measured yet, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--sections", default="", help="some only, with semicolons")
    asked = parser.parse_args()
    end_in_order()
    chosen = [name.strip() for name in asked.sections.split(";") if name.strip()] or list(SECTIONS)
    journal = Journal(HERE / (".some.jsonl" if asked.sections else ".bench.jsonl"), asked.sections)
    measure(journal, {name: SECTIONS[name] for name in chosen}, runs=asked.runs, where=place)
    found = results(journal.origin, journal.parts)
    print(table(found["figures"]))
    if not asked.sections:
        _write(found)
    journal.end()
    return 0


def _write(found: dict[str, Any]) -> None:
    (HERE / "results.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    title = f"Weir {found['commit']} on {found['machine']['cpu']}, {found['at']}"
    (HERE / "results.svg").write_text(picture(found["figures"], title))


def measure(
    journal: Journal,
    sections: dict[str, Section],
    *,
    runs: int,
    where: Callable[[int], AbstractContextManager[Place]],
) -> None:
    """Measure each section of each run that the journal lacks; a run has a place of its own."""
    for run in range(runs):
        missing = [name for name in sections if not journal.has(run=run, section=name)]
        if not missing:
            continue
        with where(run) as at:
            for name in missing:
                load_before, began = load(), time.monotonic()
                figures = sections[name](at)
                seconds = round(time.monotonic() - began, 1)
                journal.add(
                    run=run, section=name, seconds=seconds, load_before=load_before, figures=figures
                )
                say(f"run {run + 1} of {runs}, {name}: {seconds:.0f} s (load {load_before:.1f})")


@contextmanager
def place(run: int, scale: Scale = FULL) -> Iterator[Place]:
    """Kafka and Redis in a folder that goes with them."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for name in ("kafka", "redis"):
            (base / name).mkdir()
        with KafkaServer(base / "kafka") as kafka, ValkeyServer(base / "redis") as redis:
            yield Place(
                servers=Servers(kafka=kafka.address, redis=redis.url, folder=base),
                streams=Streams(kafka.address),
                scale=scale,
                run=run,
            )


if __name__ == "__main__":
    sys.exit(main())
