"""The section `value`: what a prediction is worth.

For classes a number for each predicted and actual label, by the label's JSON text; for a
regression the cost of one unit of error, above the truth and below it.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, JsonValue

from config.text.messages import wrong
from config.text.nearest import did_you_mean
from config.text.values import shown

_COSTS = ("over", "under")
_MOST = 1e12


def label_text(label: object) -> str:
    """A label's JSON text, without quotes.

    >>> label_text(True), label_text(0), label_text("UP")
    ('true', '0', 'UP')
    """
    return label if isinstance(label, str) else json.dumps(label)


def _by_text(value: object) -> object:
    """Labels are keys, and YAML reads one without quotes as what it looks like."""
    if not isinstance(value, dict):
        raise wrong(f"must be a mapping: a row for each predicted label, not {shown(value)}")
    return {label_text(key): _row(row) for key, row in value.items()}


def _row(row: object) -> object:
    return {label_text(key): n for key, n in row.items()} if isinstance(row, dict) else row


Value = Annotated[dict[str, JsonValue], BeforeValidator(_by_text)]


def misfit(
    value: Mapping[str, Any], task: str | None, labels: tuple[Any, ...] | None
) -> str | None:
    """What is wrong with this section for that task, if anything.

    >>> misfit({"over": 1.0}, "regression", None)
    'of a regression is {over: …, under: …}: what a unit above the truth costs, and one below'
    >>> misfit({"true": {"true": 5}, "false": {"true": 0, "false": 0}}, "binary", None)
    'has no number for predicted true, actual false'
    """
    if task == "regression":
        return _wrong_costs(value)
    if task == "multiclass" and labels is None:
        return "needs `labels:`, to have a number for each of them"
    texts = list(map(label_text, labels or (True, False)))
    stray = [key for key in value if key not in texts]
    if stray:
        return _no_label(stray[0], texts)
    for predicted in texts:
        problem = _wrong_row(predicted, value.get(predicted, {}), texts)
        if problem:
            return problem
    return None


def _wrong_costs(value: Mapping[str, Any]) -> str | None:
    if sorted(value) != list(_COSTS):
        usual = "{over: …, under: …}"
        return f"of a regression is {usual}: what a unit above the truth costs, and one below"
    bad = [key for key in _COSTS if not _is_number(value[key]) or value[key] < 0]
    if bad:
        return f"{bad[0]} must be a number from 0 to {_MOST:g}, not {shown(value[bad[0]])}"
    return None


def _wrong_row(predicted: str, row: Any, texts: list[str]) -> str | None:
    if not isinstance(row, dict):
        return f"of predicted {predicted} must be a mapping: a number for each actual label"
    stray = [key for key in row if key not in texts]
    if stray:
        return _no_label(stray[0], texts)
    for actual in texts:
        if actual not in row:
            return f"has no number for predicted {predicted}, actual {actual}"
        if not _is_number(row[actual]):
            pair = f"predicted {predicted}, actual {actual}"
            return f"for {pair} must be a number up to {_MOST:g}, not {shown(row[actual])}"
    return None


def _no_label(key: str, texts: list[str]) -> str:
    listed = ", ".join(texts[:10])
    return f"has {key}, which is none of the labels ({listed}){did_you_mean(key, texts)}"


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) <= _MOST
