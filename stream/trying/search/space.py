"""What a search may set: values listed, or drawn from a range by its seed. Pure."""

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from config.model.parts import ModelFilePart
from config.text.messages import wrong
from config.text.values import shown
from stream.trying.value_paths import Settings, grid

# Draws of settings that were drawn before, after which there are taken to be no others.
_DRAWS_PER_TRIAL = 100
# Of a range what lies further out is its edge.
_INNER = 0.05
# Of a number drawn, and of the width of its range: a model file that a person reads.
_DIGITS = 4
# What a trial's process can send, and most learners can hold.
_WHOLE_LEAST, _WHOLE_MOST = -(2**63), 2**63 - 1
_TOO_LARGE = "whole numbers lie between -2^63 and 2^63 - 1, which {} does not"
_LISTED = "grid takes values that are listed: method random draws from a range"


class DrawRange(ModelFilePart):
    """Values between two, both included: exactly one of these.

    Args:
        uniform: Any number, each as likely as any other.
        log: Any number above 0, each magnitude as likely as any other.
        whole: Any whole number.
    """

    uniform: list[float] | None = None
    log: list[float] | None = None
    whole: list[int] | None = None

    @model_validator(mode="after")
    def _is_one_range(self) -> Self:
        given = [each for each in (self.uniform, self.log, self.whole) if each is not None]
        if len(given) != 1:
            raise wrong("needs exactly one of uniform, log and whole")
        if len(given[0]) != 2 or given[0][0] >= given[0][1]:
            raise wrong(f"must be [low, high], not {given[0]}")
        if self.log is not None and self.log[0] <= 0:
            raise wrong(f"log needs numbers above 0, not {self.log}")
        if self.whole is not None:
            require_sendable(self.whole)
        if not math.isfinite(given[0][1] - given[0][0]):
            raise wrong(f"is wider than numbers reach: {given[0]}; draw by its magnitude, with log")
        return self

    def draw(self, rng: random.Random) -> float | int:
        """One value, of as few digits as tell it from its neighbours; never one outside."""
        if self.whole is not None:
            return rng.randint(*self.whole)
        if self.log is not None:
            low, high = map(math.log, self.log)
            return _rounded(math.exp(rng.uniform(low, high)), *self.log)
        assert self.uniform is not None, "one of three"
        return _rounded(rng.uniform(*self.uniform), *self.uniform)


def require_sendable(value: object) -> None:
    """Refuse whole numbers beyond 64 bits, at any depth."""
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            require_sendable(inner)
    elif isinstance(value, int) and not _WHOLE_LEAST <= value <= _WHOLE_MOST:
        raise wrong(_TOO_LARGE.format(shown(value)))


def _listed(values: list[Any]) -> list[Any]:
    require_sendable(values)
    return values


def _kind(choices: object) -> str | None:
    """Which of the two it is meant to be: of that alone its mistakes are told."""
    if isinstance(choices, list):
        return LISTED
    return DRAWN if isinstance(choices, dict | DrawRange) else None


# As pydantic calls the two in the place of a mistake.
LISTED, DRAWN = "<listed>", "<drawn>"
Choices: TypeAlias = Annotated[
    Annotated[list[Any], Field(min_length=1), AfterValidator(_listed), Tag(LISTED)]
    | Annotated[DrawRange, Tag(DRAWN)],
    Discriminator(
        _kind,
        custom_error_type="weir",
        custom_error_message="must be a list of values, or a range to draw from, "
        "as in  {uniform: [0, 1]}, {log: [0.001, 1]} or {whole: [1, 10]}",
    ),
]
Space: TypeAlias = Mapping[str, Choices]


def whole_grid(space: Space) -> list[Settings]:
    """Every combination.

    Raises:
        ValueError: A value is not listed.
        PathError: There are too many.
    """
    if any(isinstance(choices, DrawRange) for choices in space.values()):
        raise ValueError(_LISTED)
    return grid((path, choices) for path, choices in space.items() if isinstance(choices, list))


def draws(space: Space, count: int, seed: int) -> list[Settings]:
    """So many settings, no two alike; fewer where there are fewer.

    >>> found = draws({"a": [1, 2], "b": DrawRange(log=[0.001, 1.0])}, 3, seed=1)
    >>> [each["a"] for each in found], all(0.001 <= each["b"] <= 1 for each in found)
    ([1, 1, 2], True)
    """
    rng = random.Random(seed)
    found: list[Settings] = []
    for _ in itertools.repeat(None, count * _DRAWS_PER_TRIAL):
        drawn = {path: _drawn(choices, rng) for path, choices in space.items()}
        if drawn not in found:
            found.append(drawn)
        if len(found) == count:
            break
    return found


def undrawn(space: Space, tried: Sequence[Settings]) -> dict[str, list[Any]]:
    """By path, the listed values that none of these settings has: draws may pass some over.

    >>> undrawn({"a": [1, 2, 3], "b": DrawRange(whole=[1, 9])}, [{"a": 2, "b": 4}])
    {'a': [1, 3]}
    """
    lists = {path: choices for path, choices in space.items() if isinstance(choices, list)}
    found = {
        path: [value for value in choices if all(each[path] != value for each in tried)]
        for path, choices in lists.items()
    }
    return {path: values for path, values in found.items() if values}


def at_edges(space: Space, settings: Settings) -> dict[str, str]:
    """Of these settings the numbers that are the `largest` or the `smallest` offered, by path.

    Of a range what lies in the outer twentieth. A smallest 0 is none: below it is seldom anything;
    nor is one of two values listed, of which each would be.

    >>> space = {"a": [0, 0.1, 0.3], "b": DrawRange(log=[0.001, 1.0]), "c": ["x", "y", "z"]}
    >>> at_edges(space, {"a": 0.3, "b": 0.0011, "c": "x"}), at_edges(space, {"a": 0, "b": 0.05})
    ({'a': 'largest', 'b': 'smallest'}, {})
    """
    places = {path: _place(space[path], value) for path, value in settings.items()}
    return {path: "largest" if place > 0.5 else "smallest" for path, place in places.items()
             if place is not None and not _INNER <= place <= 1 - _INNER}  # fmt: skip


def _place(choices: Choices, value: Any) -> float | None:
    """Where a number lies in what is offered, from 0 to 1; None: it is no question."""
    if isinstance(choices, DrawRange):
        low, high = choices.uniform or choices.log or choices.whole or (0, 1)
        if choices.log is not None:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return None if value == low == 0 else (value - low) / (high - low)
    if len(choices) <= 2 or not all(type(each) in (int, float) for each in choices):
        return None
    low, high = min(choices), max(choices)
    if low == high or value == low == 0:
        return None
    return 1.0 if value == high else 0.0 if value == low else 0.5


def _drawn(choices: Choices, rng: random.Random) -> Any:
    return choices.draw(rng) if isinstance(choices, DrawRange) else rng.choice(choices)


def _rounded(value: float, low: float, high: float) -> float:
    """Four digits, or as many as it takes to have four of the range's width; never outside.

    >>> _rounded(0.1234567, 0.0, 1.0), _rounded(0.99994321, 0.99991, 0.99999), _rounded(9.9, 0, 9.8)
    (0.1235, 0.99994321, 9.8)
    """
    short = float(f"{value:.{_DIGITS}g}")
    decimals = _DIGITS - 1 - math.floor(math.log10(high - low))
    fine = round(value, decimals)
    # The shorter of the two lies further away, or as far.
    is_short_enough = abs(short - value) <= 10.0**-decimals
    return min(max(short if is_short_enough else fine, low), high)
