"""The stand-in for `set`: its order is that of the set it stands for, and so is its copies'."""

import copy
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import pytest
from river import compose, rules

from learner.river.builtins import GrownSet, Key
from learner.river.components import component_class

SOURCES = [random.Random(seed) for seed in range(40)]


def names(source: random.Random, count: int) -> list[str]:
    return ["".join(source.choices("abcdefgh", k=5)) for _ in range(count)]


@pytest.mark.parametrize("source", SOURCES)
def test_it_is_in_the_order_of_the_set_that_it_stands_for_and_stays_so_as_copies_grow(
    source: random.Random,
) -> None:
    first, later = names(source, source.randrange(40)), names(source, 40)
    plain, grown = set(first), GrownSet(first)
    for each in later:
        grown = pickle.loads(pickle.dumps(grown))
        plain.add(each)
        grown.add(each)
        assert list(grown) == list(plain)


@pytest.mark.parametrize("source", SOURCES[:5])
def test_a_deep_copy_is_in_the_order_of_rivers_own(source: random.Random) -> None:
    plain = set(some := names(source, 30))
    assert list(copy.deepcopy(GrownSet(some))) == list(copy.deepcopy(plain))


def test_what_was_taken_away_or_came_by_another_way_is_copied_as_of_any_set() -> None:
    grown = GrownSet("abcdef")
    grown.discard("c")
    grown |= {"x", "y"}
    assert pickle.loads(pickle.dumps(grown)) == set("abdefxy")
    grown.clear()
    grown.update("ba", "c")
    assert grown.came == ["b", "a", "c"]
    assert (grown - {"b"}) | {"z"} == {"a", "c", "z"}


def test_rivers_modules_have_it_once_a_component_of_theirs_is_asked_for() -> None:
    select, amrules = component_class("compose.Select"), component_class("rules.AMRules")
    assert (select, amrules) == (compose.Select, rules.AMRules)
    assert type(compose.Select("a").keys) is GrownSet
    assert type(compose.Select("a", "b").clone().keys) is GrownSet


OWN = """
def build():
    from river import {module}
    return {module}.{name}({arguments})
"""
ASKED = """
from learner.build import build_estimator
from tests.learner.streams import model_file

learner = {{"python": "own_models:build"}}
model = build_estimator(model_file("{task}", learner, trust=["own_models"])).dump()
print(type(model.{attribute}).__name__)
"""


@pytest.mark.parametrize(
    ("task", "module", "name", "arguments", "attribute"),
    [
        ("regression", "compose", "Pipeline", "compose.Select('b', 'a')", "steps['Select'].keys"),
        ("multiclass", "neighbors", "KNNClassifier", "", "classes"),
    ],
)
def test_an_own_factory_that_is_the_first_to_load_river_has_it_too(
    task: str, module: str, name: str, arguments: str, attribute: str, tmp_path: Path
) -> None:
    own = OWN.format(module=module, name=name, arguments=arguments)
    (tmp_path / "own_models.py").write_text(own)
    done = subprocess.run(
        [sys.executable, "-c", ASKED.format(task=task, attribute=attribute)],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("GrownSet\n", "")


def test_a_key_is_found_again_in_a_copy() -> None:
    key = Key("a rule")
    filed = {key: 1, Key("another"): 2}
    copied_key, copied_filed = pickle.loads(pickle.dumps((key, filed)))
    assert copied_filed[copied_key] == 1
    assert key not in copied_filed
