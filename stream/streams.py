"""River's own streams by name: those that ship with it, and those that it generates."""

import inspect
from collections.abc import Iterator
from itertools import islice
from typing import Any

from river import datasets
from river.datasets import base, synth

from config.nearest import did_you_mean
from stream.errors import StreamError

# Where the demo's injected drift is: STAGGER's concept 2 up to here, its concept 0 from here on.
DRIFT_AT = 5_000
_DRIFT_LENGTH = 10_000
_SEED = 42
DRIFTING = "STAGGER-drift"


class UnknownStreamError(StreamError):
    """There is no such stream in River, or it would have to be downloaded."""

    exit_code = 2


def stream_names() -> list[str]:
    """Every name that `river:NAME` takes."""
    return sorted([*_shipped(), *_generated(), DRIFTING])


def river_stream(name: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Features and label of each example, in the stream's order.

    Generated streams are seeded and endless; `STAGGER-drift` has 10,000 examples and a change of
    concept at 5,000.

    Raises:
        UnknownStreamError: With the nearest right name.
    """
    if name == DRIFTING:
        return _drifting()
    shipped, generated = _shipped(), _generated()
    if name in shipped:
        return iter(shipped[name]())
    if name in generated:
        kind = generated[name]
        return iter(kind(seed=_SEED) if "seed" in inspect.signature(kind).parameters else kind())
    raise UnknownStreamError(f"no stream river:{name}{did_you_mean(name, stream_names())}")


def _drifting() -> Iterator[tuple[dict[str, Any], Any]]:
    yield from islice(synth.STAGGER(classification_function=2, seed=_SEED), DRIFT_AT)
    rest = _DRIFT_LENGTH - DRIFT_AT
    yield from islice(synth.STAGGER(classification_function=0, seed=_SEED + 1), rest)


def _shipped() -> dict[str, Any]:
    """Data sets whose file is in River's own package."""
    return {
        name: kind
        for name, kind in vars(datasets).items()
        if inspect.isclass(kind)
        and issubclass(kind, base.FileDataset)
        and not issubclass(kind, base.RemoteDataset)
    }


def _generated() -> dict[str, Any]:
    """Generators that need no arguments."""
    return {
        name: kind
        for name, kind in vars(synth).items()
        if inspect.isclass(kind)
        and issubclass(kind, base.SyntheticDataset)
        and all(
            p.default is not inspect.Parameter.empty
            for p in inspect.signature(kind).parameters.values()
        )
    }
