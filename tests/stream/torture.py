"""The kill campaign: `make torture`. Each trial is a model of its own; the seed makes it again.

The oracle is no part of the program: the witness is a learner that keeps the number of every event
it learned, and the truth of one partition is River's own loop over the same events.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from river import drift, metrics

from checkpoints.dev_server import ValkeyServer
from stream.dev.kafka_server import KafkaServer
from tests.stream.late_trial import late_trial
from tests.stream.recorder import Recorder
from tests.stream.rewind_trial import campaign as rewind_campaign
from tests.stream.rewind_trial import rebuild_campaign
from tests.stream.rig import RECORDER, Rig, events, rig

EVENTS = 4_000
EVERY_SECONDS = 0.02
_KILLS = 4
# What is killed: everything at once, or one process, from which the others must recover.
VICTIMS = ("all", "all", "learner", "source", "committer")


@dataclass(slots=True)
class Trial:
    """What one trial found; no problems is what is hoped for."""

    name: str
    kills: int = 0
    problems: list[str] = field(default_factory=list)


def kill_trial(
    *, kafka: str, redis: str, folder: Path, name: str, partitions: int, seed: int
) -> Trial:
    """Kill a learner, or one of its processes, amid each quarter of 4,000 events."""
    rng = random.Random(seed)
    made = events(EVENTS, seed)
    text = RECORDER.format(name=name, every_seconds=EVERY_SECONDS)
    found = Trial(name)
    with rig(kafka=kafka, redis=redis, folder=folder, model_text=text, partitions=partitions) as at:
        process = at.start()
        part = EVENTS // _KILLS
        for first in range(0, EVENTS, part):
            before = at.consumed()
            at.send_events(made[first : first + part])
            _wait_a_while(at, process, before, rng)
            victim = rng.choice(VICTIMS)
            if victim == "all":
                at.kill(process)
                process = at.start()
                found.kills += 1
            else:
                found.kills += at.kill_part(victim)
        at.until(lambda: at.consumed() == EVENTS, "all is learned")
        _check_line(at, found)
        _check_learned(at, made, found)
    return found


def zombie_trial(*, kafka: str, redis: str, folder: Path, name: str, seed: int) -> Trial:
    """Pause a learner past its lease, let another take over, and wake the first."""
    rng = random.Random(seed)
    made = events(EVENTS, seed)
    half = EVENTS // 2
    text = RECORDER.format(name=name, every_seconds=EVERY_SECONDS)
    found = Trial(name)
    with rig(kafka=kafka, redis=redis, folder=folder, model_text=text, lease_seconds=0.3) as at:
        first = at.start("first")
        at.until(lambda: at.head() is not None, "the first learner begins")
        at.send_events(made[:half])
        time.sleep(rng.uniform(0.0, 0.15))
        paused = at.pause(first)
        asleep_at = at.head()
        second = at.start("second")
        at.until(lambda: "second" in at.store.beats(at.line, "learner"), "the lease lapses")
        at.until(lambda: at.consumed() == half, "the second learner takes over")
        at.wake(paused)
        at.send_events(made[half:])
        at.until(lambda: at.consumed() == EVENTS, "the second learner goes on")
        assert asleep_at is not None
        _check_line(at, found)
        _check_learned(at, made, found)
        _check_standby(at, found)
        for process in (first, second):
            if not process.is_alive():
                found.problems.append(f"a learner ended with {process.exitcode}")
    return found


def _late(*, name: str, **given: Any) -> Trial:
    kills, problems = late_trial(name=name, **given)
    return Trial(name, kills=kills, problems=problems)


def _wait_a_while(at: Rig, process: Any, before: int, rng: random.Random) -> None:
    """Some time in a learner's life: while it starts, while it learns, while it commits."""
    if rng.random() < 0.15:
        time.sleep(rng.uniform(0.0, 0.5))
        return
    deadline = time.monotonic() + 5
    while at.consumed() == before and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.003)
    time.sleep(rng.uniform(0.0, 0.05))


def _check_line(at: Rig, found: Trial) -> None:
    """One chain of parents, numbers rising, counts that add up."""
    versions = at.reader().versions(limit=1000)
    ids = {version.id for version in versions}
    for newer, older in pairwise(versions):
        if newer.number <= older.number:
            found.problems.append(f"{older} before {newer}")
        if newer.manifest.parent in ids and newer.manifest.parent != older.id:
            found.problems.append(f"{newer} is no child of {older}")
    head = versions[0].manifest
    if head.counts.learned != EVENTS or head.counts.refused:
        found.problems.append(f"{head.counts} of {EVENTS} events")


def _check_learned(at: Rig, made: list[dict[str, Any]], found: Trial) -> None:
    recorder: Recorder = at.payload()["estimator"]
    times = Counter(recorder.learned)
    missing = [n for n in range(EVENTS) if times[n] == 0]
    twice = [n for n, count in times.items() if count > 1]
    if missing or twice:
        found.problems.append(f"not learned: {missing[:5]}, learned twice: {twice[:5]}")
    if at.partitions == 1:
        _check_identical(at, recorder, made, found)


def _check_identical(at: Rig, recorder: Recorder, made: list[dict[str, Any]], found: Trial) -> None:
    """Scores, drifts and later predictions of River's own loop, to the last bit."""
    model, truth, detected = (
        Recorder(),
        {"Accuracy": metrics.Accuracy(), "LogLoss": metrics.LogLoss()},
        0,
    )
    detector = drift.ADWIN()
    for event in made:
        x, y = event["features"], event["label"]
        p = model.predict_proba_one(x)
        y_pred = max(p, key=p.get)
        truth["Accuracy"].update(y, y_pred)
        truth["LogLoss"].update(y, p)
        detector.update(int(y != y_pred))
        detected += detector.drift_detected
        model.learn_one(x, y)
    head = at.head()
    assert head is not None
    for name, metric in truth.items():
        value = head.manifest.metrics[name]["lifetime"]
        if value != metric.get():
            found.problems.append(f"{name} {value!r} for {metric.get()!r}")
    if head.manifest.drift_total != detected:
        found.problems.append(f"{head.manifest.drift_total} drifts for {detected}")
    for event in made[:100]:
        if recorder.predict_proba_one(event["features"]) != model.predict_proba_one(
            event["features"]
        ):
            found.problems.append("later predictions differ")
            return


def _check_standby(at: Rig, found: Trial) -> None:
    """The woken learner stands by; it holds nothing."""
    try:
        at.until(lambda: "first" in at.store.beats(at.line, "standby"), "the zombie stands by", 10)
    except AssertionError as error:
        found.problems.append(str(error))


def main() -> int:
    """Run the campaign; 1 if any trial found a problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=200, help="of each number of partitions")
    parser.add_argument("--zombies", type=int, default=50)
    parser.add_argument("--late", type=int, default=50, help="with labels that come late, each way")
    parser.add_argument("--rewinds", type=int, default=48, help="over all learners")
    parser.add_argument("--partitions", type=int, nargs="*", default=[1, 4])
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for name in ("kafka", "redis"):
            (base / name).mkdir()
        with KafkaServer(base / "kafka") as kafka, ValkeyServer(base / "redis") as redis:
            servers = {"kafka": kafka.address, "redis": redis.url, "folder": base}
            for partitions in asked.partitions:
                seeds = range(asked.seed, asked.seed + asked.trials)
                bad += _campaign(
                    f"SIGKILL, {partitions} partitions",
                    (
                        kill_trial(
                            **servers, name=f"kill-{partitions}-{s}", partitions=partitions, seed=s
                        )
                        for s in seeds
                    ),
                )
            for topics in (1, 2):
                seeds = range(asked.seed, asked.seed + asked.late)
                trials = (
                    _late(**servers, name=f"late-{topics}-{s}", topics=topics, seed=s)
                    for s in seeds
                )
                bad += _campaign(f"late labels, {topics} topics", trials)
            seeds = range(asked.seed, asked.seed + asked.zombies)
            bad += _campaign(
                "zombies", (zombie_trial(**servers, name=f"zombie-{s}", seed=s) for s in seeds)
            )
            bad += rewind_campaign(servers, trials=asked.rewinds, kills=8, seed=asked.seed)
            bad += rebuild_campaign(servers, versions=20, seed=asked.seed)
    return 1 if bad else 0


def _campaign(what: str, trials: Any) -> int:
    started, kills, bad, count = time.monotonic(), 0, 0, 0
    for trial in trials:
        count, kills = count + 1, kills + trial.kills
        for problem in trial.problems:
            bad += 1
            print(f"{trial.name}: {problem}", flush=True)
        if count % 10 == 0:
            print(f"{what}: {count} trials, {kills} kills, {bad} problems", file=sys.stderr)
    took = time.monotonic() - started
    print(f"{what}: {count} trials, {kills} kills, {bad} problems, {took:.0f} s", flush=True)
    return bad


if __name__ == "__main__":
    sys.exit(main())
