"""Kafka to learned, against a bare loop over the same events in memory.

Both do the same: predict, score (Accuracy), watch for drift (ADWIN), learn. The learner also
decodes, guards, and commits a signed version each second. Its window lies between two commits, so
that neither start nor idling counts; the loop's, run before and after, between the same two events.
"""

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Any

import yaml
from river import drift, metrics
from vowpalwabbit import pyvw

from benchmarks.filling import Streams, as_vw, phishing
from benchmarks.parity import CLASSIFIERS, Servers
from benchmarks.scale import Scale
from learner.river.spec import build_pipeline
from tests.stream.rig import Rig, rig

VW = "--loss_function logistic --link logistic"
# Commits are looked for so often: the machine's cores belong to what is measured.
_LOOK_S = 0.25
# A bare loop goes on longer than its learner's window, which ends with a commit.
LONGER = 1.3
_LIMIT_S = 300.0

Curve = list[tuple[int, float]]
Pair = tuple[dict[str, Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A learner, and how it is measured.

    Attributes:
        learner: As in a model file.
        events: In the topic: more than are learned in a window.
        warm_up: Events learned before the window begins.
        chunk: Events between two looks at the clock, of the bare loop.
    """

    learner: dict[str, Any]
    events: int
    warm_up: int
    chunk: int
    score: str = "Accuracy"
    form: str = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What a learner did between two of its commits.

    Attributes:
        first: Events learned when it began.
        last: Events learned when it ended.
        rate: Events a second in between.
        model_bytes: Of the model as the last version has it, unpacked.
    """

    first: int
    last: int
    rate: float
    model_bytes: int


CASES = {
    "logistic regression": Case(
        learner={"river": CLASSIFIERS["logistic regression"]},
        events=1_000_000,
        warm_up=20_000,
        chunk=1_000,
    ),
    "Hoeffding tree": Case(
        learner={"river": CLASSIFIERS["Hoeffding tree"]},
        events=1_000_000,
        warm_up=10_000,
        chunk=500,
    ),
    "ARF(10)": Case(
        learner={"river": CLASSIFIERS["ARF(10)"]}, events=1_000_000, warm_up=300, chunk=20
    ),
    "VW, text": Case(
        learner={"vw": VW},
        events=2_500_000,
        warm_up=100_000,
        chunk=1_000,
        score="VWLoss",
        form="vw",
    ),
    "VW, JSON": Case(
        learner={"vw": VW}, events=1_500_000, warm_up=50_000, chunk=1_000, score="VWLoss"
    ),
}


def speed(
    name: str, servers: Servers, streams: Streams, *, run: int, scale: Scale
) -> dict[str, float]:
    """Events a second of one case and of its bare loop; the ratio is to the mean of two loops."""
    case = CASES[name]
    events, warm_up = int(case.events * scale.events), int(case.warm_up * scale.warm_up)
    before = _bare(case, scale)
    topic = streams.at_least(events, form=case.form)
    found = kafka_to_learned(
        model_text(f"{name}-{run}", case, topic), servers, events, warm_up, scale.window_s
    )
    loops = [rate_within(curve, found) for curve in (before, _bare(case, scale))]
    bare = sum(loops) / len(loops)
    return {
        f"{name}: Kafka to learned, events/s": found.rate,
        f"{name}: bare loop, events/s": bare,
        f"{name}: Kafka to learned ÷ bare loop": found.rate / bare,
        f"{name}: the two bare loops, slower ÷ faster": min(loops) / max(loops),
    }


def model_text(name: str, case: Case, topic: str) -> str:
    """The model file of a case that learns from this topic."""
    words = "".join(each if each.isalnum() else " " for each in name.lower()).split()
    model = {
        "name": "bench-" + "-".join(words),
        "task": "binary",
        "learner": case.learner,
        "metrics": [case.score],
        "drift": [{"on": "error", "detector": "ADWIN"}],
        "topics": {"events": topic, "format": case.form},
    }
    return yaml.safe_dump(model, sort_keys=False)


def kafka_to_learned(
    text: str,
    servers: Servers,
    events: int,
    warm_up: int,
    window_s: float,
    beside: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> Window:
    """What a learner does in a window.

    Args:
        text: Its model file.
        events: In its topic, or more.
        warm_up: Events learned before the window begins.
        window_s: How long it lasts at least, unless all events are learned before.
        beside: What runs meanwhile, and is up before the learner starts.
    """
    with (
        rig(kafka=servers.kafka, redis=servers.redis, folder=servers.folder, model_text=text) as at,
        beside(),
    ):
        at.start()
        points = _commits(at, events, warm_up, window_s)
        head = at.head()
    (first, first_s), (last, last_s) = points[0], points[-1]
    assert head is not None, "it has committed"
    return Window(
        first=first,
        last=last,
        rate=(last - first) / (last_s - first_s),
        model_bytes=head.manifest.segments["model"].raw_bytes,
    )


def _commits(at: Rig, events: int, warm_up: int, window_s: float) -> list[tuple[int, float]]:
    """The commits of the window: events learned, and when it was cut."""
    points: list[tuple[int, float]] = []

    def is_over() -> bool:
        time.sleep(_LOOK_S)
        head = at.head()
        learned = head.manifest.counts.learned if head else 0
        if head and warm_up <= learned < events and (not points or learned > points[-1][0]):
            points.append((learned, head.manifest.created_at_ms / 1000))
        return learned >= events or bool(points and points[-1][1] - points[0][1] >= window_s)

    at.until(is_over, "a window is learned", limit_s=_LIMIT_S)
    assert len(points) > 1, "the stream is too short for two commits within it"
    return points


def _bare(case: Case, scale: Scale) -> Curve:
    seconds = scale.window_s * LONGER
    if "vw" in case.learner:
        return apart(_bare_vw, list(as_vw(phishing())), case.chunk, seconds)
    return apart(_bare_phishing, case.learner["river"], case.chunk, seconds)


def apart(function: Callable[..., Curve], *args: Any) -> Curve:
    """Run in a process of its own, as the learner does."""
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.apply(function, args)


def _settle_memory() -> None:
    """Keep the garbage collector away, as the learner does."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _bare_phishing(learner: list[Any], chunk: int, seconds: float) -> Curve:
    return bare_river(learner, cycle(phishing()), chunk, seconds)


def bare_river(learner: list[Any], stream: Iterator[Pair], chunk: int, seconds: float) -> Curve:
    """What River alone does in so many seconds, or until the stream ends.

    Args:
        learner: As in a model file.
        stream: Events that are in memory.
        chunk: Events between two looks at the clock.
    """
    model = build_pipeline(learner)[0]
    predict, learn = model.predict_one, model.learn_one
    score, detect = metrics.Accuracy().update, drift.ADWIN().update
    _settle_memory()
    curve = [(0, time.perf_counter())]
    while curve[-1][1] - curve[0][1] < seconds and (pairs := list(islice(stream, chunk))):
        for x, y in pairs:
            y_pred = predict(x)
            if y_pred is not None:
                score(y, y_pred)
                detect(int(y_pred != y))
            learn(x, y)
        curve.append((curve[-1][0] + len(pairs), time.perf_counter()))
    return curve


def _bare_vw(lines: list[bytes], chunk: int, seconds: float) -> Curve:
    """The documented calls; `learn` leaves the prediction that it made before the update."""
    workspace = pyvw.Workspace(f"--quiet {VW}")
    parse, learn, finish = workspace.parse, workspace.learn, workspace.finish_example
    stream = cycle([line.decode() for line in lines])
    _settle_memory()
    curve = [(0, time.perf_counter())]
    while curve[-1][1] - curve[0][1] < seconds:
        for line in islice(stream, chunk):
            example = parse(line)
            learn(example)
            example.get_simplelabel_prediction()
            finish(example)
        curve.append((curve[-1][0] + chunk, time.perf_counter()))
    return curve


def rate_within(curve: Curve, window: Window) -> float:
    """Events a second of a loop in the same window, or in as much of it as the loop came to.

    >>> window = Window(first=10, last=30, rate=4.0, model_bytes=0)
    >>> rate_within([(0, 0.0), (10, 1.0), (20, 3.0), (30, 5.0)], window)
    5.0
    """
    inside = [point for point in curve if window.first <= point[0] <= window.last]
    if len(inside) < 2:
        inside = curve[len(curve) // 2 :]
    (begun, begun_s), (ended, ended_s) = inside[0], inside[-1]
    return (ended - begun) / (ended_s - begun_s)
