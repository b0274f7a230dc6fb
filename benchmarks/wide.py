"""Kafka to learned on streams wider than Phishing, without an API and with one beside it.

As in `benchmarks/throughput.py`, with two differences: no event comes twice, and each bare loop
runs right before the learner that is compared with it, over the very same events. The API serves
each version that is made, and is asked nothing.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from benchmarks.filling import Streams, as_json
from benchmarks.made import FLOATS, STRINGS, Pair, floats, strings
from benchmarks.parity import CLASSIFIERS, Servers
from benchmarks.program import serving
from benchmarks.scale import Scale
from benchmarks.throughput import (
    LONGER,
    Case,
    Curve,
    Window,
    apart,
    bare_river,
    kafka_to_learned,
    model_text,
    rate_within,
)

ENCODED: list[Any] = [
    {
        "compose.TransformerUnion": [
            [{"compose.Select": list(FLOATS)}, "preprocessing.StandardScaler"],
            [
                {"compose.Select": list(STRINGS)},
                {"preprocessing.OneHotEncoder": {"drop_zeros": True}},
            ],
        ]
    },
    "linear_model.LogisticRegression",
]
# Else a string's first split would be one branch for each of its values.
HALVING: list[Any] = [{"tree.HoeffdingTreeClassifier": {"binary_split": True}}]
# Splits sooner than with River's own settings, to weigh 20 MB within a minute.
GROWING: list[Any] = [{"tree.HoeffdingTreeClassifier": {"grace_period": 100, "tau": 0.15}}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream made here, as far as it goes into a topic."""

    topic: str
    events: int
    pairs: Callable[[], Iterator[Pair]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wide:
    """A learner on such a stream.

    Attributes:
        case: Its `events` are as many of the stream's as are learned at most.
        grows: All of them are learned, and what the model weighs then is told.
    """

    stream: Stream
    case: Case
    grows: bool = False


FOURTEEN = Stream(topic="bench.floats-14", events=400_000, pairs=partial(floats, 14))
FIFTY = Stream(topic="bench.floats-50", events=150_000, pairs=partial(floats, 50))
TEXTS = Stream(topic="bench.strings", events=300_000, pairs=strings)
TURNING = Stream(
    topic="bench.turning", events=80_000, pairs=partial(floats, 14, turn_events=50_000)
)


def _wide(stream: Stream, river: list[Any], *, events: int, warm_up: int, chunk: int) -> Wide:
    case = Case(learner={"river": river}, events=events, warm_up=warm_up, chunk=chunk)
    return Wide(stream=stream, case=case)


_LOGISTIC, _TREE = CLASSIFIERS["logistic regression"], CLASSIFIERS["Hoeffding tree"]
CASES = {
    "14 floats, logistic regression": _wide(
        FOURTEEN, _LOGISTIC, events=400_000, warm_up=20_000, chunk=1_000
    ),
    "14 floats, Hoeffding tree": _wide(FOURTEEN, _TREE, events=200_000, warm_up=5_000, chunk=250),
    "50 floats, logistic regression": _wide(
        FIFTY, _LOGISTIC, events=150_000, warm_up=5_000, chunk=250
    ),
    "50 floats, Hoeffding tree": _wide(FIFTY, _TREE, events=60_000, warm_up=2_000, chunk=100),
    "strings, logistic regression": _wide(
        TEXTS, ENCODED, events=300_000, warm_up=10_000, chunk=500
    ),
    "strings, Hoeffding tree": _wide(TEXTS, HALVING, events=60_000, warm_up=1_000, chunk=50),
    "growing tree": Wide(
        stream=TURNING,
        case=Case(learner={"river": GROWING}, events=80_000, warm_up=5_000, chunk=250),
        grows=True,
    ),
}


def speed(
    name: str, servers: Servers, streams: Streams, *, run: int, scale: Scale
) -> dict[str, float]:
    """Events a second of one case without and with an API; each ratio to the loop before it."""
    wide = CASES[name]
    topic = streams.whole(
        wide.stream.topic,
        int(wide.stream.events * scale.events),
        lambda: as_json(wide.stream.pairs()),
    )
    figures, loops, sizes = {}, [], []
    for what, has_api in ((name, False), (f"{name}, API on", True)):
        text = model_text(f"{what} {run}", wide.case, topic)
        api = partial(serving, servers, text, when="/livez") if has_api else nullcontext
        found, loop = _learner_and_loop(name, text, servers, api, scale)
        figures |= {
            f"{what}: Kafka to learned, events/s": found.rate,
            f"{what}: bare loop, events/s": loop,
            f"{what}: Kafka to learned ÷ bare loop": found.rate / loop,
        }
        loops.append(loop)
        sizes.append(found.model_bytes)
    figures[f"{name}: the two bare loops, slower ÷ faster"] = min(loops) / max(loops)
    if wide.grows:
        figures[f"{name}: size at the end, MB"] = max(sizes) / 1e6
    return figures


def _learner_and_loop(
    name: str,
    text: str,
    servers: Servers,
    api: Callable[[], AbstractContextManager[object]],
    scale: Scale,
) -> tuple[Window, float]:
    """What a learner did in its window, and the rate of the bare loop that ran right before."""
    wide = CASES[name]
    events, warm_up = int(wide.case.events * scale.events), int(wide.case.warm_up * scale.warm_up)
    window_s = math.inf if wide.grows else scale.window_s
    curve = apart(_bare, name, events, window_s * LONGER)
    found = kafka_to_learned(text, servers, events, warm_up, window_s, beside=api)
    return found, rate_within(curve, found)


def _bare(name: str, events: int, seconds: float) -> Curve:
    """In a process of its own: its events are made there, before the clock runs."""
    wide = CASES[name]
    pairs = list(islice(wide.stream.pairs(), events))
    return bare_river(wide.case.learner["river"], iter(pairs), wide.case.chunk, seconds)
