"""Trials with labels that come late: a learner killed amid events and labels, on one topic or two.

The oracle is River's own loop with a dictionary for what waits.
"""

import random
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaProducer
from river import metrics

from tests.stream.recorder import Recorder
from tests.stream.rig import RECORDER, Rig, events, rig

COUNT = 1_500
_KILLS = 4


def moments(made: list[dict[str, Any]], seed: int) -> list[tuple[bool, dict[str, Any]]]:
    """Events without their label, and labels, as they happen: whether it is a label, the record."""
    rng = random.Random(seed)
    due = []
    for n, event in enumerate(made):
        due.append((n, False, {"id": f"e-{n}", "features": event["features"]}))
        later = n + rng.choice([rng.expovariate(1 / 5), rng.expovariate(1 / 300)]) + 1e-6
        due.append((later, True, {"id": f"e-{n}", "label": event["label"]}))
    return [(is_label, record) for _, is_label, record in sorted(due, key=lambda each: each[:2])]


def send_moments(at: Rig, some: list[tuple[bool, dict[str, Any]]], *, topics: int) -> None:
    """Each is acknowledged before the first one of the other topic that comes after it."""
    names = at.model_file.topics
    with closing(KafkaProducer(bootstrap_servers=at.kafka, linger_ms=5)) as producer:
        last, sent = None, []
        for is_label, record in some:
            topic = names.labels if is_label and topics == 2 else names.events
            if topic != last:
                for future in sent:
                    future.get(timeout=30)
                sent = []
            sent.append(producer.send(topic, value=msgspec.json.encode(record)))
            last = topic
        for future in sent:
            future.get(timeout=30)


def late_trial(
    *, kafka: str, redis: str, folder: Path, name: str, seed: int, topics: int
) -> tuple[int, list[str]]:
    """Kill a learner, or one of its processes, amid each quarter; how often, and what was wrong."""
    rng = random.Random(seed)
    made = events(COUNT, seed)
    all_moments = moments(made, seed)
    text = RECORDER.format(name=name, every_seconds=0.02)
    kills = 0
    with rig(kafka=kafka, redis=redis, folder=folder, model_text=text) as at:
        process = at.start()
        part = len(all_moments) // _KILLS
        for first in range(0, len(all_moments), part):
            before = at.consumed()
            send_moments(at, all_moments[first : first + part], topics=topics)
            _wait_for_some(at, before)
            time.sleep(rng.uniform(0.0, 0.05))
            victim = rng.choice(("all", "learner", "source", "committer"))
            if victim == "all":
                at.kill(process)
                process = at.start()
                kills += 1
            else:
                kills += at.kill_part(victim)
        at.until(lambda: at.consumed() == 2 * COUNT, "all is read")
        return kills, _problems(at, made, all_moments, topics)


def _wait_for_some(at: Rig, before: int) -> None:
    deadline = time.monotonic() + 5
    while at.consumed() == before and time.monotonic() < deadline:
        time.sleep(0.003)


def _problems(
    at: Rig, made: list[dict[str, Any]], all_moments: list[tuple[bool, dict[str, Any]]], topics: int
) -> list[str]:
    head = at.head()
    assert head is not None
    counts = head.manifest.counts
    found = []
    if (counts.learned, counts.labels, counts.pending, counts.refused) != (COUNT, COUNT, 0, 0):
        found.append(f"{counts} of {COUNT} events and labels")
    recorder: Recorder = at.payload()["estimator"]
    times = Counter(recorder.learned)
    if any(times[n] != 1 for n in range(COUNT)):
        found.append(f"not once: {[n for n in range(COUNT) if times[n] != 1][:5]}")
    if topics == 2:  # of one millisecond, events go before labels: another order may be right, too
        return found
    truth, order = _plain_loop(made, all_moments)
    if recorder.learned != order:
        found.append("learned in another order")
    for name, value in truth.items():
        if head.manifest.metrics[name]["lifetime"] != value:
            found.append(f"{name} {head.manifest.metrics[name]['lifetime']!r} for {value!r}")
    return found


def _plain_loop(
    made: list[dict[str, Any]], all_moments: list[tuple[bool, dict[str, Any]]]
) -> tuple[dict[str, float], list[int]]:
    model, waits = Recorder(), {}
    truth = {"Accuracy": metrics.Accuracy(), "LogLoss": metrics.LogLoss()}
    for is_label, record in all_moments:
        n = int(record["id"].partition("-")[2])
        x = made[n]["features"]
        if not is_label:
            waits[n] = model.predict_proba_one(x)
            continue
        p = waits.pop(n)
        truth["Accuracy"].update(record["label"], max(p, key=p.get))
        truth["LogLoss"].update(record["label"], p)
        model.learn_one(x, record["label"])
    return {name: metric.get() for name, metric in truth.items()}, model.learned
