"""`python -m benchmarks.explaining`: what explanations and importance cost.

CPU of learning: the background, which every model keeps, beside what an event costs, and
`importance: {every: 64}` on and off, in turns. CPU of an explanation of each shipped model, each
way. The latency of predictions while 20 answers a second of a forest are explained, of the same API
process, beside that without; its numbers are of a wall clock, and worth what the load lets them be.
"""

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import msgspec
from river.datasets import synth

from benchmarks.data import Pair, shipped
from benchmarks.load import Load, drive
from benchmarks.scores import batches_of, cost
from checkpoints.unpickle import loads
from config.model_file import ModelFile, load_model_file
from learner.explaining.background import Background, rows_of
from learner.explaining.explain import HowToExplain
from learner.served_model import ServedModel
from learner.trainer import Trainer
from learner.values import Event
from tests.api.running import PHISHING, running
from tests.learner.taking import Taking

OFF: Mapping[str, Any] = {"metrics": ["Accuracy"]}
ON: Mapping[str, Any] = {**OFF, "importance": {"every": 64}}
EVENTS = {"logistic regression": 40_000, "Hoeffding tree": 20_000}
STREAMS = {
    "phishing": "Phishing", "vw": "Phishing", "segments": "ImageSegments", "trump": "TrumpApproval",
    "drift": "made",
}  # fmt: skip
WAYS: Sequence[Any] = ("auto", "leave_one_out", "shapley")
FOREST = PHISHING.replace(
    "[preprocessing.StandardScaler, linear_model.LogisticRegression]",
    "[{forest.ARFClassifier: {n_models: 10, seed: 1}}]",
).replace("importance: {every: 8}\n", "")
_MODELS = Path(__file__).parents[1] / "config" / "models"
_BUDGET_S = 0.05
_EXPLAINED_A_SECOND, _PREDICTED_A_SECOND, _CONNECTIONS = 20, 200, 8


def background_share(learner: str, *, events: int) -> tuple[float, float]:
    """Of the CPU that an event costs, what the background takes; and that, in nanoseconds."""
    batches = batches_of(shipped("Phishing"), events)
    event_us = cost(learner, OFF, batches).event_us
    background, first, began = Background(), 0, time.process_time()
    for batch in batches:
        background.add(batch.xs, first, first + len(batch.xs))
        first += len(batch.xs)
    took_us = (time.process_time() - began) / first * 1e6
    return took_us / event_us, took_us * 1000


def importance_ratios(learner: str, rounds: int, *, events: int) -> list[float]:
    """Events a second with importance, as a part of those without, of so many rounds."""
    batches, found = batches_of(shipped("Phishing"), events), []
    for turn in range(rounds):
        order = (OFF, ON) if turn % 2 == 0 else (ON, OFF)
        one, other = (cost(learner, each, batches).event_us for each in order)
        found.append(one / other if turn % 2 == 0 else other / one)
    return found


def explained_ms(name: str, way: Any, *, learned: int, asked: int) -> list[float]:
    """CPU of explanations of a shipped model, the first of a version among them, sorted."""
    model_file = load_model_file(_MODELS / f"{name}.yaml")
    pairs = list(islice(cycle(_stream(name, learned + asked)), learned + asked))
    with tempfile.TemporaryDirectory() as folder:
        model, rows = _served(model_file, pairs[:learned], Path(folder))
        return sorted(_explained_ms(model, x, way, rows) for x, _ in pairs[learned:])


def _stream(name: str, count: int) -> list[Pair]:
    if name == "drift":
        return list(synth.STAGGER(seed=1).take(count))
    return shipped(STREAMS[name], count)


def _served(
    model_file: ModelFile, pairs: Sequence[Pair], scratch: Path
) -> tuple[ServedModel, tuple[Any, int]]:
    trainer = Trainer(model_file, scratch)
    events = [Event(features=x, label=y) for x, y in pairs]
    assert set(Taking(model_file).all(trainer, events)) == {None}
    segments = trainer.snapshot(version="v1").segments
    model = ServedModel(model_file, loads(segments["model"], ()), scratch)
    return model, rows_of(segments["background"])


def _explained_ms(model: ServedModel, x: Any, way: Any, rows: tuple[Any, int]) -> float:
    began = time.process_time()
    explanation: Any = model.explain(x, HowToExplain(way))
    if not explanation.is_whole:
        for _ in explanation.steps(*rows):
            if time.process_time() - began >= _BUDGET_S:
                break
    explanation.told()
    return (time.process_time() - began) * 1000


def beside(seconds: float) -> tuple[Load, Load, float]:
    """Predictions without and with explanations beside them, and how many of those a second."""
    body = msgspec.json.encode({"features": shipped("Phishing")[0][0]})
    with _api() as port:
        path = "/v1/models/phishing/predict"
        alone = _driven(port, path, body, seconds)
        is_over, counts, began = threading.Event(), [0], time.monotonic()
        asking = threading.Thread(target=_explain, args=(port, body, is_over, counts))
        asking.start()
        both = _driven(port, path, body, seconds)
        is_over.set()
        asking.join()
    return alone, both, counts[0] / (time.monotonic() - began)


def _driven(port: int, path: str, body: bytes, seconds: float) -> Load:
    return drive(
        port, path, body, seconds=seconds, connections=_CONNECTIONS, rate=_PREDICTED_A_SECOND
    )


def _explain(port: int, body: bytes, is_over: threading.Event, counts: list[int]) -> None:
    headers = {"content-type": "application/json"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        due = time.monotonic()
        while not is_over.wait(max(0.0, due - time.monotonic())):
            due += 1 / _EXPLAINED_A_SECOND
            answer = client.post("/v1/models/phishing/explain", content=body)
            counts[0] += answer.status_code == 200


@contextmanager
def _api() -> Iterator[int]:
    """An API process of its own, with a forest."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        process.join()


def _serve(told: Connection) -> None:
    with running(FOREST, learned=1000) as api:
        told.send(api.client.base_url.port)
        told.recv()


def main() -> int:
    """Measure, and print a line of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=10.0)
    asked = parser.parse_args()
    for learner, events in EVENTS.items():
        share, nanoseconds = background_share(learner, events=events)
        ratios = importance_ratios(learner, asked.rounds, events=events)
        _say(
            f"{learner}: the background takes {nanoseconds:.0f} ns an event, {share:.2%} of it; "
            f"with importance {statistics.median(ratios):.3f} of the events/s "
            f"({min(ratios):.3f} to {max(ratios):.3f})"
        )
    for name in STREAMS:
        found = {way: explained_ms(name, way, learned=1000, asked=300) for way in WAYS}
        told = {way: f"{ms[150]:.2f} / {ms[297]:.2f}" for way, ms in found.items()}
        _say(f"{name}: CPU ms of an explanation, p50 / p99: {json.dumps(told)}")
    alone, both, explained = beside(asked.seconds)
    _say(
        f"predictions' p99 {alone.p99_ms:.1f} ms alone, {both.p99_ms:.1f} ms beside "
        f"{explained:.1f} explanations/s; p50 {alone.p50_ms:.1f}, {both.p50_ms:.1f}"
    )
    return 0


def _say(line: str) -> None:
    print(f"{line}   (load {os.getloadavg()[0]:.1f})", flush=True)


if __name__ == "__main__":
    sys.exit(main())
