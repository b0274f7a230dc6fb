"""Shapley values by the library shap, for who trusts it more than ours, or compares.

Its permutation explainer works on a matrix of numbers, and features may be texts or absent: so it
is given places instead, 0 for the feature's own value and n for that of the n-th row.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from config.text.extras import extra_missing
from learner.explaining.cells import get, replaced
from learner.explaining.sampled import ROUNDS_USUAL, Sampling


class ShapMissingError(Exception):
    """shap is not installed. Operator: install the extra."""

    exit_code = 2


def require_shap() -> Any:
    """shap, imported where it is needed: it takes seconds, and 200 MB of memory.

    Raises:
        ShapMissingError: It is not installed.
    """
    try:
        import shap
    except ImportError as error:
        raise ShapMissingError(
            f"{extra_missing('shap', 'shap')} ({error}); or ask for shapley, which needs nothing "
            "more"
        ) from error
    return shap


class WithShap(Sampling):
    """Shapley values of one answer; there is one step, which nobody can stop."""

    usual = ROUNDS_USUAL

    def steps(self, rounds: int | None = None) -> Iterator[None]:
        """Have shap ask.

        Args:
            rounds: Permutations, each forward and back.

        Raises:
            ShapMissingError: It is not installed.
            Exception: Whatever the model raises.
        """
        shap, asked = require_shap(), rounds or self.usual
        width = len(self._cells)
        places = np.repeat(np.arange(1.0, len(self._rows) + 1)[:, None], width, axis=1)
        masker = shap.maskers.Independent(places, max_samples=len(places))
        explainer = shap.explainers.Permutation(self._answers, masker, seed=0)
        # An odd number of them; shap asks each against every row of the background.
        found = explainer(np.zeros((1, width)), max_evals=asked * (2 * width + 1), silent=True)
        self._bases.append(float(found.base_values[0]))
        for cell, value in zip(self._cells, found.values[0], strict=True):
            self._found[cell].append(float(value))
        self.rounds = asked
        yield

    def _round(self, row: Mapping[str, Any]) -> Iterator[None]:
        raise AssertionError(f"shap asks about all rows at once, not about {row}")

    def _answers(self, matrix: Any) -> Any:
        """The answers to rows of places."""
        return np.array([self._value(self._made_of(row)) for row in matrix])

    def _made_of(self, places: Sequence[float]) -> Mapping[str, Any]:
        made = self._x
        for cell, place in zip(self._cells, places, strict=True):
            if place:
                made = replaced(made, cell, get(self._rows[int(place) - 1], cell))
        return made
