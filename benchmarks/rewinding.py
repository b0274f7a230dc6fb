"""`python -m benchmarks.rewinding`: how fast a rewind replays, and what is answered meanwhile.

A model learns a topic from its beginning, which is the learner's own rate. Then it is rewound to
its first version, without a thousand of the records, with nothing else to do: the rate of the
replay. Then once more under a load of predictions on three workers: how long until each of twelve
connections is answered by the version gone back to, and how many predictions failed until the
replayed line has taken over. A rate is of what lies between the first and the last version seen.
"""

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec

from benchmarks.filling import Streams
from benchmarks.load import Load, drive
from benchmarks.parity import Servers
from benchmarks.program import serving
from benchmarks.samples import until
from checkpoints.dev_server import ValkeyServer
from checkpoints.operating.operator import Operator, Order
from checkpoints.records.manifest import Version
from stream.dev.kafka_server import KafkaServer
from tests.stream.rig import Rig, rig

MODEL = """
name: {name}
task: binary
learner: {{river: [preprocessing.StandardScaler, {learner}]}}
topics: {{events: {topic}}}
metrics: [Accuracy]
"""
LEARNERS = {
    "logistic regression": ("linear_model.LogisticRegression", 600_000),
    "Hoeffding tree": ("tree.HoeffdingTreeClassifier", 300_000),
}
_WORKERS, _CONNECTIONS = 3, 12
_ASKED = {"features": {"is_popular": 1}}
_LOAD_S, _LOAD_RATE = 2.0, 1_000.0
_LEFT_OUT = 1_000  # records, right after the version gone back to
_LIMIT_S = 600.0


@dataclass(slots=True)
class Pace:
    """How fast the versions of a line move on in the log: from one seen to the newest seen."""

    seen: list[tuple[int, float]] = field(default_factory=list)

    def sees(self, version: Version | None) -> int:
        """How far in the log a version is; the moment is the one at which its snapshot was cut."""
        if version is None:
            return 0
        at = sum(n for of in version.manifest.offsets.values() for n in of.values())
        self.seen.append((at, version.manifest.created_at_ms / 1000))
        return at

    @property
    def rate(self) -> float:
        """Records a second."""
        (first, began), (last, ended) = self.seen[0], self.seen[-1]
        return (last - first) / (ended - began)


def measure(servers: Servers, streams: Streams, learner: str) -> dict[str, float]:
    """The figures of one learner."""
    called, events = LEARNERS[learner]
    topic = streams.at_least(events)
    text = MODEL.format(
        name=f"rewound-{learner.partition(' ')[0].lower()}", learner=called, topic=topic
    )
    with ExitStack() as stack:
        at = stack.enter_context(
            rig(kafka=servers.kafka, redis=servers.redis, folder=servers.folder, model_text=text)
        )
        own = Pace()
        at.start()
        until(lambda: at.consumed() > 0, "the first version is there", limit_s=_LIMIT_S)
        first = at.head()
        assert first is not None
        until(lambda: own.sees(at.head()) >= events, "all is learned", limit_s=_LIMIT_S)
        operator = Operator(at.store, at.keys.signer("operator"), at.keys.verifier, who="benchmark")
        quiet = _rewound(at, operator, first, lambda: None)

        url = stack.enter_context(serving(servers, text, workers=_WORKERS))
        clients = [stack.enter_context(httpx.Client(base_url=url)) for _ in range(_CONNECTIONS)]
        with _asked_meanwhile(url, at.line.model) as loads:
            served: list[float] = []
            loaded = _rewound(at, operator, first, lambda: served.append(_served(clients, at)))
    return {
        "own rate, records/s": own.rate,
        "replay / own": quiet.rate / own.rate,
        "replay under load / own": loaded.rate / own.rate,
        "served by each worker after, s": served[0],
        "predictions answered meanwhile": sum(load.rate * _LOAD_S for load in loads),
        "predictions failed meanwhile": sum(load.failed for load in loads),
    }


def _rewound(at: Rig, operator: Operator, to: Version, ordered: Callable[[], object]) -> Pace:
    """Rewind, until the replayed line has taken over; how fast that moved on.

    Args:
        ordered: Called when the order is given.
    """
    before, pace = at.head(), Pace()
    assert before is not None
    (at_first,) = to.manifest.offsets[at.model_file.topics.events].values()
    skip = f"0:{at_first}-{at_first + _LEFT_OUT - 1}"
    order = Order(
        command="rollback", to=to.manifest.name, mode="rewind", skip=(skip,), reason="benchmark"
    )
    operator.run(at.line, order)
    ordered()

    def has_taken_over() -> bool:
        head = at.head()
        assert head is not None
        pace.sees(at.candidate())
        return head.number > before.number and head.manifest.kind == "rewind"

    until(has_taken_over, "the replayed line takes over", limit_s=_LIMIT_S)
    return pace


def _served(clients: list[httpx.Client], at: Rig) -> float:
    """Seconds until each connection is answered by the version that is gone back to."""
    head = at.head()
    assert head is not None
    started = until(lambda: True, "now")
    gone = until(lambda: all(_version(each, at) < head.number for each in clients), "it is served")
    return gone - started


def _version(client: httpx.Client, at: Rig) -> int:
    answer = client.post(f"/v1/models/{at.line.model}/predict", json=_ASKED).raise_for_status()
    return int(answer.json()["version"][1:])


@contextmanager
def _asked_meanwhile(url: str, model: str) -> Iterator[list[Load]]:
    """A load of predictions, in turns, from a thread of its own."""
    loads: list[Load] = []
    ended = threading.Event()
    port, body = int(url.rpartition(":")[2]), msgspec.json.encode(_ASKED)

    def ask() -> None:
        while not ended.is_set():
            loads.append(
                drive(port, f"/v1/models/{model}/predict", body,
                      seconds=_LOAD_S, connections=_CONNECTIONS, rate=_LOAD_RATE)
            )  # fmt: skip

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield loads
    finally:
        ended.set()
        thread.join()


def main() -> int:
    """Measure with servers of its own, print each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learner", choices=LEARNERS, action="append")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for name in ("kafka", "redis"):
            (base / name).mkdir()
        with KafkaServer(base / "kafka") as kafka, ValkeyServer(base / "redis") as redis:
            servers = Servers(kafka=kafka.address, redis=redis.url, folder=base)
            streams = Streams(kafka.address)
            for learner in asked.learner or LEARNERS:
                for name, value in measure(servers, streams, learner).items():
                    print(f"{learner + ': ' + name:<60} {value:.3g}")
    print(f"load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
