"""River's drift detectors by name: what each takes, what it can watch and which way it looks."""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from river import drift
from river.drift import binary

from config.text.nearest import did_you_mean
from learner.errors import SpecError

# A detector keeps a window of at most so many values: it is part of every snapshot.
_WHOLE_MAX = 1_000_000
_SEED = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is to be known of one of River's detectors.

    Args:
        build: Its class.
        binary: It reads 0 and 1 only, so it cannot watch a distance.
        inverted: It alarms when its input falls, so it is fed 1 - error. River documents 1 as
            an error for FHDDM too, and is wrong there.
        fractions: Arguments that mean a probability or a share, in (0, 1).
        at_least_one: Whole numbers that may not be 0; the others may.
        fixed: Arguments set here where the model file leaves them out.
        hidden: Arguments that no model file can give.
        in_unit: Arguments whose defaults are made for values from 0 to 1.
    """

    build: Any
    binary: bool = False
    inverted: bool = False
    fractions: frozenset[str] = frozenset()
    at_least_one: frozenset[str] = frozenset()
    fixed: tuple[tuple[str, Any], ...] = ()
    hidden: frozenset[str] = frozenset()
    in_unit: frozenset[str] = frozenset()


_CONFIDENCES = frozenset({"drift_confidence", "warning_confidence"})
_HDDM_A = Kind(build=binary.HDDMA, binary=True, fractions=_CONFIDENCES)
_HDDM_W = Kind(build=binary.HDDMW, binary=True, fractions=_CONFIDENCES | {"lambda_val"})

DETECTORS = {
    "ADWIN": Kind(
        build=drift.ADWIN,
        fractions=frozenset({"delta"}),
        # River's compiled part does not survive a 0 in these.
        at_least_one=frozenset({"clock", "max_buckets"}),
    ),
    "PageHinkley": Kind(
        build=drift.PageHinkley,
        # 50 above the mean is much for right or wrong, and nothing for prices: with these defaults
        # it raises its flag every 30th event on errors of some hundred, and never on small ones.
        in_unit=frozenset({"delta", "threshold"}),
    ),
    "KSWIN": Kind(
        build=drift.KSWIN,
        fractions=frozenset({"alpha"}),
        at_least_one=frozenset({"window_size", "stat_size"}),
        # It samples its window. Unseeded, no run could be repeated.
        fixed=(("seed", _SEED),),
        hidden=frozenset({"window"}),
    ),
    "DDM": Kind(build=binary.DDM, binary=True),
    "EDDM": Kind(build=binary.EDDM, binary=True, fractions=frozenset({"alpha", "beta"})),
    "HDDM_A": _HDDM_A,
    "HDDM_W": _HDDM_W,
    "HDDMA": _HDDM_A,  # River's class names
    "HDDMW": _HDDM_W,
    "FHDDM": Kind(
        build=binary.FHDDM,
        binary=True,
        inverted=True,
        fractions=frozenset({"confidence_level"}),
        at_least_one=frozenset({"sliding_window_size", "short_window_size"}),
    ),
}


def build_detector(name: str, arguments: Mapping[str, Any], key: str) -> Any:
    """A new detector of River's.

    Args:
        name: As in `DETECTORS`.
        arguments: By keyword, as its constructor takes them.
        key: Where the model file asks for it, for messages: "drift[0]".

    Raises:
        SpecError: No such detector or argument, with the nearest right name; or a value with
            which it cannot run, which is tried here and not in the middle of a stream.
    """
    kind = detector_kind(name, key)
    defaults = {
        each.name: each.default
        for each in inspect.signature(kind.build).parameters.values()
        if each.name not in kind.hidden
    }
    for argument, value in arguments.items():
        where = f"{key}.{argument}"
        if argument not in defaults:
            message = f'{name} has no argument "{argument}"{did_you_mean(argument, defaults)}'
            raise SpecError(where, message)
        _check_value(kind, argument, value, defaults[argument], where)
    settled = {**dict(kind.fixed), **_without_none(arguments)}
    _try_out(kind, settled, f"{key}.detector")
    return kind.build(**settled)


def detector_kind(name: str, key: str) -> Kind:
    """The entry of `DETECTORS`, or a SpecError that names the nearest."""
    if name not in DETECTORS:
        tail = did_you_mean(name, DETECTORS)
        raise SpecError(f"{key}.detector", f'there is no detector "{name}"{tail}')
    return DETECTORS[name]


def _without_none(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _check_value(kind: Kind, argument: str, value: Any, default: Any, where: str) -> None:
    """Raise a SpecError unless `value` is of the default's type and within bounds."""
    if value is None and default is None:
        return
    if isinstance(default, bool | str):
        if type(value) is not type(default):
            raise SpecError(where, f"must be like {default!r}, not {value!r}")
    elif isinstance(default, float):
        _check_number(value, where, is_fraction=argument in kind.fractions)
    else:  # a whole number, or None where River has an optional one
        least = 1 if argument in kind.at_least_one else 0
        if type(value) is not int or not least <= value <= _WHOLE_MAX:
            raise SpecError(where, f"must be a whole number from {least} to {_WHOLE_MAX}")


def _check_number(value: Any, where: str, *, is_fraction: bool) -> None:
    if type(value) not in {int, float} or not math.isfinite(value):
        raise SpecError(where, f"must be a finite number, not {value!r}")
    if is_fraction and not 0 < value < 1:
        raise SpecError(where, f"must be between 0 and 1, not {value!r}")


def _try_out(kind: Kind, arguments: Mapping[str, Any], where: str) -> None:
    """Run a detector until its longest window is full: some arguments fail only then."""
    windows = [value for name, value in arguments.items() if type(value) is int and name != "seed"]
    updates = 128 + max(windows, default=0)
    try:
        detector = kind.build(**arguments)
        for position in range(updates):
            detector.update(position % 2)
    except (ValueError, TypeError, ArithmeticError) as error:
        message = f"{kind.build.__name__} cannot run with {dict(arguments)}: {error}"
        raise SpecError(where, message) from error
