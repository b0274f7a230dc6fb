"""What is loaded to learn keeps its attributes as what was built does."""

import gc
import pickle
from typing import Any

import pytest
from river import base, drift, forest, linear_model, preprocessing, tree
from river.datasets import Phishing

from learner.river.inline_attributes import inline_attributes, set_attributes

pytestmark = pytest.mark.filterwarnings("error")


def has_a_dict(thing: object) -> bool:
    """Whether its attributes have moved to a dict; asking `vars` would move them."""
    return any(type(each) is dict and "_marks" in each for each in gc.get_referents(thing))


class Marked(base.Base):
    def __init__(self) -> None:
        self._marks = 1


class Answers(base.Base):
    """An attribute in the object's dict that its class answers for."""

    def __init__(self) -> None:
        vars(self)["name"] = "hidden"
        self._marks = 1

    @property
    def name(self) -> str:
        return f"the class's, not {vars(self)['name']}"


class Slotted(base.Base):
    __slots__ = ("here",)

    def __init__(self) -> None:
        self.here, self.there = 1, 2


class Locked:
    """Not River's, with a state of its own."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, lock="made anew")


class Mixed(base.Base, Locked):
    def __init__(self) -> None:
        self.lock, self.count = "first", 1


class Column(str):
    __slots__ = ()


def reloaded(thing: Any) -> Any:
    pickled = pickle.dumps(thing)
    with inline_attributes():
        return pickle.loads(pickled)


def test_pickling_moves_attributes_and_loading_moves_them_too():
    """What all this is about: should a Python no longer do it, this file can go."""
    built = Marked()
    assert not has_a_dict(built)

    loaded = pickle.loads(pickle.dumps(built))

    assert has_a_dict(built)
    assert has_a_dict(loaded)


def test_loaded_inline_they_stay_where_they_are():
    assert not has_a_dict(reloaded(Marked()))
    assert not hasattr(base.Base, "__setstate__")


def test_the_class_is_left_as_it_was_whatever_happens():
    with pytest.raises(EOFError), inline_attributes():
        pickle.loads(b"\x80\x05")
    assert not hasattr(base.Base, "__setstate__")


def test_an_attribute_that_the_class_answers_for_stays_hidden():
    loaded = reloaded(Answers())

    assert vars(loaded) == {"name": "hidden", "_marks": 1}
    assert loaded.name == "the class's, not hidden"


def test_slots_and_attributes_are_both_there():
    loaded = reloaded(Slotted())

    assert (loaded.here, loaded.there) == (1, 2)


def test_a_state_of_its_own_further_on_among_its_bases_is_heard():
    assert vars(reloaded(Mixed())) == {"lock": "made anew", "count": 1}


def test_names_that_are_no_plain_strings_are_names_all_the_same():
    odd = Marked()
    setattr(odd, Column("age"), 7)

    assert reloaded(odd).age == 7


def test_a_class_is_not_changed_by_a_state_that_says_so():
    target = Marked()
    set_attributes(target, {"__class__": Answers})

    assert type(target) is Marked


@pytest.mark.parametrize(
    "model",
    [
        preprocessing.StandardScaler() | linear_model.LogisticRegression(),
        tree.HoeffdingAdaptiveTreeClassifier(grace_period=20, seed=1),
        forest.ARFClassifier(n_models=3, seed=1),
        drift.PageHinkley(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_model_goes_on_as_if_it_had_been_loaded_as_ever(model):
    def learn(model, skipped, taken):
        answers = []
        if isinstance(model, drift.PageHinkley):
            for n in range(skipped, skipped + taken):
                model.update(n % 7 + n // 700)
                answers.append(model.drift_detected)
        else:
            for x, y in list(Phishing())[skipped : skipped + taken]:
                answers.append(model.predict_proba_one(x))
                model.learn_one(x, y)
        return answers

    learn(model, 0, 600)
    pickled = pickle.dumps(model)
    with inline_attributes():
        inline = pickle.loads(pickled)

    answers = learn(model, 600, 600)
    assert answers == learn(inline, 600, 600) == learn(pickle.loads(pickled), 600, 600)
    assert len(set(map(str, answers))) > 1
