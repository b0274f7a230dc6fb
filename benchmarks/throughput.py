"""Kafka to learned, against a bare loop over the same events in memory.

Both do the same: predict, score (Accuracy), watch for drift (ADWIN), learn. The learner also
decodes, guards, and commits a signed version each second. Measured between the first commit past a
tenth of the stream and the last one before its end, so that neither start nor idling counts.
"""

import itertools
import multiprocessing
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml
from river import datasets, drift, metrics
from vowpalwabbit import pyvw

from benchmarks.parity import CLASSIFIERS, Servers
from learner.river_spec import build_pipeline
from learner.vw_text import features_text
from tests.stream.rig import Rig, rig

VW = "--loss_function logistic --link logistic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Events a second, and what they are measured against."""

    name: str
    bare: float
    weir: float

    @property
    def ratio(self) -> float:
        return self.weir / self.bare


# Learner, and events that keep it busy for some ten seconds.
RIVER_CASES = (
    ("logistic regression", 300_000),
    ("Hoeffding tree", 150_000),
    ("ARF(10)", 6_000),
)
VW_EVENTS = 400_000


def river_speeds(servers: Servers, *, run: int) -> Iterator[Speed]:
    """Each River learner, bare before and after ours; the ratio is to the mean of the two."""
    for name, count in RIVER_CASES:
        pairs = list(itertools.islice(itertools.cycle(_phishing()), count))
        learner = CLASSIFIERS[name]
        text = _model_text(f"{name}-{run}", {"river": learner}, ["Accuracy"], "json")
        values = [msgspec.json.encode({"features": x, "label": y}) for x, y in pairs]
        before = _apart(_bare_river, learner, pairs)
        ours = _kafka_to_learned(text, values, servers)
        after = _apart(_bare_river, learner, pairs)
        yield Speed(name=name, bare=(before + after) / 2, weir=ours)


def vw_speeds(servers: Servers, *, run: int) -> Iterator[Speed]:
    """Vowpal Wabbit from its text and from JSON, against its documented Python calls."""
    pairs = list(itertools.islice(itertools.cycle(_phishing()), VW_EVENTS))
    lines = [f"{1 if y else -1} {features_text(x)}" for x, y in pairs]
    bare = _apart(_bare_vw, lines)
    text = _model_text(f"vw-text-{run}", {"vw": VW}, ["VWLoss"], "vw")
    yield Speed(
        name="VW, text",
        bare=bare,
        weir=_kafka_to_learned(text, [line.encode() for line in lines], servers),
    )
    text = _model_text(f"vw-json-{run}", {"vw": VW}, ["VWLoss"], "json")
    values = [msgspec.json.encode({"features": x, "label": y}) for x, y in pairs]
    yield Speed(name="VW, JSON", bare=bare, weir=_kafka_to_learned(text, values, servers))


def _phishing() -> list[tuple[dict[str, Any], bool]]:
    return list(datasets.Phishing())


def _model_text(name: str, learner: dict[str, Any], scores: list[str], form: str) -> str:
    words = name.replace("(", "").replace(")", "").lower().split()
    model = {
        "name": "bench-" + "-".join(words),
        "task": "binary",
        "learner": learner,
        "metrics": scores,
        "drift": [{"on": "error", "detector": "ADWIN"}],
        "topics": {"format": form},
    }
    return yaml.safe_dump(model, sort_keys=False)


def _kafka_to_learned(text: str, values: list[bytes], servers: Servers) -> float:
    with rig(
        kafka=servers.kafka, redis=servers.redis, folder=servers.folder, model_text=text
    ) as at:
        at.send(list(values))
        process = at.start()
        at.until(lambda: at.consumed() == len(values), "all is learned", limit_s=600)
        at.stop(process)
        return _steady_rate(at, len(values))


def _steady_rate(at: Rig, count: int) -> float:
    """Events a second between two commits in the midst of the stream."""
    points = [
        (version.manifest.created_at_ms / 1000, version.manifest.counts.learned)
        for version in at.reader().versions(limit=1000)
        if count / 10 <= version.manifest.counts.learned < count
    ]
    assert len(points) > 1, "the stream is too short for two commits within it"
    (last_s, last), (first_s, first) = points[0], points[-1]
    return (last - first) / (last_s - first_s)


def _apart(function: Any, *args: Any) -> float:
    """Run in a process of its own, as the learner does."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return float(pool.apply(function, args))


def _bare_river(learner: list[Any], pairs: list[tuple[dict[str, Any], bool]]) -> float:
    model = build_pipeline(learner)[0]
    predict, learn = model.predict_one, model.learn_one
    score, detect = metrics.Accuracy().update, drift.ADWIN().update
    started = time.perf_counter()
    for x, y in pairs:
        y_pred = predict(x)
        if y_pred is not None:
            score(y, y_pred)
            detect(int(y_pred != y))
        learn(x, y)
    return len(pairs) / (time.perf_counter() - started)


def _bare_vw(lines: list[str]) -> float:
    workspace = pyvw.Workspace(f"--quiet {VW}")
    started = time.perf_counter()
    for line in lines:
        example = workspace.parse(line)
        workspace.learn(example)
        workspace.finish_example(example)
    return len(lines) / (time.perf_counter() - started)
