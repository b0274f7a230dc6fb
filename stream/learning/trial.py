"""Whether versions can be made of a learner, found out before it has learned anything.

What it cannot write down, and what nobody could load, would be lost at the first crash. So it is
written down, loaded and asked as a version is, on trainers of its own: see
`learner.river.inline_attributes` for what pickling does to one that is to learn.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

from checkpoints.errors import UnsafePickle
from checkpoints.unpickle import loads
from config.model_file import ModelFile
from learner.build import build_estimator, name_and_key
from learner.errors import RestoreError, SpecError
from learner.river.inline_attributes import inline_attributes
from learner.served_model import ProbeFailedError, ServedModel
from learner.trainer import Saved, Snapshot, Trainer
from learner.trial.wishes import try_asking

_OURS = frozenset({"join", "pending", "history"})
_LEARNER = "learner"


def check_restorable(model_file: ModelFile, scratch: Path | None) -> None:
    """Make a new learner of the model file, ask it, write it down, and load it again.

    Args:
        scratch: A private folder in memory, for learners that save only to a path.

    Raises:
        SpecError: It is changed by being asked, answers what is no prediction, holds what cannot
            be pickled (with the attribute), or what may not be loaded (with the line that
            `trust:` lacks).
    """
    asked = build_estimator(model_file, scratch)
    if model_file.learner.vw is None:
        name, key = name_and_key(model_file, asked)
        try_asking(asked, model_file.features, key=key, name=name)
    check_snapshot(Trainer(model_file, scratch).snapshot(version="v0"), model_file, scratch)


def check_snapshot(snapshot: Snapshot, model_file: ModelFile, scratch: Path | None) -> None:
    """Load a snapshot as whoever serves it will, and as the learner will after a crash.

    Raises:
        SpecError: It is refused by the table of what may be loaded, or answers its probe
            otherwise than the learner did.
    """
    # Without what is ours and not the learner's, and was written before in part.
    segments = {
        kind: raw for kind, raw in snapshot.segments.items() if kind.partition(".")[0] not in _OURS
    }
    saved = Saved(
        payload=_loaded(snapshot, model_file),
        segments=segments,
        refused_by=snapshot.refused_by,
    )
    try:
        Trainer(model_file, scratch, saved)
        ServedModel(model_file, saved.payload, scratch)
    except ProbeFailedError as problem:
        why = f"once it is loaded again it answers otherwise: {problem}"
        raise SpecError(_LEARNER, why) from problem
    except RestoreError as problem:
        raise SpecError(_LEARNER, str(problem)) from problem


def _loaded(snapshot: Snapshot, model_file: ModelFile) -> Mapping[str, Any]:
    try:
        with inline_attributes():
            loaded: Mapping[str, Any] = loads(snapshot.segments["model"], model_file.trust)
    except UnsafePickle as refusal:
        why = f"no version of it could be loaded again: {_told(refusal, model_file)}"
        raise SpecError(_LEARNER, why) from refusal
    return loaded


def _told(refusal: UnsafePickle, model_file: ModelFile) -> str:
    """What was refused, and the line that would admit it: of our own object, not of one found."""
    if refusal.names is None:
        return refusal.what
    module, name = refusal.names
    holds = f"it holds {module}.{name}"
    is_own = model_file.learner.python is not None
    if not is_own or module.partition(".")[0] in {"river", *sys.stdlib_module_names}:
        return f"{holds}, which no version may hold"
    if not _can_be_trusted(module, name):
        return f"{holds}, which is neither a class nor a function of a module's own"
    trusted = ", ".join([*model_file.trust, module])
    return f"{holds}, and {module} is not trusted: add `trust: [{trusted}]` to the model file"


def _can_be_trusted(module: str, name: str) -> bool:
    """Whether `trust:` would admit it; whoever pickled it has imported it already."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    is_own = isinstance(found, type | FunctionType)
    return is_own and (found.__module__, found.__qualname__) == (module, name)
