"""What traces cost predictions: `python -m benchmarks.tracing`.

Two APIs of one worker each on one Redis, one of which traces a request in a hundred, to a collector
beside it; as fast as they answer, they take turns. By CPU a prediction, because the collector works
on the same cores. Where traces are off, a request pays one question and no more: it is timed alone.
"""

import statistics
import tempfile
import timeit
from contextlib import ExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry

from api.metrics import ApiMetrics
from api.processes.shared_counters import SharedCounters
from api.traces import RequestTraces
from benchmarks.tabs import us_each
from checkpoints.dev_server import ValkeyServer
from config.settings import TracesSettings
from tests.api.hosting import hosting
from tests.collector import collecting

_ROUNDS, _ASKED = 11, 1_000_000
_HEADERS = {b"host": b"127.0.0.1", b"content-type": b"application/json"}


def question_us() -> float:
    """What asking takes whether a request is traced, where none is."""
    metrics = ApiMetrics([], SharedCounters(), CollectorRegistry())
    traces = RequestTraces(TracesSettings(), metrics)
    traces.enter()
    return timeit.timeit(lambda: traces.wants(_HEADERS), number=_ASKED) / _ASKED * 1e6


def main() -> None:
    """Print what a prediction takes, and the shares of it that are kept."""
    found: dict[str, list[float]] = {"off": [], "1 %": []}
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        valkey = held.enter_context(ValkeyServer(folder))
        collector = held.enter_context(collecting())
        on = {"endpoint": collector.url, "sample": 0.01}
        hosts = {
            "off": held.enter_context(hosting(valkey.url, "plain")),
            "1 %": held.enter_context(hosting(valkey.url, "traced", traces=on)),
        }
        for _ in range(_ROUNDS):
            for traced, host in hosts.items():
                found[traced].append(us_each(host))
        assert collector.spans, "some were traced"
    off, traced = (statistics.median(found[each]) for each in ("off", "1 %"))
    question = question_us()
    print(f"{off:.1f} µs of CPU a prediction, {traced:.1f} with one in a hundred traced: "
          f"{off / traced:.3f}")  # fmt: skip
    print(f"{question:.3f} µs to ask whether, where none is: {1 - question / off:.4f}")


if __name__ == "__main__":
    main()
