"""One port, several workers: rates for a CPU-second, swaps under load.

`python -m benchmarks.workers` measures these alone; `make bench` among the others.
"""

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from river import datasets

from benchmarks.load import Load, drive
from benchmarks.samples import running_now
from checkpoints.dev_server import ValkeyServer
from tests.api.hosting import HEAVY, Host, hosting
from tests.api.running import until

_SECONDS = 5.0
_CONNECTIONS = 32
_SWAPS = 4
_SWAP_EVERY_S = 5.0


def worker_rates(redis_url: str, *, run: int) -> dict[str, float]:
    """What a second worker brings, and what an answer costs the workers."""
    rates: dict[int, float] = {}
    costs: dict[int, float] = {}
    for count in (1, 2):
        with hosting(redis_url, f"rate-{count}-{run}", workers=count) as host:
            workers = _settled(host, count)
            before = _cpu_seconds(workers)
            found = _drive(host)
            costs[count] = found.rate * _SECONDS / (_cpu_seconds(workers) - before)
            rates[count] = found.rate
    return {
        "predictions/s of two workers": rates[2],
        "predictions a CPU-second, one worker": costs[1],
        "predictions a CPU-second, two workers": costs[2],
        "predictions a CPU-second, two ÷ one": costs[2] / costs[1],
    }


def swaps(redis_url: str, *, run: int) -> dict[str, float]:
    """Latency at half load, without swaps and while a model of 16 MB is replaced every 5 s."""
    with hosting(redis_url, f"swap-{run}", model=HEAVY, workers=1) as host:
        _settled(host, 1)
        full = _drive(host)
        quiet = _drive(host, rate=full.rate / 2)
        with _in_background(lambda: _commit_often(host)):
            busy = _drive(host, rate=full.rate / 2, seconds=_SWAPS * _SWAP_EVERY_S)
    assert full.failed == quiet.failed == busy.failed == 0
    return {
        "p99 at half load, 16 MB, ms": quiet.p99_ms,
        "p99 at half load, 16 MB swapped every 5 s, ms": busy.p99_ms,
        "p99.9 at half load, 16 MB swapped every 5 s, ms": busy.p999_ms,
    }


def _drive(host: Host, *, rate: float | None = None, seconds: float = _SECONDS) -> Load:
    body = msgspec.json.encode({"features": _asked()})
    port, path = int(host.url.rsplit(":", 1)[1]), f"/v1/models/{host.name}/predict"
    return drive(port, path, body, seconds=seconds, connections=_CONNECTIONS, rate=rate)


def _settled(host: Host, count: int) -> list[int]:
    """The workers, when a model that knows what it is asked has reached them all."""
    until(lambda: len(host.workers) == count and host.is_ready())
    version = host.commit(_asked())
    until(lambda: host.serves(version))
    return host.workers


def _asked() -> dict[str, Any]:
    features: dict[str, Any] = next(iter(datasets.Phishing()))[0]
    return features


def _commit_often(host: Host) -> None:
    for _ in range(_SWAPS):
        began = time.monotonic()
        host.commit(_asked())
        threading.Event().wait(max(0.0, _SWAP_EVERY_S - (time.monotonic() - began)))


@contextmanager
def _in_background(work: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def _cpu_seconds(pids: list[int]) -> float:
    now = running_now()
    return sum(now[pid].cpu_s for pid in pids)


def main() -> int:
    """Measure and print, as often as the first argument says."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, ValkeyServer(Path(folder)) as redis:
        for run in range(runs):
            for measure in (worker_rates, swaps):
                for name, value in measure(redis.url, run=run).items():
                    found.setdefault(name, []).append(value)
                    print(f"{name:<55} {value:>12,.4g}", flush=True)
    for name, values in found.items():
        print(f"median: {name:<55} {statistics.median(values):>12,.4g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
