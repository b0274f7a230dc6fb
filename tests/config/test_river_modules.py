"""River's modules, listed once for the model file and for the unpickle table."""

import pkgutil

import river

from checkpoints.unpickle import _RIVER
from config.river_modules import HELD, NAMED, OUTSIDE, UNNAMED

NO_MODELS = {"__version__", "api", "compat"}  # names of others again, other libraries' wrappers


def test_every_module_of_rivers_is_in_one_of_the_lists():
    ours = {name.partition(".")[0] for name in {*NAMED, *HELD, *UNNAMED, *OUTSIDE}}
    there = {each.name for each in pkgutil.iter_modules(river.__path__)}
    assert there == ours | NO_MODELS


def test_no_module_is_in_two_lists():
    listed = [*NAMED, *HELD, *UNNAMED, *OUTSIDE]
    assert len(set(listed)) == len(listed)


def test_what_a_file_names_may_be_loaded_and_what_is_outside_a_model_may_not():
    assert all(_RIVER.fullmatch(f"river.{name}.part") for name in {*NAMED, *HELD, *UNNAMED})
    assert not any(
        _RIVER.fullmatch(f"river.{name}{rest}") for name in OUTSIDE for rest in ("", ".part")
    )
