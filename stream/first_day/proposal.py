"""A model for a file: what is learned, from which columns, by which pipeline."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from config.model_file import TaskName
from stream.errors import SendError
from stream.first_day.columns.column import Column
from stream.first_day.columns.kinds import Nature, nature_of
from stream.first_day.columns.label import Aim, aim_of
from stream.first_day.columns.leaks import Leak, Strength, leaks_among, strongest_among
from stream.first_day.look import Look

_TOLD_MAX = 8  # columns in a message
_METRICS: Mapping[TaskName, tuple[str, ...]] = {
    "binary": ("Accuracy", "ROCAUC", "LogLoss"),
    "multiclass": ("Accuracy", "MacroF1", "CrossEntropy"),
    "regression": ("MAE", "RMSE", "R2"),
}


# A linear model learns from the first events on, and no value of a feature makes it diverge: of
# these three, each beat the majority or the mean on every file that was tried.
_LEARNERS: Mapping[TaskName, str] = {
    "binary": "linear_model.LogisticRegression",
    "multiclass": "linear_model.SoftmaxRegression",
    "regression": "preprocessing.TargetStandardScaler: "
    "{regressor: {linear_model.LinearRegression: {clip_gradient: 1.0}}}",
}
_TREES: Mapping[TaskName, str] = {
    "binary": "tree.HoeffdingAdaptiveTreeClassifier",
    "multiclass": "tree.HoeffdingAdaptiveTreeClassifier",
    "regression": "tree.HoeffdingAdaptiveTreeRegressor",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a model file is to say.

    Attributes:
        look: What was seen of the file.
        aim: What is learned.
        columns: Each column, and what it is.
        missing: Texts that mean that nothing is there, beside the usual ones.
        leaks: Columns that are learned from and tell the label by themselves.
        strongest: Columns that are learned from and alone tell most of it.
    """

    look: Look
    aim: Aim
    columns: tuple[tuple[Column, Nature], ...]
    missing: tuple[str, ...]
    leaks: tuple[Leak, ...] = ()
    strongest: tuple[Strength, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """The scores of the task."""
        return _METRICS[self.aim.task]

    @property
    def learner(self) -> str:
        """The last step of the pipeline, as the model file has it."""
        return _LEARNERS[self.aim.task]

    @property
    def tree(self) -> str:
        """What to try instead where the linear model does not do."""
        return _TREES[self.aim.task]

    @property
    def numbers(self) -> list[str]:
        """Columns that are learned from as numbers, and scaled."""
        return [c.name for c, it in self.columns if it.is_number and not c.is_flag]

    @property
    def flags(self) -> list[str]:
        """Columns of 0 and 1, true and false, learned from as they are: scaled, one that was the
        same for long and then changes would be a huge number.
        """
        return [c.name for c, it in self.columns if it.is_number and c.is_flag]

    @property
    def texts(self) -> list[str]:
        """Columns that are learned from as texts."""
        return [c.name for c, it in self.columns if it.is_feature and it.type == "string"]

    @property
    def left_out(self) -> list[tuple[str, Nature]]:
        """Columns that cannot be learned from as they stand."""
        return [(c.name, nature) for c, nature in self.columns if not nature.is_feature]


def proposal_for(look: Look) -> Proposal:
    """What to begin with for this file.

    Raises:
        SendError: Nothing can be learned from it, and why.
    """
    aim = aim_of(look.label, where=str(look.path), rows=look.rows)
    columns = tuple((column, _nature(column, look)) for column in look.columns)
    if not any(nature.is_feature for _, nature in columns):
        shown = columns[:_TOLD_MAX]
        found = "; ".join(f"{c.name!r}: {nature.why or nature.kind}" for c, nature in shown)
        raise SendError(f"{look.path}: no column can be learned from as it stands ({found})")
    words = {word for _, nature in columns for word in nature.words}
    learned = {column.name for column, nature in columns if nature.is_feature}
    sample = [(_only(learned, features), label) for features, label in look.sample]
    is_number = aim.task == "regression"
    return Proposal(
        look=look,
        aim=aim,
        columns=columns,
        missing=tuple(sorted(words)),
        leaks=tuple(leaks_among(sample, is_number=is_number)),
        strongest=tuple(strongest_among(sample, is_number=is_number)),
    )


def _nature(column: Column, look: Look) -> Nature:
    found = nature_of(column)
    return replace(found, kind="dropped", why="") if column.name in look.dropped else found


def _only(names: Collection[str], features: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in features.items() if name in names}
