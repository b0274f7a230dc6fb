"""River's own streams by name: those that ship with it, and those that it generates."""

import inspect
from collections.abc import Iterator
from itertools import islice
from typing import Any

from river import datasets
from river.datasets import base, synth

from config.text.nearest import did_you_mean
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
    kinds = {**_shipped(), **_generated()}
    return sorted([*(name for name, kind in kinds.items() if _has_one_label(kind)), DRIFTING])


def river_stream(name: str) -> Iterator[tuple[dict[str, Any], Any]]:
    """Features and label of each example, in the stream's order.

    Generated streams are seeded and endless; `STAGGER-drift` has 10,000 examples and a change of
    concept at 5,000.

    Raises:
        UnknownStreamError: With the nearest right name.
    """
    require_stream(name)
    if name == DRIFTING:
        return _drifting()
    return iter(_made({**_shipped(), **_generated()}[name]))


def stream_length(name: str) -> int | None:
    """How many examples a stream has that `river_stream` gives; None: it never ends."""
    if name == DRIFTING:
        return _DRIFT_LENGTH
    kind = _shipped().get(name)
    return None if kind is None else int(_made(kind).n_samples)


def require_stream(name: str) -> None:
    """See that there is such a stream.

    Raises:
        UnknownStreamError: With the nearest right name, else with all of them.
    """
    names = stream_names()
    if name in names:
        return
    if name in {**_shipped(), **_generated()}:
        raise UnknownStreamError(f"river:{name} has several labels an example: it fits no model")
    hint = did_you_mean(name, names) or f": there are {', '.join(names)}"
    raise UnknownStreamError(f"no stream river:{name}{hint}")


def _made(kind: Any) -> Any:
    """The stream; a generator's seeds, however many it has, are ours."""
    names = inspect.signature(kind).parameters
    return kind(**{name: _SEED for name in names if name == "seed" or name.startswith("seed_")})


def _has_one_label(kind: Any) -> bool:
    return _made(kind).task not in {base.MO_BINARY_CLF, base.MO_REG}


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
