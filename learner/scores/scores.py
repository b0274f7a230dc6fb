"""Scores of a learner: River's metrics by name, over its life, over a window, and fading.

Pure and unweighted, as in River's `progressive_val_score`. `lifetime` equals River's own metric fed
with the same events, to the last bit. Events are counted a block at a time, and before anyone asks.
"""

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from river import metrics
from river.metrics import base

from config.model.parts import ScoreWindows as Windows
from config.model_file import ModelFile, TaskName
from config.text.nearest import did_you_mean
from learner.errors import SpecError
from learner.scores.baselines import Baselines, ClassBaselines, NumberBaselines
from learner.scores.blocks import BLOCK_EVENTS, Block, Terms
from learner.scores.calibration import CalibrationTally
from learner.scores.rows import SCORES
from learner.scores.states import LossTally, PairTally, RiverTally, river_metric
from learner.scores.tally import EventLoss, MakeTally, Tally
from learner.tasks import TASKS

# The updates that do nothing but fill a confusion matrix.
_FILLS_A_MATRIX = (base.ClassificationMetric.update, base.BinaryMetric.update)
_BASELINES = "baselines"  # their entry in a dump

Feed: TypeAlias = Callable[[Any, Any, Any], None]


class Scores:
    """The scores that a model file lists.

    Args:
        names: River's names (`metrics.Accuracy` is `Accuracy`), or those of our own.
        task: What the learner learns; a score must suit it.
        windows: Length of the rolling window in scored events, and the fading factor.
        labels: The admissible ones, where the model file lists them.
        value: Its section `value`, which the score of that name needs.
        has_beside: Whether what stands beside each score is kept, too; else it has no fading
            value, no baselines and no interval.

    Attributes:
        wants_probabilities: `update` needs the probabilities; a learner that has none does not
            do for these scores.
        wants_loss: `add_loss` must be called for every example learned.
        feeds: What `update` calls, one after the other; a loop that is in a hurry may itself.
        under_way: The truths of the events that are not counted yet.

    Raises:
        SpecError: A name is unknown, or does not suit the task; with the nearest right one.

    >>> scores = Scores(["Accuracy", "F1"], "binary", Windows())
    >>> for y, y_pred in [(True, True), (False, True), (True, True)]:
    ...     scores.update(y, y_pred, None)
    >>> f1 = scores.report()["F1"]
    >>> f1["lifetime"], f1["no_change"], f1["majority"]
    (0.8, 0.0, 0.6666666666666666)
    """

    def __init__(
        self,
        names: Sequence[str],
        task: TaskName,
        windows: Windows,
        *,
        labels: tuple[Any, ...] | None = None,
        value: Mapping[str, Any] | None = None,
        has_beside: bool = True,
    ) -> None:
        for position, name in enumerate(names):
            _check(name, task, f"metrics[{position}]")
            if name == "Value" and value is None:
                raise SpecError(f"metrics[{position}]", "Value needs the section `value:`")
        self._names = tuple(names)
        self._terms = Terms(
            task=task, windows=windows, labels=labels, value=value, has_beside=has_beside
        )
        self._baselines: Baselines = (
            ClassBaselines() if TASKS[task].has_classes else NumberBaselines()
        )
        reads = set(map(_reads, names))
        self.wants_probabilities, self.wants_loss = "probabilities" in reads, "vw_loss" in reads
        self.under_way: list[Any] = []
        self._follow: Callable[[Block], None] | None = None
        self._predicted: list[Any] = []
        self._probabilities: list[Any] = []
        self._use(_fresh(self._names, self._terms))

    def update(self, y: Any, y_pred: Any, probabilities: dict[Any, float] | None) -> None:
        """Score one prediction; one of None or {} is not to be scored and not for here.

        Args:
            y: The truth, native: False or True for a binary task.
            y_pred: The label or number predicted.
            probabilities: By native label; read only where `wants_probabilities`.
        """
        for feed in self.feeds:
            feed(y, y_pred, probabilities)

    def count(self, block: Block) -> None:
        """The same of a block of events, whose probabilities are nobody else's."""
        if self._foresees:
            block.baselines = self._baselines.foresee(block.ys)
        for tally in self._fed:
            tally.update(block)
        if self._follow is not None:
            self._follow(block)

    def followed_by(self, follow: Callable[[Block], None]) -> None:
        """Hand each block on, once it is counted; also where no score reads it."""
        self._follow = follow
        self._use(self._tallies)

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
            the value is NaN or infinite, and for `fading` of what is no mean over events. Beside
            them the same score of each baseline (`no_change`, and `majority` or `mean`), None
            where it reads probabilities; and `low` and `high`, between which the lifetime value
            lies, of means over events.
        """
        self.settle()
        by_name = {name: tally for tally in self._tallies for name in tally.names}
        return {name: self._told(name, by_name[name]) for name in self._names}

    def _told(self, name: str, tally: Tally) -> dict[str, float | None]:
        told = {"lifetime": tally.lifetime(name), "rolling": tally.rolling(name)}
        if self._terms.has_beside:
            told |= {"fading": tally.fading(name)}
            told |= dict(zip(self._baselines.names, tally.baselines(name), strict=True))
            told["low"], told["high"] = tally.interval(name) or (None, None)
        return {key: _finite(value) for key, value in told.items()}

    def rolling(self) -> dict[str, float | None]:
        """The rolling value of every score, as `report` has it, for a part of its price."""
        self.settle()
        by_name = {name: tally for tally in self._tallies for name in tally.names}
        return {name: _finite(by_name[name].rolling(name)) for name in self._names}

    def event_losses(self) -> dict[str, EventLoss]:
        """Of each score that is a mean over events, what it is the mean of."""
        found = {name: tally.event_loss(name) for tally in self._tallies for name in tally.names}
        return {name: loss for name in self._names if (loss := found[name]) is not None}

    def calibration(self) -> dict[str, Any] | None:
        """The reliability diagram over the life; None where neither ECE nor Brier is listed."""
        self.settle()
        found = (tally for tally in self._tallies if isinstance(tally, CalibrationTally))
        tally = next(found, None)
        return None if tally is None else tally.report()

    def dump(self) -> list[dict[str, Any]]:
        """The state, to be pickled before the next update: it shares what is updated."""
        self.settle()
        baselines = {"kind": _BASELINES, "names": [], "state": self._baselines.dump()}
        tallies = [
            {"kind": tally.kind, "names": list(tally.names), "state": tally.dump()}
            for tally in self._tallies
        ]
        return [baselines, *tallies]

    def restore(self, dumped: Iterable[dict[str, Any]]) -> None:
        """Continue from a dump, perhaps of another list: new names start now, the rest go on."""
        kept: list[Tally] = []
        missing = list(self._names)
        for entry in dumped:
            if entry["kind"] == _BASELINES:
                self._baselines.load(entry["state"])
                continue
            names = tuple(name for name in entry["names"] if name in missing)
            tally = _tally(names[0])(names, self._terms) if names else None
            if tally is not None and tally.kind == entry["kind"]:
                tally.load(entry["state"])
                kept.append(tally)
                missing = [name for name in missing if name not in names]
        self._use([*kept, *_fresh(missing, self._terms)])

    def _use(self, tallies: list[Tally]) -> None:
        self._tallies = tallies
        self._fed = [tally for tally in tallies if not isinstance(tally, LossTally)]
        self._foresees = self._terms.has_beside or any(it.reads_baselines for it in self._fed)
        self.feeds: list[Feed] = [self._feed()] if self._fed or self._follow else []

    def _feed(self) -> Feed:
        """Puts an event into the block. It is called for every event: it looks nothing up."""
        ys, predicted, chances = self.under_way, self._predicted, self._probabilities
        wants, settle = self.wants_probabilities, self.settle

        def feed(y: Any, y_pred: Any, probabilities: Any) -> None:
            ys.append(y)
            predicted.append(y_pred)
            if wants:  # a copy: a learner may hand out the same dict again, changed
                chances.append(dict(probabilities))
            if len(ys) >= BLOCK_EVENTS:
                settle()

        return feed

    def settle(self) -> None:
        """Count the events of the block."""
        if not self.under_way:
            return
        block = Block(
            ys=self.under_way[:],
            predicted=self._predicted[:],
            probabilities=self._probabilities[:] or [None] * len(self.under_way),
        )
        for part in (self.under_way, self._predicted, self._probabilities):
            part.clear()
        self.count(block)


def scores_of(model_file: ModelFile, names: Sequence[str], *, has_beside: bool = True) -> Scores:
    """These scores, as the model file has them.

    Args:
        has_beside: As `Scores`.

    Raises:
        SpecError: As `Scores`.
    """
    return Scores(
        names,
        model_file.task,
        model_file.scores,
        labels=model_file.labels,
        value=model_file.value,
        has_beside=has_beside,
    )


def _check(name: str, task: TaskName, key: str) -> None:
    """Raise a SpecError unless `name` is a score that suits `task`."""
    own = [name for name, score in SCORES.items() if task in score.tasks]
    suited = sorted([*suited_names(task), *own])
    if name in suited:
        return
    is_own = name in SCORES and bool(SCORES[name].tasks)
    if not is_own and not _is_metric(name):
        raise SpecError(key, f'River has no metric "{name}"{did_you_mean(name, suited)}')
    if not is_own and not _answers(name):
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
    if name in SCORES:
        return SCORES[name].reads
    return "labels" if getattr(river_metric(name), "requires_labels", True) else "probabilities"


def _fresh(names: Iterable[str], terms: Terms) -> list[Tally]:
    """New tallies: one for all scores that share their state, else one for each name."""
    groups: dict[Any, tuple[str, ...]] = {}
    for name in names:
        make = _tally(name)
        key = make if getattr(make, "is_shared", False) else name
        groups[key] = (*groups.get(key, ()), name)
    return [_tally(of[0])(of, terms) for of in groups.values()]


def _finite(value: float | None) -> float | None:
    # 0.0 is added so that -0.0 becomes 0.0.
    return float(value) + 0.0 if value is not None and math.isfinite(value) else None
