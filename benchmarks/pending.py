"""`python -m benchmarks.pending`: a line on which a million events wait for their label.

What they weigh, how long a commit stalls that has a thousand of them joined beside one that has
none, and how soon a learner that died is learning again. A real broker and a real store, both ended
with it.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.filling import append, in_batches
from benchmarks.parity import Servers
from benchmarks.samples import proportional_mb, until
from benchmarks.sizes import Commits
from checkpoints.dev_server import ValkeyServer
from config.processes.child import free_port
from stream.dev.kafka_server import KafkaServer
from tests.stream.rig import Rig, rig

MODEL = """
name: {name}
task: binary
learner: {{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}}
metrics: [Accuracy]
late_labels: {{horizon: 30d}}
"""
FEATURES = 20
_JOINED = 1_000  # between two commits
_ROUNDS = 20  # of a commit with and one without
_LIMIT_S = 1_200.0
_SETTLED_S = 5.0
_encode = msgspec.json.Encoder().encode


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def measure(
    servers: Servers,
    *,
    events: int,
    joined: int = _JOINED,
    rounds: int = _ROUNDS,
    name: str = "pending",
    say: Callable[[str], None] = _say,
) -> dict[str, float]:
    """All figures of one line."""
    with rig(
        kafka=servers.kafka,
        redis=servers.redis,
        folder=servers.folder,
        model_text=MODEL.format(name=name),
        metrics_port=free_port(),
        lease_seconds=5.0,
    ) as at:
        process = at.start()
        _send(at, at.model_file.topics.events, _labelled(0, joined))
        _until(at, lambda: _counts(at).learned == joined, "the first are learned")
        empty_mb = _memory_mb(at, say)
        began = time.perf_counter()
        _send(at, at.model_file.topics.events, _unlabelled(events))
        _until(at, lambda: _counts(at).pending == events, "all wait", say)
        say(f"{events:,} wait after {time.perf_counter() - began:.0f} s")
        full_mb = _memory_mb(at, say)
        stalls = _stalls(at, joined, rounds)
        learner_s = _again(at, lambda: at.kill_part("learner"), 1)
        at.kill(process)
        whole_s = _again(at, at.start, 2)
        after_mb = _memory_mb(at, say)
    return {
        "an empty line, MB": empty_mb,
        "above it, MB": full_mb - empty_mb,
        "above it after a restart, MB": after_mb - empty_mb,
        "stall a commit with none joined, median ms": median(stalls[False]) * 1000,
        f"stall a commit with {joined:,} joined, median ms": median(stalls[True]) * 1000,
        "with ÷ without": median(stalls[True]) / median(stalls[False]),
        "kill -9 of the learner to learning, s": learner_s,
        "start of both to learning, s": whole_s,
    }


def _stalls(at: Rig, joined: int, rounds: int) -> dict[bool, list[float]]:
    """Seconds that learning stood still for a commit in which so many were joined, or none."""
    commits = Commits(f"http://127.0.0.1:{at.metrics_port}/metrics")
    commits.look()
    found: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(rounds):
        for is_joined in (True, False) if turn % 2 else (False, True):
            before = _counts(at).learned
            if is_joined:
                _send(at, at.model_file.topics.labels, _labels(turn * joined, joined))
            else:
                _send(at, at.model_file.topics.events, _labelled((turn + 1) * joined, joined))
            found[is_joined].append(_next_stall(at, commits, before + joined))
    return found


def _next_stall(at: Rig, commits: Commits, goal: int) -> float:
    """Of the next commit; returns when so many are learned, which may take one more."""
    known = len(commits.stalls_s)
    until(lambda: commits.look() > known, "it commits", limit_s=_LIMIT_S)
    _until(at, lambda: _counts(at).learned >= goal, "all is committed")
    commits.look()
    return commits.stalls_s[known]


def _again(at: Rig, end: Callable[[], object], turn: int) -> float:
    """Seconds from there until a version has an event that was sent right after it."""
    before = _counts(at).learned
    began = time.perf_counter()
    end()
    _send(at, at.model_file.topics.events, _labelled(turn << 40, 1))
    learned_at = until(lambda: _counts(at).learned > before, "it learns", limit_s=_LIMIT_S)
    return learned_at - began


def _memory_mb(at: Rig, say: Callable[[str], None]) -> float:
    """PSS of source and learner, once versions have been made and nothing is under way."""
    until(lambda: at.beat().get("state") == "idle", "it is idle", limit_s=_LIMIT_S)
    time.sleep(_SETTLED_S)
    found = {part: proportional_mb(at.part(part) or 0) for part in ("source", "learner")}
    say(", ".join(f"{part} {found[part]:.0f} MB" for part in found))
    return sum(found.values())


def _counts(at: Rig) -> Any:
    head = at.head()
    assert head is not None, "the line has begun"
    return head.manifest.counts


def _until(
    at: Rig, is_so: Callable[[], bool], what: str, say: Callable[[str], None] | None = None
) -> None:
    """Wait, saying how far it is every five seconds."""
    due = began = time.perf_counter()

    def look() -> bool:
        nonlocal due
        now = time.perf_counter()
        if say is not None and now - due > _SETTLED_S and at.head() is not None:
            due, pending = now, _counts(at).pending
            say(f"{pending:,} wait, {pending / (now - began):,.0f} a second")
        return at.head() is not None and is_so()

    until(look, what, limit_s=_LIMIT_S, look_s=0.05)


def _send(at: Rig, topic: str, values: Iterator[bytes]) -> None:
    append(at.kafka, topic, in_batches(values))


def _features(rng: random.Random) -> dict[str, float]:
    return {f"f{n:02}": rng.gauss(0.0, 1.0) for n in range(FEATURES)}


def _unlabelled(count: int) -> Iterator[bytes]:
    rng = random.Random(1)
    return (_encode({"id": f"event-{n:08}", "features": _features(rng)}) for n in range(count))


def _labelled(first: int, count: int) -> Iterator[bytes]:
    rng = random.Random(first)
    for n in range(first, first + count):
        x = _features(rng)
        yield _encode({"id": f"whole-{n}", "features": x, "label": x["f00"] > 0})


def _labels(first: int, count: int) -> Iterator[bytes]:
    return (
        _encode({"id": f"event-{n:08}", "label": n % 2 == 0}) for n in range(first, first + count)
    )


def main() -> int:
    """Measure with servers of its own, print each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for name in ("kafka", "redis"):
            (base / name).mkdir()
        with KafkaServer(base / "kafka") as kafka, ValkeyServer(base / "redis") as redis:
            servers = Servers(kafka=kafka.address, redis=redis.url, folder=base)
            for name, value in measure(servers, events=asked.events).items():
                print(f"{name:<50} {value:.3g}")
    print(f"load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
