"""The kind of each feature, number, text or bool: the first one seen, which stays.

A learner keeps for each feature what suits its kind: a tree that has split on a text asks every
later number for its branch, and fails. So one odd value must not decide what a feature is, unseen.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from config.model.parts import FeatureSpec
from learner.events.words import as_yaml, is_usual_missing, shown
from learner.values import Features, Reason, Refusal

# By the types that JSON has; null is of no kind, and what is nested no feature by itself.
KINDS: Mapping[type, str] = {int: "number", float: "number", str: "text", bool: "bool"}
NO_KIND = ""
_TYPES: Mapping[str, str] = {"number": "float", "text": "string", "bool": "bool"}
_KIND_OF_TYPE: Mapping[str, str] = {
    "float": "number", "int": "number", "string": "text", "bool": "bool",
}  # fmt: skip


class First(NamedTuple):
    """What a feature is, and since when.

    Attributes:
        kind: "number", "text" or "bool".
        where: `topic-partition-offset` of the record that had it first.
        word: The text it was there, if that is a usual word for what is missing.
    """

    kind: str
    where: str
    word: str | None


class Kinds:
    """The names of the features seen so far, and the kind of each.

    >>> kinds = Kinds()
    >>> kinds.learn({"price": 2.5, "colour": "red"}, "shop-0-7")
    >>> kinds.refusal({"price": 3, "size": 1}) is None
    True
    >>> kinds.refusal({"price": "cheap"}).detail
    "feature 'price' is text ('cheap'), but a number since shop-0-7, where it was first seen"
    """

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._first: dict[str, First] = {}
        self._of: dict[str, set[str]] = {kind: set() for kind in _TYPES}
        self.mark()

    def mark(self) -> None:
        """What is learned from here on may be taken back."""
        self._new_names: set[str] = set()
        self._marked = len(self._first)

    def take_back(self) -> None:
        """Forget what was learned since `mark`."""
        self.names -= self._new_names
        if len(self._first) > self._marked:
            for name in list(self._first)[self._marked :]:
                self._of[self._first.pop(name).kind].discard(name)

    def know(self, names: Mapping[str, Iterable[str]]) -> bool:
        """Whether all these names are known, each as what it is.

        Args:
            names: By kind; under `NO_KIND` are names that are of no kind.
        """
        return all(self._of.get(kind, self.names).issuperset(each) for kind, each in names.items())

    def are_numbers(self, x: Features) -> bool:
        """Whether all of these features are known as numbers, whatever they are here."""
        return x.keys() <= self._of["number"]

    @property
    def of_each(self) -> dict[str, str]:
        """The kind of each feature that is of one."""
        return {name: first.kind for name, first in self._first.items()}

    def is_group(self, name: str) -> bool:
        """Whether a name was learned, and only of a nested object, which is of no kind."""
        return name in self.names and name not in self._first

    def refusal(self, x: Features) -> Refusal | None:
        """Why these features are refused: one is of another kind than it was."""
        first = self._first
        value: Any
        for name, value in x.items():
            kind = KINDS.get(type(value))
            known = first.get(name)
            if known is not None and kind is not None and known.kind != kind:
                return _of_another_kind(name, kind, value, known)
        return None

    def learn(self, x: Features, where: str) -> None:
        """These features are admitted, in the record at `where`."""
        new = x.keys() - self.names
        if new:
            self.names |= new
            self._new_names |= new
        value: Any
        for name, value in x.items():
            kind = KINDS.get(type(value))
            if kind is not None and name not in self._first:
                word = value if kind == "text" and is_usual_missing(value) else None
                self._remember(name, First(kind, where, word))

    def dump(self) -> dict[str, Any]:
        """What snapshots keep."""
        return {"names": sorted(self.names), "kinds": {k: tuple(v) for k, v in self._first.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from a `dump`; one made before kinds were kept has names only."""
        self.names = set(state["names"])
        for name, first in state.get("kinds", {}).items():
            self._remember(name, First(*first))

    def _remember(self, name: str, first: First) -> None:
        self._first[name] = first
        self._of[first.kind].add(name)


def names_by_kind(xs: Iterable[Any]) -> dict[str, list[str]]:
    """The names that occur in these features, under each kind that they occur as.

    >>> names_by_kind([{"a": 1, "b": None}, {"a": "x"}])
    {'number': ['a'], '': ['b'], 'text': ['a']}
    """
    found: dict[str, dict[str, None]] = {}
    for x in xs:
        for name, value in x.items():
            found.setdefault(KINDS.get(type(value), NO_KIND), {})[name] = None
    return {kind: list(names) for kind, names in found.items()}


def refused_by_spec(name: str, value: Any, spec: FeatureSpec) -> Refusal | None:
    """Why a value is not what the model file says of its feature, if it is not."""
    kind, due = KINDS[type(value)], _KIND_OF_TYPE[spec.type]
    if kind != due:
        detail = f"feature {name[:80]!r} is {_told(kind, value)}, the model file says {spec.type}"
        return Refusal(Reason.wrong_type, detail, "gate", mend=_mend(name, kind, value))
    if spec.type == "int" and type(value) is not int:
        way_out = f"; send {value:.0f}, without a fraction" if value.is_integer() else ""
        detail = f"feature {name[:80]!r} is {value!r}, the model file says int{way_out}"
        return Refusal(Reason.wrong_type, detail, "gate", mend=_line(name, "float"))
    is_below = spec.min is not None and value < spec.min
    if is_below or (spec.max is not None and value > spec.max):
        bound = f"below {spec.min}" if is_below else f"above {spec.max}"
        detail = f"feature {name[:80]!r} is {shown(value)}, {bound}"
        return Refusal(Reason.out_of_bounds, detail, "gate")
    return None


def _of_another_kind(name: str, kind: str, value: object, first: First) -> Refusal:
    was = first.kind if first.word is None else f"{first.kind} ({first.word!r})"
    detail = (
        f"feature {name[:80]!r} is {_told(kind, value)}, but {_a(was)} since {first.where}, "
        "where it was first seen"
    )
    mend = _mend(name, kind, value)
    if first.word is not None:
        mend = f"{_line(name, _TYPES[kind])} and {_missing(first.word)}"
    return Refusal(Reason.wrong_type, detail, "gate", mend=mend)


def _mend(name: str, kind: str, value: object) -> str:
    """The line of the model file that admits such a value."""
    if kind == "text" and is_usual_missing(str(value)):
        return _missing(str(value))
    return _line(name, _TYPES[kind])


def _line(name: str, spec_type: str) -> str:
    return f"features: {{{as_yaml(name)}: {{type: {spec_type}}}}}"


def _missing(word: str) -> str:
    return f"missing: [{as_yaml(word)}]"


def _told(kind: str, value: object) -> str:
    return f"{_a(kind)} ({shown(value)})"


def _a(kind: str) -> str:
    return kind if kind.startswith("text") else f"a {kind}"
