"""What the baselines score over the same window of events as a trial's rolling scores.

A learner keeps of its baselines what they score over the whole life, and that says nothing of a
quiet month: whoever draws rolling scores draws these beside them. Only trials whose scores are
noted on the way keep them.
"""

import pickle
from collections.abc import Mapping, Sequence
from typing import Any

from checkpoints.unpickle import loads
from config.model.better import is_bigger_better
from config.model_file import ModelFile
from learner.scores.baselines import ClassBaselines, NumberBaselines
from learner.scores.blocks import BLOCK_EVENTS, Block
from learner.scores.scores import Scores, scores_of
from learner.tasks import TASKS


class RollingBaselines:
    """The rolling scores of a task's baselines: a `Watch` of the learner's.

    Args:
        model_file: Its scores, as far as labels alone decide them, and their window.
        state: As `dump` gave it. None: it begins.

    >>> from config.model_file import parse_model_file
    >>> text = "{name: m, task: regression, learner: {river: [dummy.NoChangeRegressor]}, "
    >>> beside = RollingBaselines(parse_model_file(text + "metrics: [MAE], scores: {rolling: 2}}"))
    >>> for y in (9.0, 1.0, 2.0, 4.0):
    ...     beside.scored(y, None, None)
    >>> beside.rolling()
    {'MAE': 1.5}
    """

    def __init__(self, model_file: ModelFile, state: bytes | None = None) -> None:
        self._model_file = model_file
        has_classes = TASKS[model_file.task].has_classes
        self._foresee = ClassBaselines() if has_classes else NumberBaselines()
        self._names = [name for name in model_file.metrics if _reads_labels(name, model_file)]
        self._ys: list[Any] = []
        self._scores: list[Scores] = []
        self.begin_anew()
        if state is not None:
            told = loads(state, model_file.trust)
            self._foresee.load(told["foresee"])
            for scores, dumped in zip(self._scores, told["scores"], strict=True):
                scores.restore(dumped)

    def scored(self, y: Any, _predicted: Any, _probabilities: Any) -> None:
        """Take the truth of an event that was scored."""
        self._ys.append(y)

    def count(self) -> None:
        """Count what was taken, where it is a block: apart from the time that learning takes."""
        if len(self._ys) >= BLOCK_EVENTS:
            self._settle()

    def unscored(self) -> None:
        """An event that its model did not score is none here."""

    def begin_anew(self) -> None:
        """Score what comes from here on alone; the predictors go on."""
        self._settle()
        self._scores = [
            scores_of(self._model_file, self._names, has_beside=False) for _ in self._foresee.names
        ]

    def rolling(self) -> dict[str, float | None]:
        """Of each score the better baseline's; None where it has none yet."""
        self._settle()
        told = [scores.rolling() for scores in self._scores]
        return {name: _better(name, told) for name in self._names}

    def dump(self) -> bytes:
        """The state, to go on from in another process."""
        self._settle()
        scores = [each.dump() for each in self._scores]
        return pickle.dumps({"foresee": self._foresee.dump(), "scores": scores})

    def _settle(self) -> None:
        if not self._ys:
            return
        ys, self._ys = self._ys, []
        for scores, foreseen in zip(self._scores, self._foresee.foresee(ys), strict=True):
            begin = int(foreseen[0] is None)  # before the first label nothing was foreseen
            rest = len(ys) - begin
            if rest:
                block = Block(
                    ys=ys[begin:], predicted=foreseen[begin:], probabilities=[None] * rest
                )
                scores.count(block)


def _reads_labels(name: str, model_file: ModelFile) -> bool:
    scores = scores_of(model_file, [name], has_beside=False)
    return not (scores.wants_probabilities or scores.wants_loss)


def _better(name: str, told: Sequence[Mapping[str, float | None]]) -> float | None:
    known = [value for each in told if (value := each[name]) is not None]
    return (max if is_bigger_better(name) else min)(known, default=None)
