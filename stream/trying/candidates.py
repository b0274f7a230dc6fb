"""What is tried: model files, and each with other values in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.errors import ConfigError, Mistake, ModelFileError
from config.model_file import ModelFile, draft_of
from config.text.yaml_lines import Document, read_file
from learner.check_model_file import checked
from learner.errors import SpecError
from stream.learning.trial import check_restorable
from stream.trying.value_paths import PathError, Settings, flow, told_settings, with_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model to try.

    Attributes:
        path: Of its model file.
        settings: What stands in it otherwise than in the file, by path.
    """

    path: str
    model_file: ModelFile
    settings: Settings = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The model's name, and what is set."""
        return " ".join([self.model_file.name, *told_settings(self.settings)])


class ModelDocument:
    """A model file as it was read, of which candidates are made.

    Args:
        path: As the user named it.

    Raises:
        ModelFileError: It is no YAML.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._document = read_file(path)
        if self._document.problems:
            raise ModelFileError(self._document.problems)

    @property
    def content(self) -> Any:
        """What it holds, not yet checked."""
        return self._document.value

    def candidate(self, settings: Settings, scratch: Path | None = None) -> Candidate:
        """The model file with these values in it, checked as a learner that starts checks it.

        Args:
            scratch: A private folder in memory, for learners that save only to a path.

        Raises:
            ModelFileError: With every problem found; of a value that was set, with its path.
            PathError: A path leads nowhere in it.
        """
        try:
            changed = with_settings(self.content, settings)
        except PathError as error:  # of several files it says which
            raise error.within(str(self.path)) from error
        document = Document(value=changed, source=self._document.source, problems=())
        try:
            model_file = checked(draft_of(document))
        except ModelFileError as error:
            raise _told(error, settings) from error
        try:
            check_restorable(model_file, scratch)
        except SpecError as error:
            problem = model_file.source.problem(error.key, error.message)
            raise _told(ModelFileError([problem]), settings) from error
        return Candidate(path=str(self.path), model_file=model_file, settings=settings)


def candidates(
    paths: Sequence[Path], variants: Iterable[Settings], scratch: Path | None = None
) -> list[Candidate]:
    """Each model file with each of the variants, those of one file together.

    Raises:
        ConfigError: All that is wrong with all of them.
    """
    found: list[Candidate] = []
    problems: list[Mistake] = []
    listed = list(variants)
    for path in paths:
        try:
            document = ModelDocument(path)
            found += [document.candidate(settings, scratch) for settings in listed]
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ModelFileError(dict.fromkeys(problems))
    return found


def _told(error: ModelFileError, settings: Settings) -> ModelFileError:
    """The problems, with what was set where something was: the file itself may have none."""
    if not settings:
        return error
    listed = ", ".join(f"{path}={flow(value)}" for path, value in settings.items())
    return ModelFileError(
        Mistake(
            file=each.file, line=each.line, key=each.key,
            message=f"{each.message} (with {listed})",
        )
        for each in error.problems
    )  # fmt: skip
