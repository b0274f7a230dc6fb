"""The experiment file: what `weir search` tries, on what, and how."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from config.errors import Mistake, ModelFileError
from config.model.parts import ModelFilePart
from config.model_file import ModelFile
from config.terms import Count, Text
from config.text.messages import place_of, plain_message, wrong
from config.text.yaml_lines import KeyPath, read_file
from stream.send.csv_file import CsvColumns, csv_columns
from stream.trying.search.space import DRAWN, LISTED, Choices, DrawRange, draws, whole_grid
from stream.trying.value_paths import SET, Settings

TRIALS_MAX = 1_000
FIRST_RUNG_MIN = 2_000
_TRIALS = 20


def _with_commas(columns: object) -> object:
    """A list of names, as YAML has one, as `--columns` has it."""
    return ",".join(map(str, columns)) if isinstance(columns, list) else columns


class ExperimentData(ModelFilePart):
    """Where the records come from, as `weir try` takes them: `from`, or `kafka`.

    Args:
        source: `from` in the file: a file, beside the experiment file, or river:NAME.
        kafka: The model's topic.
        end: With `kafka`: what that version learned.
        limit: Records at most.
        label, id, key, columns, null, delimiter, decimal: Of a CSV file, as the options of
            `weir try`.
    """

    source: Text | None = Field(default=None, alias="from")
    kafka: bool = False
    end: Text | None = None
    limit: Count | None = None
    label: Text | None = None
    id: Text | None = None
    key: Text | None = None
    columns: Annotated[Text | None, BeforeValidator(_with_commas)] = None
    null: str = ""
    delimiter: Text | None = None
    decimal: Text | None = None

    @model_validator(mode="after")
    def _is_one_source(self) -> Self:
        if (self.source is None) == (not self.kafka):
            raise wrong("needs either `from`, or `kafka: true`")
        if self.end is not None and not self.kafka:
            raise wrong("`end` is a version that learned from Kafka: it needs `kafka: true`")
        return self

    def csv(self) -> CsvColumns:
        """The columns of a CSV file.

        Raises:
            SendError: Delimiter or mark cannot be one.
        """
        return csv_columns(
            features=self.columns, delimiter=self.delimiter, decimal=self.decimal,
            label=self.label, id=self.id, key=self.key, null=self.null,
        )  # fmt: skip


class Experiment(ModelFilePart):
    """One search.

    Args:
        model: The model file that values are put into; relative to the experiment file.
        space: By path, as `--set` of `weir try` has it: the values, or a range to draw from.
        method: `grid` tries every combination; `random` draws `trials` of them; `halving` begins
            with the grid, or with draws where `trials` is given, and lets the worse ones go early.
        trials: How many to draw.
        seed: Of the draws.
        metric: The score to find the best of; by default the model file's first.
        workers: Trials at a time.
        engine: Who runs them.
        first: halving: records of the first rung, at least.
        keep: halving: the share of the trials that goes on to the next rung.
    """

    model: Text
    data: ExperimentData
    space: dict[str, Choices] = Field(min_length=1)
    method: Literal["grid", "random", "halving"] = "grid"
    trials: Annotated[int, Field(ge=2, le=TRIALS_MAX)] | None = None
    seed: int = 42
    metric: Text | None = None
    workers: Annotated[int, Field(ge=1, le=1024)] = 1
    engine: Literal["local", "ray"] = "local"
    first: Annotated[int, Field(ge=FIRST_RUNG_MIN)] = FIRST_RUNG_MIN
    keep: Annotated[float, Field(ge=1 / 3, le=0.9)] = 0.5

    def reads(self, file: Path) -> list[Path]:
        """What is read where this is the experiment file: it, the model file, and the data's."""
        named = [self.model, *filter(None, [self.data.source])]
        return [file, *(file.parent / name for name in named)]

    @model_validator(mode="after")
    def _values_are_listed(self) -> Self:
        is_drawn = any(isinstance(each, DrawRange) for each in self.space.values())
        if is_drawn and self.method == "grid":
            raise wrong("a range is drawn from: say how often, as in  method: random, trials: 20")
        if self.method == "grid" and self.trials is not None:
            raise wrong("method grid tries every combination: leave `trials` out")
        if is_drawn and self.method == "halving" and self.trials is None:
            raise wrong("a range is drawn from: say how often, as in  trials: 20")
        return self

    @property
    def draws_asked(self) -> int | None:
        """How many trials are drawn; None: every combination is tried."""
        if self.trials is None and self.method != "random":
            return None
        return self.trials or _TRIALS

    def settings(self) -> list[Settings]:
        """What is tried, in order.

        Raises:
            PathError: More than 1,000.
        """
        count = self.draws_asked
        return draws(self.space, count, self.seed) if count else whole_grid(self.space)


def load_experiment(path: Path) -> Experiment:
    """Read and check the experiment file at `path`.

    Raises:
        ModelFileError: With every problem found, each with its line.
    """
    document = read_file(path)
    if document.problems:
        raise ModelFileError(document.problems)
    try:
        return Experiment.model_validate(document.value)
    except ValidationError as error:
        raise ModelFileError(
            document.source.problem(_place_of(each), plain_message(each, Experiment))
            for each in error.errors(include_url=False)
        ) from error


def _place_of(error: ErrorDetails) -> KeyPath:
    """The place in the file, without what pydantic calls the kinds of choices."""
    return tuple(part for part in place_of(error) if part not in (LISTED, DRAWN))


def in_experiment(path: Path, base: Path, problems: Iterable[Mistake]) -> list[Mistake]:
    """What is wrong with what an experiment names, at the line that names it.

    Args:
        path: The experiment file.
        base: The model file that it names; what stands in that file is told of it.
    """
    source = read_file(path).source
    return [
        source.problem(f"space.{each.key}", each.message)
        if each.file == SET
        else source.problem("model", f"{each.file} {each.message}")
        if each.file == str(base) and not each.line
        else each
        for each in problems
    ]


def require_metric(experiment: Experiment, path: Path, model_files: Sequence[ModelFile]) -> str:
    """The score to compare by, which every model tried has.

    Raises:
        ModelFileError: One does not list it.
    """
    metric = experiment.metric or model_files[0].metrics[0]
    for model_file in model_files:
        if metric not in model_file.metrics:
            listed = ", ".join(model_file.metrics)
            what = f"{metric} is none of the model file's metrics ({listed}): add it there"
            raise ModelFileError([read_file(path).source.problem(("metric",), what)])
    return metric
