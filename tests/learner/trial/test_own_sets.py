"""Sets in own classes are told of, by the attribute's name; those of others are not."""

from typing import Any

from river import compose, preprocessing

from learner.river.own_class import build_python
from learner.trial.own_sets import notes_on_sets


class Words:
    """One that sums over what it has seen."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.known = {"a": 1.0}


class Shop:
    """One that holds others."""

    def __init__(self) -> None:
        self.by_city = {"Izmir": [Words()], "Bursa": [Words()]}
        self.closed = frozenset({"sunday"})
        self.itself = self

    def learn_one(self, x: Any, y: Any) -> None:
        """Learns nothing."""

    def predict_one(self, x: Any) -> float:
        """Always the same."""
        return 0.0


def test_a_set_is_told_of_by_its_class_and_attribute() -> None:
    (note,) = notes_on_sets(Words(), (__name__,))
    assert note.startswith("learner.python: Words.seen is a set")


def test_sets_of_what_a_model_holds_are_told_of_once() -> None:
    model = build_python(f"{__name__}:Shop", (__name__,))
    notes = notes_on_sets(model, (__name__,))
    assert [note.split()[1] for note in notes] == ["Words.seen", "Shop.closed"]


def test_rivers_are_not_told_of_nor_those_of_untrusted_modules() -> None:
    assert notes_on_sets(compose.Select("a") | preprocessing.StandardScaler(), ("river",)) == ()
    assert notes_on_sets(Words(), ()) == ()
