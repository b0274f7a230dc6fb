"""The model file: what a model learns, from which topics, and how its versions are kept.

Its keys are told in docs/reference/model-file.md. Here is checked what the text alone can tell;
whether River or Vowpal Wabbit know a name is for `learner/` to say.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    JsonValue,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from config.errors import Mistake, ModelFileError
from config.model.answer_log import AnswerLog, log_misfit
from config.model.importance import Importance
from config.model.late_labels import LateLabels, answers_are_events
from config.model.parts import (
    Checkpoint,
    Drift,
    FeatureSpec,
    Learner,
    Limits,
    ModelFilePart,
    ScoreWindows,
    Topics,
)
from config.model.publish import Publish
from config.model.slices import Slices
from config.model.value import Value, misfit
from config.terms import Label, MissingWord, Module, Name, Text, is_model_name
from config.text.messages import place_of, plain_message, wrong
from config.text.yaml_lines import Document, Source, read_file, read_text

TaskName = Literal["binary", "multiclass", "regression"]
_ANY = 1 << 31
# Of each task: how many labels the file may list, what is wrong with others, the usual metric.
_TASKS: dict[TaskName | None, tuple[range, str, str]] = {
    "binary": (range(2, 3), "of a binary task are two, the second is positive: {}", "Accuracy"),
    "multiclass": (range(2, _ANY), "of a multiclass task are two or more, or left out", "Accuracy"),
    "regression": (range(0), "are for classes; leave them out of a regression", "MAE"),
    None: (range(_ANY), "", "Accuracy"),  # the task is wrong itself, which is told
}
# Texts that mean absent in CSV where the model file lists none.
MISSING_IN_CSV = ("", "NA", "n/a", "null")
Listed = Field(strict=False)  # a YAML list becomes a tuple


class ModelFile(ModelFilePart):
    """One model, as its file says it, defaults filled in. Made by `load_model_file`.

    >>> model = parse_model_file('''
    ... name: phishing
    ... task: binary
    ... learner: {river: [linear_model.LogisticRegression]}
    ... ''')
    >>> model.topics.events, model.limits.record, model.metrics
    ('phishing.events', 1048576, ('Accuracy',))
    """

    name: Name
    task: TaskName
    labels: Annotated[tuple[Label, ...], Listed] | None = None
    learner: Learner
    features: dict[str, FeatureSpec] | None = None
    strict: bool = False
    missing: Annotated[tuple[MissingWord, ...], Listed] | None = None
    value: Value | None = None
    metrics: Annotated[tuple[Text, ...], Listed] = Field(default=(), validate_default=True)
    scores: ScoreWindows = ScoreWindows()
    slices: Slices = ()
    drift: Annotated[tuple[Drift, ...], Listed] = ()
    limits: Limits = Limits()
    topics: Topics
    checkpoint: Checkpoint = Checkpoint()
    late_labels: LateLabels | None = None
    log: AnswerLog | None = None
    publish: Publish | None = None
    importance: Importance | None = None
    trust: Annotated[tuple[Module, ...], Listed] = Field(default=(), validate_default=True)

    _source: Source = PrivateAttr(default_factory=lambda: Source(file="model file"))

    def model_post_init(self, context: Any, /) -> None:
        """Take the source along that `draft_of` hands over."""
        if isinstance(context, Source):
            self._source = context

    @property
    def source(self) -> Source:
        """Where each key stands: `source.where("learner.river[1]")` is `file:line`."""
        return self._source

    @property
    def answer_log(self) -> AnswerLog | None:
        """Which answers of the API are written down; None: none."""
        if self.log is None:
            return AnswerLog() if answers_are_events(self.late_labels) else None
        return self.log if self.log.predictions else None

    @property
    def scores_answers(self) -> bool:
        """Whether the learner reads answers of the API for the served scores, beside its events."""
        late = self.late_labels
        return late is not None and late.features == "events" and self.answer_log is not None

    def sections(self) -> dict[str, JsonValue]:
        """Each section's content with the defaults filled in, as plain JSON, for the manifest.

        Equal contents mean that nothing changed, however the file was written.
        """
        content = self.model_dump(mode="json", exclude_none=True)
        return {section: content.get(section) for section in type(self).model_fields}

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, value: Any) -> Any:
        """A section without content counts as left out; topics are named after the model."""
        if not isinstance(value, dict):
            return value
        given = {key: each for key, each in value.items() if each is not None}
        name, topics = str(given.get("name")), given.get("topics", {})
        if isinstance(topics, dict):
            model = name if is_model_name(name) else "model"  # the name is complained of once
            usual = {key: f"{model}.{key}" for key in ("events", "labels", "predictions")}
            given["topics"] = {**usual, **topics}
        return given

    @field_validator("labels")
    @classmethod
    def _labels_fit(
        cls, labels: tuple[Label, ...] | None, info: ValidationInfo
    ) -> tuple[Label, ...] | None:
        if labels is None:
            return None
        count, otherwise, _ = _TASKS[info.data.get("task")]
        if len(labels) not in count:
            raise wrong(otherwise.format(labels))
        if len({type(label) for label in labels}) > 1:
            raise wrong("must all be of one type: all text, or all whole numbers")
        if len(set(labels)) < len(labels):
            raise wrong("must differ from each other")
        return labels

    @field_validator("strict")
    @classmethod
    def _strict_about_something(cls, strict: bool, info: ValidationInfo) -> bool:
        if strict and not info.data.get("features", True):
            raise wrong("true needs `features:` to be strict about")
        return strict

    @field_validator("value")
    @classmethod
    def _value_fits(
        cls, value: dict[str, JsonValue] | None, info: ValidationInfo
    ) -> dict[str, JsonValue] | None:
        if value is None or not {"task", "labels"}.issubset(info.data):
            return value
        problem = misfit(value, info.data["task"], info.data["labels"])
        if problem:
            raise wrong(problem)
        return value

    @field_validator("metrics")
    @classmethod
    def _metrics_fit(cls, metrics: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        twice = [name for name in metrics if metrics.count(name) > 1]
        if twice:
            raise wrong(f"name {twice[0]} twice")
        learner = info.data.get("learner")
        if "VWLoss" in metrics and isinstance(learner, Learner) and learner.vw is None:
            raise wrong("VWLoss is Vowpal Wabbit's own loss: it needs `learner: {vw: …}`")
        if "Value" in metrics and info.data.get("value", True) is None:
            raise wrong("Value needs the section `value:`, which says what predictions are worth")
        return metrics or (_TASKS[info.data.get("task")][2],)

    @field_validator("slices")
    @classmethod
    def _slices_differ(cls, slices: Slices) -> Slices:
        names = [each.feature for each in slices]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise wrong(f"name {twice[0]} twice")
        return slices

    @field_validator("topics")
    @classmethod
    def _text_is_for_vw(cls, topics: Topics, info: ValidationInfo) -> Topics:
        learner = info.data.get("learner")
        if topics.format == "vw" and isinstance(learner, Learner) and learner.vw is None:
            raise wrong("format: vw is Vowpal Wabbit's text: it needs `learner: {vw: …}`")
        if topics.format == "vw" and info.data.get("slices"):
            raise wrong("format: vw is one line of text an event, which `slices:` cannot read")
        return topics

    @field_validator("late_labels")
    @classmethod
    def _default_is_a_label(
        cls, late_labels: LateLabels | None, info: ValidationInfo
    ) -> LateLabels | None:
        misfit = late_labels and late_labels.misfit(info.data.get("task"), info.data.get("labels"))
        if misfit:
            raise wrong(misfit)
        return late_labels

    @field_validator("log")
    @classmethod
    def _log_holds_what_waits(cls, log: AnswerLog | None, info: ValidationInfo) -> AnswerLog | None:
        misfit = log and log_misfit(log, info.data.get("late_labels"))
        if misfit:
            raise wrong(misfit)
        return log

    @field_validator("publish")
    @classmethod
    def _score_is_kept(cls, publish: Publish | None, info: ValidationInfo) -> Publish | None:
        misfit = publish and "metrics" in info.data and publish.misfit(info.data["metrics"])
        if misfit:
            raise wrong(misfit)
        return publish

    @field_validator("importance")
    @classmethod
    def _may_be_asked(
        cls, importance: Importance | None, info: ValidationInfo
    ) -> Importance | None:
        learner = info.data.get("learner")
        if importance is not None and isinstance(learner, Learner) and learner.vw is not None:
            raise wrong("asks the model more often, by which Vowpal Wabbit learns otherwise")
        return importance

    @field_validator("trust")
    @classmethod
    def _learner_is_trusted(cls, trust: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """The user's class comes back from a checkpoint only if its module is trusted."""
        learner = info.data.get("learner")
        if not isinstance(learner, Learner) or learner.python is None:
            return trust
        module = learner.python.partition(":")[0]
        if not any(module == each or module.startswith(f"{each}.") for each in trust):
            package = module.partition(".")[0]
            raise wrong(f"must list the module of the learner: write  trust: [{package}]")
        return trust


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A model file that may have mistakes.

    Args:
        model: What is right of it; None where there is no task to check the rest by.
        problems: The mistakes, in the order of their lines.
        wrong: Sections with mistakes, which are not in `model`; a learner is, but another.
    """

    model: ModelFile | None
    problems: tuple[Mistake, ...]
    wrong: frozenset[str] = frozenset()


def read_draft(path: Path) -> Draft:
    """Read the model file at `path`, whatever is wrong with it."""
    return draft_of(read_file(path))


def load_model_file(path: str | Path) -> ModelFile:
    """Read and check the model file at `path`.

    Raises:
        ModelFileError: with every problem found, each with its line.
    """
    return _right(read_draft(Path(path)))


def parse_model_file(text: str, *, file: str = "model file") -> ModelFile:
    """Read and check a model file's text; `file` is the name that problems are told by.

    Raises:
        ModelFileError: with every problem found, each with its line.

    >>> parse_model_file("name: phishing\\ntsak: binary\\nlearner: {vw: --noconstant}", file="m")
    Traceback (most recent call last):
    config.errors.ModelFileError: m:1: task: is missing
    m:2: tsak: is not a key that is known here (did you mean "task"?)
    """
    return _right(draft_of(read_text(text, file=file)))


def _right(draft: Draft) -> ModelFile:
    if draft.model is None or draft.problems:
        raise ModelFileError(draft.problems)
    return draft.model


def draft_of(document: Document) -> Draft:
    """The model file that a document holds, whatever is wrong with it."""
    if document.value is None and document.problems:  # no YAML: the rest would mislead
        return Draft(model=None, problems=document.problems)
    content = {} if document.value is None else document.value
    try:
        model = ModelFile.model_validate(content, context=document.source)
    except ValidationError as error:
        found = (*document.problems, *_problems(error, document.source))
        wrong = frozenset(str(at[0]) for each in error.errors() if (at := place_of(each)))
        return Draft(
            model=_rest(content, wrong, document.source),
            problems=tuple(sorted(found, key=lambda problem: problem.line)),
            wrong=wrong,
        )
    return Draft(model=model, problems=document.problems)


def _rest(content: JsonValue, wrong: Collection[str], source: Source) -> ModelFile | None:
    """The file without the sections that are wrong."""
    if not isinstance(content, dict) or "task" in wrong:
        return None
    right = {key: each for key, each in content.items() if str(key) not in wrong}
    needed = {"name": "model", "learner": {"vw": ""}, **right}
    try:
        return ModelFile.model_validate(needed, context=source)
    except ValidationError:  # a section that is right needs one that is wrong
        return None


def _problems(error: ValidationError, source: Source) -> list[Mistake]:
    return [
        source.problem(place_of(each), plain_message(each, ModelFile))
        for each in error.errors(include_url=False)
    ]
