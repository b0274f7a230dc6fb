"""A model for a file: what is learned, from which columns, by which pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass

from config.model_file import TaskName
from stream.errors import SendError
from stream.first_day.column import Column
from stream.first_day.kinds import Verdict, verdict_on
from stream.first_day.label import Aim, aim_of
from stream.first_day.look import Look

_TOLD_MAX = 8  # columns in a message
_METRICS: Mapping[TaskName, tuple[str, ...]] = {
    "binary": ("Accuracy", "ROCAUC", "LogLoss"),
    "multiclass": ("Accuracy", "MacroF1", "CrossEntropy"),
    "regression": ("MAE", "RMSE", "R2"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """The last step of a pipeline, and why it is the one to begin with.

    Attributes:
        step: As River's documentation names it.
        takes_text: It needs neither scaled numbers nor encoded texts.
        why: In words.
    """

    step: str
    takes_text: bool
    why: str


_LEARNERS: Mapping[TaskName, Learned] = {
    "binary": Learned(
        step="linear_model.LogisticRegression",
        takes_text=False,
        why="A linear model learns from the first events on; of texts, each value is a feature.",
    ),
    "multiclass": Learned(
        step="naive_bayes.GaussianNB",
        takes_text=False,
        why="",
    ),
    "regression": Learned(
        step="tree.HoeffdingTreeRegressor",
        takes_text=True,
        why="A tree takes texts and numbers of any size as they are; a linear model may blow up on "
        "the first value that is far from all before.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a model file is to say.

    Attributes:
        look: What was seen of the file.
        aim: What is learned.
        columns: Each column, and what it is.
        learned: The last step.
        missing: Texts that mean that nothing is there, beside the usual ones.
    """

    look: Look
    aim: Aim
    columns: tuple[tuple[Column, Verdict], ...]
    learned: Learned
    missing: tuple[str, ...]

    @property
    def metrics(self) -> tuple[str, ...]:
        """The scores of the task."""
        return _METRICS[self.aim.task]

    @property
    def numbers(self) -> list[str]:
        """Columns that are learned from as numbers; true and false are 1 and 0."""
        return [c.name for c, verdict in self.columns if verdict.is_feature and verdict.type != "string"]

    @property
    def texts(self) -> list[str]:
        """Columns that are learned from as texts."""
        return [c.name for c, verdict in self.columns if verdict.is_feature and verdict.type == "string"]

    @property
    def left_out(self) -> list[tuple[str, Verdict]]:
        """Columns that cannot be learned from as they stand."""
        return [(c.name, verdict) for c, verdict in self.columns if not verdict.is_feature]


def proposal_for(look: Look) -> Proposal:
    """What to begin with for this file.

    Raises:
        SendError: Nothing can be learned from it, and why.
    """
    aim = aim_of(look.label, where=str(look.path), rows=look.rows)
    columns = tuple((column, verdict_on(column)) for column in look.columns)
    if not any(verdict.is_feature for _, verdict in columns):
        found = "; ".join(f"{c.name!r}: {verdict.why}" for c, verdict in columns[:_TOLD_MAX])
        raise SendError(f"{look.path}: no column can be learned from as it stands ({found})")
    words = {word for _, verdict in columns for word in verdict.words}
    return Proposal(
        look=look,
        aim=aim,
        columns=columns,
        learned=_LEARNERS[aim.task],
        missing=tuple(sorted(words)),
    )
