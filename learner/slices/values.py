"""Which value an event has in a slice: the text that stands for it."""

import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from config.model.slices import Slice

ABSENT, OTHER, NO_NUMBER = "absent", "other", "no number"
_TEXTS_MAX = 1_000  # more values than are told apart; only a saving
# Seconds; what people wait for: a click, a session, a day, a week.
_AGES_S = (60, 3600, 86_400, 604_800)
_AGE_NAMES = ("<1m", "1m-1h", "1h-1d", "1d-7d", ">=7d")


class _Texts(dict[tuple[type, Any], str]):
    """The JSON text of each value that is asked for; some of them are remembered."""

    def __missing__(self, key: tuple[type, Any]) -> str:
        text = json.dumps(key[1])
        if len(self) < _TEXTS_MAX:
            self[key] = text
        return text


def value_of(each: Slice) -> Callable[[Any], str]:
    """A function from an event's features to its value in this slice.

    >>> value_of(Slice(feature="country"))({"country": "TR"})
    'TR'
    >>> by_age = value_of(Slice(feature="age", bins=(18, 30.5)))
    >>> [by_age({"age": age}) for age in (7, 18, 30.5, "old")], by_age({})
    (['<18', '18-30.5', '>=30.5', 'no number'], 'absent')
    """
    name, bins, texts = each.feature, each.bins, _Texts()
    outer, _, inner = name.partition(".")
    names = None if bins is None else bin_names(bins)

    def value(x: Any) -> str:
        found = x.get(name, ABSENT)
        if found is ABSENT and inner:  # a namespace of Vowpal Wabbit's
            nested = x.get(outer)
            found = nested.get(inner, ABSENT) if isinstance(nested, dict) else ABSENT
        if bins is not None and names is not None and found is not ABSENT:
            is_number = isinstance(found, int | float) and not isinstance(found, bool)
            return names[bisect_right(bins, found)] if is_number else NO_NUMBER
        return found if isinstance(found, str) else texts[found.__class__, found]

    return value


def bin_names(bounds: Sequence[float]) -> tuple[str, ...]:
    """Of the bins between these bounds, from the lowest.

    >>> bin_names([0, 10])
    ('<0', '0-10', '>=10')
    """
    shown = [f"{bound:g}" for bound in bounds]
    between = [f"{low}-{high}" for low, high in pairwise(shown)]
    return (f"<{shown[0]}", *between, f">={shown[-1]}")


def age_name(seconds: float) -> str:
    """How long a label took, in words.

    >>> age_name(-3), age_name(60), age_name(1e9)
    ('<1m', '1m-1h', '>=7d')
    """
    return _AGE_NAMES[bisect_right(_AGES_S, seconds)]
