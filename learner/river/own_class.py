"""A Python object of the user's, with River's verbs, as an estimator."""

import importlib
from collections.abc import Callable
from typing import Any

from learner.errors import SpecError
from learner.river.builtins import give_river_its_builtins

KEY = "learner.python"
_VERBS = ("learn_one", "predict_one")


def build_python(path: str, trust: tuple[str, ...]) -> Any:
    """What `module:callable` returns when it is called without arguments.

    The module must be listed under `trust:`, itself or a package that holds it: importing it runs
    the user's code, and loading a version of it later does so again.

    Raises:
        SpecError: The module is not trusted or cannot be imported, or what it makes cannot learn.

    >>> build_python("colections:Counter", ())
    Traceback (most recent call last):
        ...
    learner.errors.SpecError: learner.python: colections is not listed under trust:, so it is not \
imported
    """
    check_trusted(path, trust)
    module, _, name = path.partition(":")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise SpecError(KEY, f"{path} cannot be imported: {error}") from error
    except BaseException as error:  # of the user's own module: sys.exit, too, or half a file
        why = f"{path} cannot be imported: it raised {type(error).__name__}: {error}"
        raise SpecError(KEY, why) from error
    try:
        model = _made_by(factory)
    except BaseException as error:  # the same of its function
        raise SpecError(KEY, f"{path}() raised {type(error).__name__}: {error}") from error
    lacking = [verb for verb in _VERBS if not callable(getattr(model, verb, None))]
    if lacking:
        raise SpecError(KEY, f"{type(model).__name__} of {path} lacks {' and '.join(lacking)}")
    return model


def check_trusted(path: str, trust: tuple[str, ...]) -> None:
    """Refuse `module:callable` unless the module is listed under `trust:`; nothing is imported.

    Raises:
        SpecError: It is not.
    """
    module = path.partition(":")[0]
    if not is_trusted(module, trust):
        raise SpecError(KEY, f"{module} is not listed under trust:, so it is not imported")


def _made_by(factory: Callable[[], Any]) -> Any:
    """What it returns; made once more if it was the first to load a module of River's."""
    give_river_its_builtins()
    model = factory()
    return factory() if give_river_its_builtins() else model


def is_trusted(module: str, trust: tuple[str, ...]) -> bool:
    """Whether the module, or a package that holds it, is listed.

    >>> is_trusted("shop.models", ("shop",)), is_trusted("shopping", ("shop",))
    (True, False)
    """
    return any(module == each or module.startswith(f"{each}.") for each in trust)
