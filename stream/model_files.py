"""Model files by their lines, which are made here once and handed down."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import typer

from checkpoints.operating.connection import line_of

if TYPE_CHECKING:
    from checkpoints.records.line import Line
    from config.errors import Mistake
    from config.model_file import ModelFile

Models: TypeAlias = "dict[Line, tuple[Path, ModelFile]]"


def model_files_at(paths: Sequence[Path], *, runs_own: bool | None = None) -> Models:
    """The model files by their lines; no two are of one.

    Args:
        runs_own: Not None: River or Vowpal Wabbit must know all that they name. Whether users' own
            learners are made, too: only where nobody else depends on it.

    Raises:
        ModelFileError: With all the mistakes of all the files.
        typer.BadParameter: Two files are of one line.
    """
    from config.errors import ModelFileError

    load = _loader(runs_own)
    found: list[tuple[Path, ModelFile]] = []
    problems: list[Mistake] = []
    for path in paths:
        try:
            found.append((path.resolve(), load(path)))
        except ModelFileError as error:
            problems += error.problems
    if problems:
        raise ModelFileError(problems)
    models: Models = {}
    for path, model_file in found:
        line = line_of(model_file.name)
        if line in models:
            raise typer.BadParameter(f"two model files are named {line}", param_hint="--model")
        models[line] = (path, model_file)
    return models


def line_and_file(path: Path) -> "tuple[Line, ModelFile]":
    """The line and the model file of one path, which nobody has made yet."""
    ((line, (_, model_file)),) = model_files_at([path]).items()
    return line, model_file


def _loader(runs_own: bool | None) -> "Callable[[Path], ModelFile]":
    if runs_own is None:
        from config.model_file import load_model_file

        return load_model_file
    from learner.check_model_file import checked_model_file

    return functools.partial(checked_model_file, runs_own=runs_own)
