"""A model file made again of the sections that a version's manifest holds."""

import json
from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from config.errors import Mistake, ModelFileError
from config.model_file import ModelFile
from config.text.messages import place_of, plain_message

_DAY_S = 86_400


def model_file_of(
    sections: Mapping[str, Any],
    *,
    where: str,
    only: Collection[str] | None = None,
    trust: tuple[str, ...] | None = None,
) -> ModelFile:
    """The model file that a version was learned with, as far as it is asked for.

    Args:
        sections: As `ModelFile.sections` gave them, through JSON and back.
        where: Which version's they are, for the error.
        only: These sections, and no other: they may be of another release. None: all.
        trust: The packages that may be loaded, whatever the sections say; None: what they say.

    Raises:
        ModelFileError: This release does not understand them.

    >>> kept = {"name": "m", "task": "binary", "learner": {"vw": ""}, "trust": ["theirs"]}
    >>> model_file_of(kept, where="m v3", trust=("ours",)).trust
    ('ours',)
    """
    plain = json.loads(json.dumps(sections))
    known = {
        name: each
        for name, each in plain.items()
        if each is not None and (only is None or name in only)
    }
    late = known.get("late_labels", {})
    if late.get("horizon") is not None:  # a version has seconds, a file a text
        late["horizon"] = _span(late["horizon"])
    if trust is not None:
        known["trust"] = list(trust)
    try:
        return ModelFile.model_validate(known)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise ModelFileError(_mistake(where, each) for each in found) from error


def _span(seconds: float) -> str:
    return f"{seconds / _DAY_S:.3f}d" if seconds >= _DAY_S else f"{seconds:.3f}s"


def _mistake(where: str, error: Any) -> Mistake:
    key = ".".join(map(str, place_of(error)))
    return Mistake(file=where, line=0, key=key, message=plain_message(error, ModelFile))
