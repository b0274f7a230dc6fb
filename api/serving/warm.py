"""Versions kept at hand, loaded: what operators may want back at once.

These are the pinned ones and those tagged `stable`, as far as they fit within a limit of bytes.
"""

import logging
from collections.abc import Mapping, Sequence

from api.serving.load import Loaded, model_hash
from checkpoints.records.control import Control, Pointer
from checkpoints.records.manifest import Version

log = logging.getLogger(__name__)

TAG = "stable"


def pointers(control: Control | None) -> tuple[Pointer, ...]:
    """The versions to be kept warm by these orders, the pinned one first."""
    if control is None:
        return ()
    found = (control.record.pin, control.record.tags.get(TAG))
    return tuple(pointer for pointer in found if pointer is not None)


class Warm:
    """The versions at hand, by model and the hash of what they were loaded from.

    Args:
        bytes_max: Of all their snapshots, unpacked. In memory a model takes a few times as much.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._wanted: dict[str, Sequence[Version]] = {}
        self._kept: dict[tuple[str, str], Loaded] = {}
        self._failed: set[tuple[str, str]] = set()

    def want(self, model: str, versions: Sequence[Version]) -> list[Loaded]:
        """Keep these of a model from now on, and no others; those that are not kept any more."""
        self._wanted[model] = versions
        return [self._kept.pop(key) for key in self._kept.keys() - self._affordable().keys()]

    def find(self, model: str, version: Version) -> Loaded | None:
        """What `version` needs, if it is at hand."""
        return self._kept.get((model, model_hash(version)))

    def kept(self, model: str) -> list[Loaded]:
        """What is at hand of a model."""
        return [loaded for (name, _), loaded in self._kept.items() if name == model]

    def offer(self, model: str, loaded: Loaded) -> None:
        """Keep what is loaded, if it is wanted."""
        key = (model, loaded.model_hash)
        if key in self._affordable():
            self._kept[key] = loaded

    def give_up(self, model: str, version: Version, error: BaseException) -> None:
        """It does not load: do not try again."""
        self._failed.add((model, model_hash(version)))
        log.error("%s is not kept warm: %s: %s", version, type(error).__name__, error)

    def missing(self) -> tuple[str, Version] | None:
        """One that is wanted and not at hand."""
        for key, version in self._affordable().items():
            if key not in self._kept and key not in self._failed:
                return key[0], version
        return None

    def _affordable(self) -> Mapping[tuple[str, str], Version]:
        """The wanted ones, as many as fit, those named first before the others."""
        found: dict[tuple[str, str], Version] = {}
        left = self._bytes_max
        for model, versions in self._wanted.items():
            for version in versions:
                key = (model, model_hash(version))
                size = version.manifest.segments["model"].raw_bytes
                if key not in found and size <= left:
                    found[key] = version
                    left -= size
        return found
