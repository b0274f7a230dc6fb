"""The loop over HTTP amid kills: predict, act, label by `prediction_id`; each label learned once.

`python -m tests.stream.loop_trial --kills 200` runs a whole `weir dev` and kills API, learner and
broker in turn while an application asks and labels. What it was told (202) is the oracle, and the
predictions topic, from which answers that were on their way when a process was killed may be
missing: their labels find no features, and are the only ones that are not learned.
"""

import argparse
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
from kafka import KafkaConsumer, TopicPartition

from tests import web
from tests.stream.whole_dev import Dev, dev, until

MODEL = """
name: loop
task: binary
learner: {river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}
metrics: [Accuracy]
late_labels: {horizon: 30d, features: predictions}
"""
ASKED = 20  # before each kill
VICTIMS = ("worker", "sender", "api", "learner", "source", "kafka")
HOLDERS = frozenset(VICTIMS[:3])  # of answers that are on their way to Kafka
_LIMIT_S = 90.0


class Application:
    """Asks, acts, and says later what was true; tries again until it is told that it was heard."""

    def __init__(self, found: Dev, rng: random.Random) -> None:
        self.dev, self._rng = found, rng
        self.asked: dict[str, dict[str, float]] = {}
        self.labelled: set[str] = set()
        self.unlabelled: list[str] = []
        self.rounds: list[tuple[str, list[str]]] = []  # who was killed, what was asked before

    def ask(self, count: int, victim: str) -> None:
        """So many predictions, each under an id of its own, before that one is killed."""
        first = len(self.asked)
        for _ in range(count):
            name = f"p{len(self.asked)}"
            features = {"a": self._rng.gauss(0, 1), "b": self._rng.random()}
            self._post("predict", {"id": name, "features": features}, 200)
            self.asked[name] = features
            self.unlabelled.append(name)
        self.rounds.append((victim, [f"p{n}" for n in range(first, len(self.asked))]))

    def label(self, count: int) -> None:
        """So many of those that were asked, at random."""
        for _ in range(min(count, len(self.unlabelled))):
            at = self._rng.randrange(len(self.unlabelled))
            name = self.unlabelled.pop(at)
            self._post("labels", {"id": name, "label": self.asked[name]["a"] > 0}, 202)
            self.labelled.add(name)

    def _post(self, route: str, body: Any, wanted: int) -> None:
        give_up_at = time.monotonic() + _LIMIT_S
        while time.monotonic() < give_up_at:
            with suppress(httpx.HTTPError, ValueError, OSError):
                url = f"{self.dev.servers['api']}/v1/models/loop/{route}"
                if web.post(url, json=body, timeout=15).status_code == wanted:
                    return
            time.sleep(0.05)
        raise AssertionError(f"{route} was not answered {wanted} within {_LIMIT_S} s")


def kill(victim: str, pids: dict[str, int]) -> bool:
    """Kill that process; whether there was one."""
    pid = pids.get({"learner": "learner:loop", "source": "source:loop"}.get(victim, victim))
    if victim in {"worker", "sender"}:
        children = _children(pids.get("api", 0))
        # The sender gives way to all others.
        by_urgency = sorted(children, key=lambda it: os.getpriority(os.PRIO_PROCESS, it))
        pid = (by_urgency[-1] if victim == "sender" else by_urgency[0]) if by_urgency else None
    with suppress(ProcessLookupError):
        if pid:
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return []


def run(folder: Path, *, kills: int, seed: int, say: Callable[[str], None] = print) -> list[str]:
    """So many kills; what was wrong."""
    rng, killed = random.Random(seed), 0
    with dev(folder, "loop", MODEL) as found:
        application = Application(found, rng)
        while killed < kills:
            victim = VICTIMS[killed % len(VICTIMS)]
            application.ask(ASKED, victim)
            time.sleep(rng.uniform(0.0, 0.3))
            killed += kill(victim, found.servers["pids"])
            application.label(ASKED)
            if killed % 20 == 0:
                say(f"{killed} kills, {len(application.labelled)} labels")
        return _problems(application)


def _problems(application: Application) -> list[str]:
    running = application.dev
    until(lambda: running.model()["state"] == "idle", "all is learned")
    time.sleep(1.0)  # answers that were on their way
    until(lambda: running.model()["state"] == "idle", "all is learned")
    logged = _logged(running.servers["kafka"])
    model = running.model()
    expected = len(application.labelled & logged.keys())
    found = []
    if model["learned"] != expected:
        found.append(f"{model['learned']} learned, {expected} labelled and logged")
    twice = [name for name, count in logged.items() if count > 1]
    if twice:
        found.append(f"{len(twice)} answers are logged twice: {twice[:3]}")
    strange = logged.keys() - application.asked.keys()
    if strange:
        found.append(f"answers are logged that nobody asked for: {sorted(strange)[:3]}")
    lost = sorted(_held_by_nobody_killed(application.rounds) - logged.keys())
    if lost:
        found.append(
            f"{len(lost)} answers are not in the log, and nobody died with them: {lost[:3]}"
        )
    taken = sum(sum(each.values()) for each in model["offsets"].values())
    told = sum(model[name] for name in (
        "learned", "refused", "skipped", "forgotten", "pending", "expired"))  # fmt: skip
    status = web.get(f"{running.servers['api']}/v1/models/loop/labels").json()
    if taken != told + status["matched"]:
        found.append(f"{taken} records were taken, {told} + {status['matched']} are told")
    return found


def _held_by_nobody_killed(rounds: list[tuple[str, list[str]]]) -> set[str]:
    """What was asked where, in that round and the next one, nobody who holds answers was killed."""
    return {
        name
        for (victim, names), (following, _) in itertools.pairwise(rounds)
        if not {victim, following} & HOLDERS
        for name in names
    }


def _logged(address: str) -> dict[str, int]:
    """How often each answer is on the predictions topic."""
    consumer = KafkaConsumer(bootstrap_servers=address, isolation_level="read_committed")
    where = TopicPartition("loop.predictions", 0)
    consumer.assign([where])
    consumer.seek_to_beginning(where)
    end = consumer.end_offsets([where])[where]
    found: dict[str, int] = {}
    while consumer.position(where) < end:
        for records in consumer.poll(1_000).values():
            for record in records:
                name = json.loads(record.value)["prediction_id"]
                found[name] = found.get(name, 0) + 1
    consumer.close()
    return found


def main() -> int:
    """The campaign."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        problems = run(Path(folder), kills=given.kills, seed=given.seed)
    took_s = time.monotonic() - began
    print(f"{given.kills} kills in {took_s:.0f} s, {len(problems)} problems")
    print(*problems, sep="\n")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
