"""The winner's model file: the base file as it was written, with other values at its places.

Comments, order and layout stay wherever `text_edits.py` can keep them; else the file is written
anew, without the comments, and says so. The text is read again, and must then say what was tried.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from config.errors import ConfigError, Mistake
from config.text.yaml_lines import read_text
from stream.trying.rows import TrialRow
from stream.trying.search.experiment import Experiment
from stream.trying.search.lab import Lab
from stream.trying.search.search import Search
from stream.trying.search.text_edits import dumped, edited, says
from stream.trying.value_paths import flow, with_settings

_WIDTH = 98  # of a comment
_REWRITTEN = (
    "\nWritten anew, without the comments of {}: in its layout no other values can be put in place "
    "(an anchor that is used elsewhere, for one)."
)
_BEGIN = "Found by `weir search"


class WinnerError(ConfigError):
    """No model file can be written that has these values.

    Operator: write the values that are named into it by hand.
    """


def is_a_winner(file: Path) -> bool:
    """Whether a search has written this file."""
    with file.open("rb") as content:
        return content.read(len(_BEGIN) + 2) == f"# {_BEGIN}".encode()


def how_found(row: TrialRow, experiment: Experiment, file: str, lab: Lab, found: Search) -> str:
    """The comment that a winner begins with."""
    score = row.metrics[lab.metric]
    values = ", ".join(f"{path}: {flow(value)}" for path, value in row.set.items())
    how = f"method {experiment.method}, seed {experiment.seed}"
    share = f"{found.records:,} of the {found.planned:,} steps of a whole search"
    baseline = "" if score.baseline is None else f"; the better baseline {score.baseline:.6g}"
    return (
        f"{_BEGIN} {file}`: {how}, {len(lab.candidates)} trials on {lab.records:,} "
        f"records of {lab.source}, {share}.\n"
        f"{lab.metric} {_short(score.lifetime)} over them, {_short(score.rolling)} at their end"
        f"{baseline}.\n"
        f"In place of what {experiment.model} has: {values}"
    )


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def require_writable(base: Path, tried: Iterable[Mapping[str, Any]]) -> None:
    """See that each of these trials could be written as the winner, before any is run.

    Raises:
        WinnerError: One could not.
    """
    text = base.read_text("utf-8-sig")
    for settings in tried:
        winner_text(text, settings, _BEGIN, file=str(base))


def winner_text(base: str, settings: Mapping[str, Any], comment: str, *, file: str) -> str:
    """The base file's text with the winner's values, under a comment.

    Args:
        file: What the base file is called in messages.

    Raises:
        WinnerError: No text says what was tried.

    >>> base = "name: m   # mine\\nlearner:\\n  river:\\n  - linear_model.PARegressor: {C: 1.0}\\n"
    >>> print(winner_text(base, {"learner.river.PARegressor.C": 0.1}, "Found.", file="m.yaml"))
    # Found.
    name: m   # mine
    learner:
      river:
      - linear_model.PARegressor: {C: 0.1}
    <BLANKLINE>
    """
    text = edited(base, settings)
    if text is None:
        comment += _REWRITTEN.format(file)
        text = dumped(with_settings(read_text(base, file=file).value, settings))
    whole = f"{_commented(comment)}\n{text}"
    if not says(whole, with_settings(read_text(base, file=file).value, settings)):
        listed = ", ".join(f"{path}: {value}" for path, value in settings.items())
        message = f"cannot be written with the values that are tried; by hand: {listed}"
        raise WinnerError([Mistake(file=file, line=0, key="", message=message)])
    return whole


def _commented(comment: str) -> str:
    text = "\n".join(f"# {line}" for line in _wrapped(comment))
    # A file's name may hold what no YAML may.
    return "".join(mark if mark == "\n" or mark.isprintable() else "?" for mark in text)


def _wrapped(comment: str) -> Iterator[str]:
    for line in comment.splitlines():
        yield from textwrap.wrap(line, _WIDTH, break_long_words=False) or [""]
