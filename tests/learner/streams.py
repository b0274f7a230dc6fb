"""Small made-up streams for tests of learners, the same each time."""

import random
from collections.abc import Iterator
from typing import Any

import yaml

from config.model_file import ModelFile, parse_model_file

Pair = tuple[dict[str, Any], Any]


def binary(count: int, seed: int = 7) -> list[Pair]:
    """Two classes, three numbers and a string."""
    return [(x, total > 0.6) for x, total in _points(count, seed)]


def classes(count: int, seed: int = 7, names: tuple[Any, ...] = ("a", "b", "c")) -> list[Pair]:
    """Three classes."""
    return [(x, names[(total > 0.2) + (total > 1.0)]) for x, total in _points(count, seed)]


def numbers(count: int, seed: int = 7) -> list[Pair]:
    """A number to predict."""
    return [(x, round(total, 3)) for x, total in _points(count, seed)]


def only_numbers(pairs: list[Pair]) -> list[Pair]:
    """The same stream without the string."""
    return [({k: v for k, v in x.items() if k != "color"}, y) for x, y in pairs]


def model_file(task: str, learner: dict[str, Any], **sections: Any) -> ModelFile:
    """A model file with this learner."""
    text = {"name": "model", "task": task, "learner": learner, **sections}
    return parse_model_file(yaml.safe_dump(text, sort_keys=False))


def _points(count: int, seed: int) -> Iterator[tuple[dict[str, Any], float]]:
    source = random.Random(seed)
    for _ in range(count):
        a, b, c = source.random(), source.gauss(0.0, 2.0), source.uniform(-1.0, 3.0)
        color = source.choice(["red", "green", "blue"])
        total = a + 0.3 * b + 0.5 * c + (color == "red") - 0.4 + source.gauss(0.0, 0.2)
        yield {"a": a, "b": b, "c": c, "color": color}, total
