"""`make parity DATA=DIR`: scores through Kafka equal River's own, to the last bit.

Each case is a real learner process on a real broker, one partition; the truth is
`river.evaluate.progressive_val_score` over the same examples, run beside it. For Vowpal Wabbit the
truth is the average loss that its own regression tests give.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml
from river import evaluate, metrics

from benchmarks.data import Pair, from_folder, vw_lines
from checkpoints.dev_server import ValkeyServer
from learner.river.spec import build_pipeline
from stream.dev.kafka_server import KafkaServer
from tests.stream.rig import rig

CLASSES = ("Accuracy", "F1", "CohenKappa")
MULTICLASS = ("Accuracy", "MacroF1", "CohenKappa")
NUMBERS = ("MAE", "RMSE", "R2")
CHANCES = ("ROCAUC", "LogLoss")

SCALED: list[Any] = ["preprocessing.StandardScaler"]
CLASSIFIERS: dict[str, list[Any]] = {
    "logistic regression": [*SCALED, "linear_model.LogisticRegression"],
    "naive Bayes": ["naive_bayes.GaussianNB"],
    "Hoeffding tree": ["tree.HoeffdingTreeClassifier"],
    "adaptive Hoeffding tree": [{"tree.HoeffdingAdaptiveTreeClassifier": {"seed": 42}}],
    "ARF(10)": [{"forest.ARFClassifier": {"n_models": 10, "seed": 42}}],
}
REGRESSORS: dict[str, list[Any]] = {
    "linear regression": [*SCALED, {"linear_model.LinearRegression": {"l2": 0.1}}],
    "Hoeffding tree": ["tree.HoeffdingTreeRegressor"],
    "adaptive Hoeffding tree": [{"tree.HoeffdingAdaptiveTreeRegressor": {"seed": 42}}],
    "ARF(10)": [{"forest.ARFRegressor": {"n_models": 10, "seed": 42}}],
}
# File, arguments, average loss, task: Vowpal Wabbit's regression tests, and two measured.
VW_CASES = (
    ("vw_0001", "", 0.195760, "regression"),
    ("vw_0001", "--coin", 0.193569, "regression"),
    ("vw_0001", "--pistol", 0.264456, "regression"),
    ("vw_0001", "--baseline", 0.190246, "regression"),
    (
        "vw_rcv1_small",
        "--confidence --confidence_after_training --initial_t 0.1",
        0.501670,
        "binary",
    ),
    ("vw_rcv1_small", "--loss_function logistic", 0.429393, "binary"),
    ("vw_rcv1_small", "--loss_function logistic --binary", 0.152000, "binary"),
)
# The published losses have six decimals.
VW_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where the broker and the store are, and a folder for keys."""

    kafka: str
    redis: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One learner on one stream."""

    name: str
    task: str
    learner: list[Any]
    metrics: tuple[str, ...]


def differences(case: Case, pairs: list[Pair], servers: Servers) -> list[str]:
    """Scores that differ from River's own; none is what is promised."""
    text = yaml.safe_dump(
        {
            "name": case.name,
            "task": case.task,
            "learner": {"river": case.learner},
            "metrics": list(case.metrics),
        },
        sort_keys=False,
    )
    with multiprocessing.get_context("fork").Pool(1) as pool:
        truth = pool.apply_async(_progressive, (case.learner, pairs, case.metrics))
        values = [msgspec.json.encode({"features": x, "label": y}) for x, y in pairs]
        ours = _through_kafka(text, values, servers)
        expected = truth.get()
    return [
        f"{case.name} {name}: {ours[name]!r} for {value!r}"
        for name, value in expected.items()
        if ours[name] != value
    ]


def vw_differences(
    name: str, arguments: str, loss: float, task: str, lines: list[bytes], servers: Servers
) -> list[str]:
    """Whether Vowpal Wabbit's average loss is the one published."""
    text = yaml.safe_dump(
        {
            "name": name,
            "task": task,
            "learner": {"vw": arguments},
            "metrics": ["VWLoss"],
            "topics": {"format": "vw"},
        }
    )
    ours = _through_kafka(text, lines, servers)["VWLoss"]
    if ours is not None and abs(ours - loss) <= VW_TOLERANCE:
        return []
    return [f"{name} {arguments!r}: {ours!r} for {loss!r}"]


def _through_kafka(text: str, values: list[bytes], servers: Servers) -> dict[str, float | None]:
    with rig(
        kafka=servers.kafka, redis=servers.redis, folder=servers.folder, model_text=text
    ) as at:
        at.send(list(values))
        process = at.start()
        at.until(lambda: at.consumed() == len(values), "all is learned", limit_s=3600)
        assert at.stop(process) == 0
        head = at.head()
        assert head is not None
        assert head.manifest.counts.learned == len(values), head.manifest.counts
        return {name: score["lifetime"] for name, score in head.manifest.metrics.items()}


def _progressive(learner: list[Any], pairs: list[Pair], names: tuple[str, ...]) -> dict[str, float]:
    """River's own progressive validation; label scores in one pass, the others in another."""
    found: dict[str, float] = {}
    labels = [name for name in names if name not in CHANCES]
    for group in (labels, [name for name in names if name in CHANCES]):
        if group:
            scores = [getattr(metrics, name)() for name in group]
            together = scores[0] if len(scores) == 1 else metrics.base.Metrics(scores)
            evaluate.progressive_val_score(iter(pairs), build_pipeline(learner)[0], together)
            found |= {name: score.get() for name, score in zip(group, scores, strict=True)}
    return found


def classifier_cases(stream: str, *, multiclass: bool = False) -> Iterator[Case]:
    """Each of the five classifiers on one stream."""
    one_vs_rest = {"multiclass.OneVsRestClassifier": ["linear_model.LogisticRegression"]}
    for label, for_two_classes in CLASSIFIERS.items():
        is_binary_only = multiclass and label == "logistic regression"
        learner = [*SCALED, one_vs_rest] if is_binary_only else for_two_classes
        chances = CHANCES if not multiclass and "ARF" not in label else ()
        yield Case(
            name=_name(stream, label),
            task="multiclass" if multiclass else "binary",
            learner=learner,
            metrics=MULTICLASS if multiclass else (*CLASSES, *chances),
        )


def regressor_cases(stream: str) -> Iterator[Case]:
    """Each of the regressors on one stream."""
    for label, learner in REGRESSORS.items():
        yield Case(name=_name(stream, label), task="regression", learner=learner, metrics=NUMBERS)


def _name(stream: str, learner: str) -> str:
    words = learner.replace("(", "").replace(")", "").split()
    return "-".join([stream.replace("_", "-"), *words]).lower()


def main() -> int:
    """Run every case on the files of a folder; 1 if any score differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="the folder with elec2.csv.gz and the others")
    parser.add_argument("--limit", type=int, help="examples of each stream at most")
    asked = parser.parse_args()
    bad: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for name in ("kafka", "redis"):
            (base / name).mkdir()
        with KafkaServer(base / "kafka") as kafka, ValkeyServer(base / "redis") as redis:
            servers = Servers(kafka=kafka.address, redis=redis.url, folder=base)
            for name, found in _all(asked.data, asked.limit, servers):
                bad += found
                print(f"{name}: {'; '.join(found) or 'equal'}", flush=True)
    print(f"{len(bad)} differences")
    return 1 if bad else 0


def _all(data: Path, limit: int | None, servers: Servers) -> Iterator[tuple[str, list[str]]]:
    for n, (file, arguments, loss, task) in enumerate(VW_CASES):
        lines = vw_lines(data, file)
        found = vw_differences(f"vw{n}", arguments, loss, task, lines, servers)
        yield f"{file} {arguments}", found
    cases = [
        *[("elec2", case) for case in classifier_cases("elec2")],
        *[("sea_abrupt", case) for case in classifier_cases("sea_abrupt")],
        *[("airlines2k", case) for case in classifier_cases("airlines2k")],
        *[("bikes_hour", case) for case in regressor_cases("bikes_hour")],
    ]
    for stream, case in cases:
        started = time.monotonic()
        pairs = from_folder(data, stream, limit)
        found = differences(case, pairs, servers)
        yield f"{case.name} ({len(pairs):,} examples, {time.monotonic() - started:.0f} s)", found


if __name__ == "__main__":
    sys.exit(main())
