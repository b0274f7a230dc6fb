"""A model file that is no longer the one its versions were learned by, told section by section.

Metrics, scores, value, publish gate, importance, drift, retention, cadence, late labels, the log of
answers and trust are adopted at the next version, which lists them. What decides what was learned
(task, labels, learner, limits, features, topics) is refused, unless nothing was learned yet: then
the line begins anew, with the topics that it has.
"""

from collections.abc import Mapping
from typing import Any

from checkpoints.errors import Conflict
from config.model.parts import Learner

_FIXED = ("name", "topics")  # where the line begins, and what it is called
_ADOPTED = (
    "metrics",
    "scores",
    "slices",
    "value",
    "drift",
    "checkpoint",
    "late_labels",
    "log",
    "publish",
    "importance",
    "trust",
)
# Of each kind of learner: the library whose state its versions hold.
_PACKAGES = {"river": "river", "vw": "vowpalwabbit"}


class ModelFileChangedError(Conflict):
    """The model file differs from the head's where that would change what was learned."""

    def __init__(self, model: str, version: str, differences: list[str]) -> None:
        super().__init__(
            f"model {model}: the model file is not the one {version} was learned by: "
            + "; ".join(differences),
            advice="put it back, or give the changed model a name of its own: `weir dev` begins it "
            "by itself, elsewhere `weir learn --new` does; `weir remove` makes its name free",
        )
        self.differences = differences


class SoftwareChangedError(Conflict):
    """The head was written by another version of the library, whose state does not carry over."""

    def __init__(self, model: str, version: str, differences: list[str]) -> None:
        super().__init__(
            f"model {model}: {version} was learned by other software: " + "; ".join(differences),
            advice="run the software it was learned by, or begin a new model, under another name, "
            "on the same topic: `weir learn --new`",
        )


class AnswersChangedError(Conflict):
    """The head, loaded, does not answer its probe as it did when it was made."""

    def __init__(self, model: str, version: str, why: str) -> None:
        super().__init__(
            f"model {model}: {version} does not answer as it did when it was made: {why}",
            advice="a class of your own must hold all that it has learned in its own attributes, "
            "not in its class or module, and hand all of it on in __getstate__; else run it with "
            "the software and on the kind of CPU that it was learned with",
        )


def adopted_sections(
    model: str, version: str, was: Mapping[str, Any], now: Mapping[str, Any], *, learned: int = 1
) -> tuple[str, ...]:
    """The sections that changed and may.

    Args:
        learned: Events that the version has learned.

    Raises:
        ModelFileChangedError: One changed that may not; each difference is named.
    """
    changed = _changed(was, now)
    fixed = [name for name in changed if name in _FIXED]
    refused = fixed if learned == 0 else [name for name in changed if name not in _ADOPTED]
    if refused:
        differences = [f"{name} was {was.get(name)!r}, is {now.get(name)!r}" for name in refused]
        raise ModelFileChangedError(model, version, differences)
    return tuple(changed)


def begins_anew(was: Mapping[str, Any], now: Mapping[str, Any], *, learned: int) -> bool:
    """Whether the line begins anew: it is another model, and the old one had learned nothing.

    >>> begins_anew({"task": "binary"}, {"task": "regression"}, learned=0)
    True
    >>> begins_anew({"drift": []}, {"drift": ["ADWIN"]}, learned=0)
    False
    """
    changed = _changed(was, now)
    return learned == 0 and any(name not in (*_ADOPTED, *_FIXED) for name in changed)


def _changed(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]


def package_of(learner: Learner) -> str:
    """The library whose state a version of it holds; "" for a class of the user's own.

    >>> package_of(Learner(vw="--noconstant"))
    'vowpalwabbit'
    """
    of = (package for key, package in _PACKAGES.items() if getattr(learner, key) is not None)
    return next(of, "")


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
