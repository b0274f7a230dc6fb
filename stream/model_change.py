"""A model file that is no longer the one its versions were learned by, told section by section.

Metrics, drift, scores, retention, cadence and trust are adopted at the next version, which lists
them. What decides what was learned (task, labels, learner, limits, features, topics) is refused.
"""

from collections.abc import Mapping
from typing import Any

from checkpoints.errors import Conflict

_ADOPTED = ("metrics", "scores", "drift", "checkpoint", "trust")


class ModelFileChangedError(Conflict):
    """The model file differs from the head's where that would change what was learned."""

    def __init__(self, model: str, version: str, differences: list[str]) -> None:
        super().__init__(
            f"model {model}: the model file is not the one {version} was learned by: "
            + "; ".join(differences),
            advice="put it back, or give the changed model a name of its own: `weir dev` begins it "
            "by itself, elsewhere `weir learn --new` does",
        )
        self.differences = differences


class SoftwareChangedError(Conflict):
    """The head was written by another version of the library, whose state does not carry over."""

    def __init__(self, model: str, version: str, differences: list[str]) -> None:
        super().__init__(
            f"model {model}: {version} was learned by other software: " + "; ".join(differences),
            advice="run the software it was learned by, or begin a new model with "
            "`weir learn --new`",
        )


def adopted_sections(
    model: str, version: str, was: Mapping[str, Any], now: Mapping[str, Any]
) -> tuple[str, ...]:
    """The sections that changed and may.

    Raises:
        ModelFileChangedError: One changed that may not; each difference is named.
    """
    changed = [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
    refused = [name for name in changed if name not in _ADOPTED]
    if refused:
        differences = [f"{name} was {was.get(name)!r}, is {now.get(name)!r}" for name in refused]
        raise ModelFileChangedError(model, version, differences)
    return tuple(changed)


def check_software(
    model: str, version: str, was: Mapping[str, str], now: Mapping[str, str], *, uses: str
) -> None:
    """Refuse a checkpoint of another version of the library that it was learned by.

    Args:
        uses: "river", "vowpalwabbit", or "" for a learner of the user's own.

    Raises:
        SoftwareChangedError: The versions differ.
    """
    if uses and was.get(uses) != now.get(uses):
        raise SoftwareChangedError(
            model, version, [f"{uses} {was.get(uses)}, here {now.get(uses)}"]
        )
