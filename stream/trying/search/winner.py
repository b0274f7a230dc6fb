"""The winner's model file: the base file as it was written, with other values at its places.

Comments, order and layout stay: a value is put in the place of the one that stood there, character
by character. The text is read again, and must then say what was tried.
"""

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from config.errors import ConfigError, Mistake
from config.text.yaml_lines import KeyPath, read_text
from stream.trying.rows import TrialRow
from stream.trying.search.experiment import Experiment
from stream.trying.search.lab import Lab
from stream.trying.search.search import Search
from stream.trying.value_paths import flow, resolved, with_settings

_WIDTH = 98  # of a comment
_BEGIN = "Found by `weir search"


class WinnerError(ConfigError):
    """The values cannot be written into the text of the base file.

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


def winner_text(base: str, settings: Mapping[str, Any], comment: str, *, file: str) -> str:
    """The base file's text with the winner's values, under a comment.

    Args:
        file: What the base file is called in messages.

    Raises:
        WinnerError: An alias (`*name`) stands where a value is to be put.

    >>> base = "name: m   # mine\\nlearner:\\n  river:\\n  - linear_model.PARegressor: {C: 1.0}\\n"
    >>> print(winner_text(base, {"learner.river.PARegressor.C": 0.1}, "Found.", file="m.yaml"))
    # Found.
    name: m   # mine
    learner:
      river:
      - linear_model.PARegressor: {C: 0.1}
    <BLANKLINE>
    """
    content = read_text(base, file=file).value
    text = base
    for path, value in settings.items():
        text = _put(text, resolved(read_text(text, file=file).value, path), value)
    if read_text(text, file=file).value != with_settings(content, settings):
        listed = ", ".join(f"{path}: {value}" for path, value in settings.items())
        message = f"cannot be given other values where aliases stand; by hand: {listed}"
        raise WinnerError([Mistake(file=file, line=0, key="", message=message)])
    return f"{_commented(comment)}\n{text}"


def _put(text: str, keys: KeyPath, value: Any) -> str:
    """The text with a value at these keys, which lead somewhere in it."""
    node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    for place, key in enumerate(keys):
        inner = _inside(node, key)
        if inner is None:
            return _added(text, node, keys[place:], value)
        node = inner
    return _spliced(text, node, flow(value))


def _inside(node: Any, key: str | int) -> Any:
    """What stands at a key of a node; None where nothing does."""
    if isinstance(node, yaml.SequenceNode):
        assert isinstance(key, int), "resolved keys fit"
        return node.value[key]
    if isinstance(node, yaml.MappingNode):
        return next((inner for name, inner in node.value if name.value == str(key)), None)
    return None


def _added(text: str, node: Any, keys: KeyPath, value: Any) -> str:
    """The text with keys that a node lacks: a component without arguments, or a new argument."""
    new = value
    for key in reversed(keys[1:]):
        new = {key: new}
    if isinstance(node, yaml.ScalarNode):
        return _spliced(text, node, flow({keys[0]: new}))
    entry = f"{keys[0]}: {flow(new)}"
    begin = node.start_mark.index
    if node.flow_style:
        comma = ", " if node.value else ""
        return f"{text[: begin + 1]}{entry}{comma}{text[begin + 1 :]}"
    return f"{text[:begin]}{entry}\n{' ' * node.start_mark.column}{text[begin:]}"


def _spliced(text: str, node: Any, new: str) -> str:
    begin, end = node.start_mark.index, node.end_mark.index
    is_block = isinstance(node, yaml.CollectionNode) and not node.flow_style
    if is_block:  # it ends where the next thing begins
        kept = text[begin:end].rstrip()
        end = begin + len(kept)
    return f"{text[:begin]}{new}{text[end:]}"


def _commented(comment: str) -> str:
    return "\n".join(f"# {line}" for line in _wrapped(comment))


def _wrapped(comment: str) -> Iterator[str]:
    for line in comment.splitlines():
        yield from textwrap.wrap(line, _WIDTH, break_long_words=False) or [""]
