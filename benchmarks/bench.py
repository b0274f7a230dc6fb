"""`make bench`: every figure side by side, in one run; `--runs 5` gives medians and spread.

Writes `benchmarks/results.json`. Ratios are of figures measured one after the other on the same
machine; absolute figures are the machine's.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from benchmarks.parity import Servers
from benchmarks.serving import LOGISTIC, ages, prediction_rates, rollbacks
from benchmarks.throughput import river_speeds, vw_speeds
from benchmarks.workers import rollbacks_to_three, swaps, worker_rates
from checkpoints.embedded import ValkeyServer
from stream.embedded.kafka import KafkaServer

RESULTS = Path(__file__).with_name("results.json")
SIZES = {"2 KB": LOGISTIC, "16 MB": '{python: "benchmarks.ballast:of_16_mb"}'}


def main() -> int:
    """Measure, print the table, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1)
    asked = parser.parse_args()
    found: dict[str, list[float]] = defaultdict(list)
    for run in range(asked.runs):
        with tempfile.TemporaryDirectory() as folder:
            for name, value in _run(Path(folder), run).items():
                found[name].append(value)
    _print(found)
    RESULTS.write_text(json.dumps(_record(found, asked.runs), indent=1) + "\n")
    return 0


def _run(base: Path, run: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    for name in ("kafka", "redis"):
        (base / name).mkdir()
    with KafkaServer(base / "kafka") as kafka, ValkeyServer(base / "redis") as redis:
        servers = Servers(kafka=kafka.address, redis=redis.url, folder=base)
        for speed in (*vw_speeds(servers, run=run), *river_speeds(servers, run=run)):
            figures[f"{speed.name}: Kafka to learned, events/s"] = speed.weir
            figures[f"{speed.name}: bare loop, events/s"] = speed.bare
            figures[f"{speed.name}: ratio"] = speed.ratio
            _say(f"{speed.name}: {speed.weir:,.0f}/s of {speed.bare:,.0f}/s")
        figures |= prediction_rates(servers, run=run)
        _say(f"predictions: {figures['predictions/s']:,.0f}/s")
        for size, learner in SIZES.items():
            figures |= ages(servers, run=run, size=size, learner=learner)
            figures |= rollbacks(servers, run=run, size=size, learner=learner)
            _say(f"age and rollback at {size}")
        for measure in (worker_rates, swaps, rollbacks_to_three):
            figures |= measure(redis.url, run=run)
            _say(measure.__name__.replace("_", " "))
    return figures


def _print(found: dict[str, list[float]]) -> None:
    width = max(map(len, found))
    for name, values in found.items():
        spread = f"   ({min(values):,.4g} to {max(values):,.4g})" if len(values) > 1 else ""
        print(f"{name:<{width}}  {statistics.median(values):>12,.4g}{spread}")


def _record(found: dict[str, list[float]], runs: int) -> dict[str, object]:
    cores, python = os.cpu_count(), platform.python_version()
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": f"{platform.machine()}, {cores} cores, Python {python}",
        "load_at_end": os.getloadavg()[0],
        "runs": runs,
        "figures": {
            name: {"median": statistics.median(v), "min": min(v), "max": max(v)}
            for name, v in found.items()
        },
    }


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
