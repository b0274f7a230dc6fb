"""Scores of a learner: River's metrics by name, over its life, over a window, and fading.

Pure and unweighted, as in River's `progressive_val_score`. `lifetime` equals River's own metric fed
with the same events, to the last bit.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from river import metrics
from river.metrics import base

from config.model.parts import ScoreWindows as Windows
from config.model_file import TaskName
from config.text.nearest import did_you_mean
from learner.errors import SpecError
from learner.scores.rows import SCORES
from learner.scores.states import LossTally, MakeTally, PairTally, RiverTally, Tally, river_metric
from learner.tasks import TASKS

# The updates that do nothing but fill a confusion matrix.
_FILLS_A_MATRIX = (base.ClassificationMetric.update, base.BinaryMetric.update)


class Scores:
    """The scores that a model file lists.

    Args:
        names: River's names (`metrics.Accuracy` is `Accuracy`), or `VWLoss`.
        task: What the learner learns; a score must suit it.
        windows: Length of the rolling window in scored events, and the fading factor.

    Attributes:
        wants_probabilities: `update` needs the probabilities; a learner that has none does not
            do for these scores.
        wants_loss: `add_loss` must be called for every example learned.
        feeds: What `update` calls, one after the other; a loop that is in a hurry may itself.

    Raises:
        SpecError: A name is unknown, or does not suit the task; with the nearest right one.

    >>> scores = Scores(["Accuracy", "F1"], "binary", Windows())
    >>> for y, y_pred in [(True, True), (False, True), (True, True)]:
    ...     scores.update(y, y_pred, None)
    >>> scores.report()["F1"]
    {'lifetime': 0.8, 'rolling': 0.8, 'fading': None}
    """

    def __init__(self, names: Sequence[str], task: TaskName, windows: Windows) -> None:
        for position, name in enumerate(names):
            _check(name, task, f"metrics[{position}]")
        self._names = tuple(names)
        self._windows = windows
        self._use(_fresh(self._names, windows))
        reads = set(map(_reads, names))
        self.wants_probabilities, self.wants_loss = "probabilities" in reads, "vw_loss" in reads

    def update(self, y: Any, y_pred: Any, probabilities: dict[Any, float] | None) -> None:
        """Score one prediction; one of None or {} is not to be scored and not for here.

        Args:
            y: The truth, native: False or True for a binary task.
            y_pred: The label or number predicted.
            probabilities: By native label; read only where `wants_probabilities`.
        """
        for feed in self.feeds:
            feed(y, y_pred, probabilities)

    def add_loss(self, loss: float, weight: float) -> None:
        """Take the loss that Vowpal Wabbit reports for an example, times its weight, and that."""
        for tally in self._tallies:
            if isinstance(tally, LossTally):
                tally.add(loss, weight)

    def report(self) -> dict[str, dict[str, float | None]]:
        """Every score by name, in the model file's order; asking changes nothing.

        Returns:
            `lifetime`, `rolling` and `fading` of each; None before the first scored event, where
            it has no value yet (an area under a curve of one class, R2 of equal truths), where
            the value is NaN or infinite, and for `fading` of what is no mean over events.
        """
        by_name = {name: tally for tally in self._tallies for name in tally.names}
        return {
            name: {
                "lifetime": _finite(by_name[name].lifetime(name)),
                "rolling": _finite(by_name[name].rolling(name)),
                "fading": _finite(by_name[name].fading(name)),
            }
            for name in self._names
        }

    def dump(self) -> list[dict[str, Any]]:
        """The state, to be pickled before the next update: it shares what is updated."""
        return [
            {"kind": tally.kind, "names": list(tally.names), "state": tally.dump()}
            for tally in self._tallies
        ]

    def restore(self, dumped: Iterable[dict[str, Any]]) -> None:
        """Continue from a dump, perhaps of another list: new names start now, the rest go on."""
        kept: list[Tally] = []
        missing = list(self._names)
        for entry in dumped:
            names = tuple(name for name in entry["names"] if name in missing)
            tally = _tally(names[0])(names, self._windows) if names else None
            if tally is not None and tally.kind == entry["kind"]:
                tally.load(entry["state"])
                kept.append(tally)
                missing = [name for name in missing if name not in names]
        self._use([*kept, *_fresh(missing, self._windows)])

    def _use(self, tallies: list[Tally]) -> None:
        self._tallies = tallies
        self.feeds: list[Callable[[Any, Any, Any], None]] = [
            tally.update for tally in tallies if not isinstance(tally, LossTally)
        ]


def _check(name: str, task: TaskName, key: str) -> None:
    """Raise a SpecError unless `name` is a score that suits `task`."""
    own = [name for name, score in SCORES.items() if task in score.tasks]
    suited = sorted([*suited_names(task), *own])
    if name in suited:
        return
    if not _is_metric(name):
        raise SpecError(key, f'River has no metric "{name}"{did_you_mean(name, suited)}')
    if not _answers(name):
        raise SpecError(key, f"{name} needs arguments or is a table: a score is one number")
    relatives = [each for each in suited if each.endswith(name)]
    instead = f"; there is {', '.join(relatives)}" if relatives else did_you_mean(name, suited)
    listed = ", ".join(suited)
    raise SpecError(key, f"{name} does not suit a {task} task{instead}; it takes {listed}")


def suited_names(task: TaskName) -> list[str]:
    """River's metrics that give one number for this task and are built without arguments.

    >>> suited_names("regression")
    ['MAE', 'MAPE', 'MSE', 'R2', 'RMSE', 'RMSLE', 'SMAPE']
    """
    suited = TASKS[task].metric
    return [
        name
        for name in sorted(vars(metrics))
        if _is_metric(name) and issubclass(getattr(metrics, name), suited) and _answers(name)
    ]


def _is_metric(name: str) -> bool:
    found = getattr(metrics, name, None)
    return inspect.isclass(found) and issubclass(found, base.Metric | base.ClusteringMetric)


def _answers(name: str) -> bool:
    """Whether the metric is built without arguments and has a value: some only print a table."""
    try:
        river_metric(name).get()
    except (TypeError, NotImplementedError):
        return False
    return True


def _tally(name: str) -> MakeTally:
    """Makes what remembers this score."""
    if name in SCORES:
        return SCORES[name].tally
    metric = river_metric(name)
    fills = type(metric).update in _FILLS_A_MATRIX and metric.requires_labels
    return PairTally if fills else RiverTally


def _reads(name: str) -> str:
    """What this score is fed with: labels, probabilities, or Vowpal Wabbit's loss."""
    own = SCORES[name].reads if name in SCORES else None
    reads_labels = own is not None or getattr(river_metric(name), "requires_labels", True)
    return own or ("labels" if reads_labels else "probabilities")


def _fresh(names: Iterable[str], windows: Windows) -> list[Tally]:
    """New tallies: one for all scores that read label pairs, else one for each name."""
    pairs = tuple(name for name in names if _tally(name) is PairTally)
    alone = [_tally(name)((name,), windows) for name in names if name not in pairs]
    return [PairTally(pairs, windows), *alone] if pairs else alone


def _finite(value: float | None) -> float | None:
    # 0.0 is added so that -0.0 becomes 0.0.
    return float(value) + 0.0 if value is not None and math.isfinite(value) else None
