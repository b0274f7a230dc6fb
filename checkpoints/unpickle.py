"""Load a snapshot by a table of our own: no name in it, no object from it.

A pickle is a program that names what it wants called. Here the only names it can reach are River's
estimators, a few harmless builtins, and what the reader's own model file trusts, so the worst that
its calls can do is to build estimators. This is the second wall: signatures are verified before a
byte is parsed, because no table is a boundary on its own. What it does not stop, in a pickle that
the learner's key has signed: a crash by tuples nested a million deep, or a constructor told to
build a billion trees.
"""

import collections
import copy
import copyreg
import datetime
import functools
import importlib
import io
import operator
import pickle
import random
import re
import statistics
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any

import numpy as np

from checkpoints.errors import UnsafePickle
from config.river_modules import HELD, NAMED, OUTSIDE, UNNAMED

_LENGTH_MAX = 1_000_000  # elements; no estimator keeps a longer range, and no payload needs one

# Modules that hold what a model can be made of, and no part of one that is outside a model.
_OUTSIDE = "|".join(map(re.escape, OUTSIDE))
_WITHIN = "|".join(map(re.escape, (*NAMED, *HELD, *UNNAMED)))
_RIVER = re.compile(rf"river\.(?!({_OUTSIDE})(\.|$))({_WITHIN})(\.[a-z0-9_]+)*")

# Functions that River keeps inside its estimators. All are pure.
_RIVER_FUNCTIONS = frozenset(
    {
        "river._river_rust.vectordict:euclidean_distance_dict",
        "river._river_rust.vectordict:euclidean_distance_tuple",
        "river.feature_extraction.vectorize:find_all_ngrams",
        "river.feature_extraction.vectorize:remove_stop_words",
        "river.feature_extraction.vectorize:strip_accents_unicode",
        "river.feature_extraction.vectorize:tokenize_using_regex_pattern",
        "river.forest.online_extra_trees:ExtraTrees._detection_mode_all",
        "river.forest.online_extra_trees:ExtraTrees._detection_mode_drop",
        "river.forest.online_extra_trees:ExtraTrees._detection_mode_off",
        "river.metrics.mutual_info:_average_arithmetic",
        "river.metrics.mutual_info:_average_geometric",
        "river.naive_bayes.gaussian:GaussianNB._make_gaussian",
        "river.tree.splitter.ebst_splitter:EBSTNode._update_estimator_multivariate",
        "river.tree.splitter.ebst_splitter:EBSTNode._update_estimator_univariate",
        "river.tree.splitter.nominal_splitter_reg:NominalSplitterReg._update_estimator_multivariate",
        "river.tree.splitter.nominal_splitter_reg:NominalSplitterReg._update_estimator_univariate",
        "river.utils.math:minkowski_distance",
    }
)

# What River's modules are given in place of Python's `set` and `hash`.
_OURS = frozenset({"learner.river.builtins:GrownSet", "learner.river.builtins:Key"})

# The methods that River keeps bound inside its estimators: all that `getattr` may fetch.
_BOUND_METHODS = {
    "random.Random": "gauss",
    "river.bandit.thompson.ThompsonSampling": "_clone_reward_obj_with_seed",
    "river.base.base.Base": "clone",
    "river.drift.dummy.DummyDriftDetector": "_fixed_trigger _random_trigger",
    "river.drift.page_hinkley.PageHinkley": "_test_both _test_decrease _test_increase",
    "river.ensemble.bagging.LeveragingBaggingClassifier": (
        "_leveraging_bag _leveraging_bag_half _leveraging_bag_me "
        "_leveraging_bag_wt _leveraging_subag"
    ),
    "river.feature_extraction.kernel_approx.RBFSampler": "_random_weights",
    "river.linear_model.pa.BasePA": "_calc_tau_0 _calc_tau_1 _calc_tau_2",
    "river.multiclass.occ.OutputCodeClassifier": "_next_code",
    "river.preprocessing.random_projection.GaussianRandomProjector": "_rand_gauss",
    "river.preprocessing.random_projection.SparseRandomProjector": "_rand_weights_for_feature",
    "river.preprocessing.scale_target.TargetMinMaxScaler": "_scale _unscale",
    "river.preprocessing.scale_target.TargetStandardScaler": "_scale _unscale",
    "river.tree.splitter.qo_splitter.Slot": (
        "_update_estimator_multivariate _update_estimator_univariate"
    ),
}

# numpy's own ways back from a pickle, each taking bytes to an array or a random state.
_NUMPY = frozenset(
    {
        "numpy._core.numeric:_frombuffer",
        "numpy.random._mt19937:MT19937",
        "numpy.random._pcg64:PCG64",
        "numpy.random._pcg64:PCG64DXSM",
        "numpy.random._philox:Philox",
        "numpy.random._sfc64:SFC64",
        "numpy.random._pickle:__bit_generator_ctor",
        "numpy.random._pickle:__generator_ctor",
        "numpy.random._pickle:__randomstate_ctor",
    }
)
# Only the built-in types: they are singletons, which ignore the state that a pickle gives them.
# A structured one believes that state, and then reads memory where it says.
_DTYPES = frozenset(
    ("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16", "O8")
)


class GivenUp(Exception):
    """Whoever waits for the object does not want it any more."""


def loads(
    data: bytes, trust: tuple[str, ...] = (), meanwhile: Callable[[], None] | None = None
) -> Any:
    """The object that `data` holds, made of admitted parts only.

    Args:
        data: A pickle of protocol 4 or later whose signature has been verified.
        trust: Packages whose classes and functions are admitted too: those of the reader's own
            model file, never what came with the data.
        meanwhile: Called before each frame of the pickle (64 KiB, a millisecond's work): what
            else has to be done in between. It may raise GivenUp.

    Raises:
        GivenUp: `meanwhile` did.
        UnsafePickle: It names what is not admitted, tries to change a class, or is damaged.
            Nothing of it stays behind.

    >>> from river import preprocessing
    >>> loads(pickle.dumps(preprocessing.Binarizer(threshold=2.0))).threshold
    2.0
    >>> loads(b"\\x80\\x04\\x8c\\x02os\\x8c\\x06system\\x93.")
    Traceback (most recent call last):
    checkpoints.errors.UnsafePickle: the snapshot names os.system, which no model is made of; ...
    """
    if len(data) < 2 or data[0] != 0x80 or data[1] < 4:
        raise _unsafe("the snapshot is no pickle of protocol 4 or later")
    if vars(copyreg)["_inverted_registry"]:  # extension codes would reach objects past `find_class`
        raise _unsafe("a library has registered pickle extension codes")
    file = io.BytesIO(data) if meanwhile is None else _Interrupted(data, meanwhile)
    unpickler = _Unpickler(file, trust)
    try:
        loaded = unpickler.load()
    except (UnsafePickle, GivenUp, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in River's Rust is no Exception
        raise _unsafe(f"the snapshot does not load: {type(error).__name__}: {error}") from error
    finally:
        touched = unpickler.restore_admitted()
    if touched:
        raise _unsafe(f"the snapshot tried to change {', '.join(touched)}")
    return loaded


def _unsafe(what: str) -> UnsafePickle:
    return UnsafePickle(
        what,
        advice="nothing of it was kept. If the class is your own, list its package under `trust:` "
        "in the model file; else roll back to a version that verifies, and find out who signed it",
    )


class _Interrupted(io.BytesIO):
    """A pickle that calls `meanwhile` whenever a frame of it is read.

    That its methods are Python's also lets other threads of the process run in between.
    """

    def __init__(self, data: bytes, meanwhile: Callable[[], None]) -> None:
        super().__init__(data)
        self._meanwhile = meanwhile

    def read(self, size: int | None = -1, /) -> bytes:
        self._meanwhile()
        return super().read(size)


class _Unpickler(pickle.Unpickler):
    """Admits by the table, and remembers how what it admitted looked before."""

    def __init__(self, file: io.BytesIO, trust: tuple[str, ...]) -> None:
        super().__init__(file)
        self._trust = tuple(f"{package}." for package in trust if package)
        self._before: dict[int, tuple[Any, dict[str, Any]]] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What `module.name` stands for; called whenever the pickle names it."""
        found = self._admitted(module, name)
        if id(found) not in self._before:  # how it looked before anything was done to it
            self._before[id(found)] = found, _attributes(found)
        return found

    def _admitted(self, module: str, name: str) -> Any:
        path = f"{module}:{name}"
        if path in _EXACT:
            return _EXACT[path]
        if path in _RIVER_FUNCTIONS or path in _NUMPY or path in _OURS:
            return _resolve(module, name)
        if _RIVER.fullmatch(module):
            found = _resolve(module, name)
            if isinstance(found, type) and _is_defined_in(found, module, name):
                return found
        elif f"{module}.".startswith(self._trust):
            found = _resolve(module, name)
            if isinstance(found, type | FunctionType) and _is_defined_in(found, module, name):
                return found
        refusal = _unsafe(f"the snapshot names {module}.{name}, which no model is made of")
        refusal.names = module, name
        raise refusal

    def restore_admitted(self) -> list[str]:
        """Undo what the pickle did to shared classes and functions; their names.

        An instruction of the pickle language sets attributes on any object, a class among them,
        and `find_class` is not asked.
        """
        touched = [thing for thing, before in self._before.values() if _restore(thing, before)]
        return sorted({thing.__qualname__ for thing in touched})


def _resolve(module: str, name: str) -> Any:
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = vars(found)[part]
            found = found.__func__ if isinstance(found, staticmethod) else found
    except (ImportError, KeyError, TypeError) as error:
        raise _unsafe(f"the snapshot names {module}.{name}, which is not there") from error
    return found


def _is_defined_in(found: Any, module: str, name: str) -> bool:
    """Not merely imported there: a module's `os` or `open` is reachable by its name too."""
    return (found.__module__, found.__qualname__) == (module, name)


_SPECIAL = ("__bases__", "__code__", "__defaults__", "__kwdefaults__", "__name__", "__qualname__")


def _attributes(thing: Any) -> dict[str, Any]:
    special = {name: getattr(thing, name) for name in _SPECIAL if hasattr(thing, name)}
    return {**getattr(thing, "__dict__", {}), **special}


def _restore(thing: Any, before: dict[str, Any]) -> bool:
    now = _attributes(thing)
    for name in now.keys() - before.keys():
        delattr(thing, name)
    changed = [name for name in before if not _same(now.get(name, _ABSENT), before[name])]
    for name in changed:
        setattr(thing, name, before[name])
    return bool(changed) or bool(now.keys() - before.keys())


def _same(now: Any, before: Any) -> bool:
    """Identical; names of compiled classes are made anew each time they are read."""
    return now is before or (type(now) is type(before) is str and now == before)


_ABSENT = object()


# What follows stands in for callables that are harmless only with some of their arguments.


class _Mention:
    """A class that may be named as an argument, and not called."""

    __slots__ = ()


_NDARRAY = _Mention()
_SEED_SEQUENCE = _Mention()


def _attribute(owner: Any, name: str) -> Any:
    """`getattr`, for the pairs of the table."""
    if owner is str and name == "lower":
        return str.lower
    for base in type(owner).__mro__:
        if name in _BOUND_METHODS.get(f"{base.__module__}.{base.__qualname__}", "").split():
            return getattr(owner, name)
    raise _unsafe(f"the snapshot asks for {name!r} of a {type(owner).__qualname__}")


def _bounded_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if not -_LENGTH_MAX < len(numbers) < _LENGTH_MAX:
        raise _unsafe(f"the snapshot asks for a range of {len(numbers)} numbers")
    return numbers


def _bytes_of(kind: type) -> Callable[..., Any]:
    """`bytes` or `bytearray`, of given bytes: of a number it would allocate as many."""

    def build(content: bytes = b"") -> Any:
        if not isinstance(content, bytes | bytearray):
            raise _unsafe(f"the snapshot asks for {kind.__name__} of a {type(content).__name__}")
        return kind(content)

    return build


def _iterator(sequence: Any) -> Iterator[Any]:
    """`iter` over a plain sequence; its two-argument form would call for ever."""
    if type(sequence) not in (list, tuple, str, dict, set, range):
        raise _unsafe(f"the snapshot iterates over a {type(sequence).__qualname__}")
    return iter(sequence)


def _dtype(code: str, align: bool = False, copy_it: bool = True) -> Any:
    if code not in _DTYPES or align or not copy_it:
        raise _unsafe(f"the snapshot holds numpy values of type {code!r}")
    return np.dtype(code)


def _scalar(dtype: Any, content: bytes) -> Any:
    if not isinstance(content, bytes) or dtype == np.dtype("O"):
        raise _unsafe(f"the snapshot holds a numpy scalar of type {dtype!r}")
    return np.frombuffer(content, dtype, count=1)[0]


def _empty_array(kind: Any, shape: Any, code: Any) -> Any:
    """numpy's empty array, to be filled by its checked `__setstate__`."""
    if kind is not _NDARRAY or shape != (0,) or code != b"b":
        raise _unsafe("the snapshot rebuilds a numpy array in an unknown way")
    return np.ndarray((0,), "i1")


def _seed_sequence(kind: Any, checksum: int, state: None) -> Any:
    if kind is not _SEED_SEQUENCE or state is not None:
        raise _unsafe("the snapshot rebuilds a numpy seed in an unknown way")
    module = importlib.import_module("numpy.random.bit_generator")
    return vars(module)["__pyx_unpickle_SeedSequence"](np.random.SeedSequence, checksum, None)


_AS_THEY_ARE: tuple[Any, ...] = (
    *(bool, complex, dict, float, frozenset, int, list, set, slice, str, tuple),
    *(collections.Counter, collections.OrderedDict, collections.defaultdict, collections.deque),
    *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone),
    *(copy.deepcopy, functools.partial, operator.itemgetter, random.Random, statistics.NormalDist),
)
_EXACT: dict[str, Any] = {
    **{f"{each.__module__}:{each.__qualname__}": each for each in _AS_THEY_ARE},
    "builtins:bytearray": _bytes_of(bytearray),
    "builtins:bytes": _bytes_of(bytes),
    "builtins:getattr": _attribute,
    "builtins:iter": _iterator,
    "builtins:range": _bounded_range,
    "numpy:dtype": _dtype,
    "numpy:ndarray": _NDARRAY,
    "numpy._core.multiarray:_reconstruct": _empty_array,
    "numpy._core.multiarray:scalar": _scalar,
    "numpy.random.bit_generator:SeedSequence": _SEED_SEQUENCE,
    "numpy.random.bit_generator:__pyx_unpickle_SeedSequence": _seed_sequence,
}
