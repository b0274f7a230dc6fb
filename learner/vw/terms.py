"""What Vowpal Wabbit's score is the sum of: one term a feature, or a combination of them.

A second workspace with `--audit` writes each term of a prediction to the process's stdout, from
where it is caught: into memory, since a pipe would block once it is full. Its numbers have six
digits; weights are read from the workspace, and values computed from the features, where they are
known.

Source: github.com/VowpalWabbit/vowpal_wabbit/wiki/Audit.
"""

import math
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from vowpalwabbit import pyvw

from learner.explaining.exact.parts import logistic
from learner.vw.arguments import Arguments
from learner.vw.text import features_text, tokens

_BITS_MAX = 20  # the workspace is a second set of weights: 16 MiB, and 15 ms to load
_STDOUT = 1
_TERMS_MAX = 3_000  # each is written and read in about 10 us: what an explanation has time for
_AUDITED_MAX = 1 << 20  # bytes that are read of what is written: more than so many terms take
# What a sum of weights is read as: it is not where several models answer.
_NOT_ONE_SUM = frozenset(
    ["boosting", "ect", "log_multi", "marginal", "nn", "oaa", "recall_tree", "interact", "baseline"]
)
_COMBINING = ("quadratic", "cubic", "interactions")


def _exponential(score: float) -> float:
    try:
        return math.exp(score)
    except OverflowError:
        return math.inf


_LINKS: Mapping[str, Callable[[float], float]] = {
    "identity": float,
    "logistic": logistic,
    "glf1": lambda score: 2.0 * logistic(score) - 1.0,
    "poisson": _exponential,
}


class Term(NamedTuple):
    """One term of a score.

    Attributes:
        name: The feature's, `outer.inner` of a nested one; of a combination their names with `*`;
            VW's own where it is none of ours. Constant is what every score has.
        value: As VW has it: 1 for a text.
    """

    name: str
    value: float
    weight: float


class Auditor:
    """Tells the terms of a model's scores. Nobody else may write to stdout meanwhile.

    Args:
        arguments: The model's.
        model: VW's own bytes of it.
        scratch: A private folder in memory.
    """

    def __init__(self, arguments: Arguments, model: bytes, scratch: Path) -> None:
        with tempfile.NamedTemporaryFile(dir=scratch, suffix=".vw") as file:
            file.write(model)
            file.flush()
            options = [*arguments.command_line(), "--audit", "-t", "-i", file.name]
            self._workspace = pyvw.Workspace(arg_list=options)
        native: Any = super(pyvw.Workspace, self._workspace)
        self._predict, self._parse = native.predict, native._parse
        self._finish = native._finish_example
        self._arguments = arguments

    def terms(self, x: Mapping[str, Any]) -> list[Term] | None:
        """The terms of the score of these features; None: there are too many to be told."""
        text = features_text(x)
        if terms_at_most(self._arguments, text) > _TERMS_MAX:
            return None
        known = {token: (name, value) for token, name, value in tokens(x)}
        (example,) = self._parse(text)
        try:
            caught = _caught(lambda: self._predict(example))
        finally:
            self._finish(example)
        if len(caught) > _AUDITED_MAX:  # n-grams and the like make more than was thought
            return None
        audited = [line for line in caught.decode("utf-8", "replace").split("\n")
                   if line.startswith("\t")]  # fmt: skip
        return [self._term(each, known) for line in audited for each in line[1:].split("\t")]

    def _term(self, text: str, known: Mapping[str, tuple[str, float]]) -> Term:
        name, index, value, weight = text.rsplit(":", 3)
        exact = float(self._workspace.get_weight(int(index)))
        if not math.isclose(exact, float(weight), rel_tol=1e-5, abs_tol=1e-12):
            exact = float(weight)
        found = [known.get(each) for each in name.split("*")]
        if None in found:
            return Term(name, float(value), exact)
        product = math.prod(each[1] for each in found if each is not None)
        is_it = math.isclose(product, float(value), rel_tol=1e-5, abs_tol=1e-12)
        names = "*".join(each[0] for each in found if each is not None)
        return Term(names, product if is_it else float(value), exact)


def auditable(arguments: Arguments) -> bool:
    """Whether a model's score is one sum, of weights few enough to be loaded a second time."""
    bits = arguments.value("bit_precision")
    return _NOT_ONE_SUM.isdisjoint(arguments.options) and int(bits or 18) <= _BITS_MAX


def terms_at_most(arguments: Arguments, text: str) -> int:
    """How many terms the score of a line has: its features, and their combinations.

    >>> from learner.vw.arguments import parse_arguments
    >>> terms_at_most(parse_arguments("-q ab --cubic ::a"), "|a x y |b z")
    23
    """
    counts: Counter[str] = Counter()
    for space in filter(str.strip, text.split("|")[1:]):
        words, is_named = space.split(), not space.startswith(" ")
        counts[words[0][0] if is_named else " "] += len(words) - is_named
    combined = [each for name in _COMBINING for each in arguments.options.get(name, ())]
    every = counts.total()
    return every + sum(
        math.prod(every if letter == ":" else counts[letter] for letter in each)
        for each in combined
    )


def link_of(arguments: Arguments) -> Callable[[float], float]:
    """What makes an answer of a score."""
    return _LINKS[arguments.value("link") or "identity"]


def _caught(call: Callable[[], object]) -> bytes:
    """What is written to stdout by a call of VW's, which writes past Python; a byte too many."""
    kept, caught = os.dup(_STDOUT), os.memfd_create("audit")
    try:
        os.dup2(caught, _STDOUT)
        try:
            call()
        finally:
            os.dup2(kept, _STDOUT)
        return os.pread(caught, _AUDITED_MAX + 1, 0)
    finally:
        os.close(kept)
        os.close(caught)
