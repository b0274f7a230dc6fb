"""The model file that a version was learned with, from the sections that its manifest keeps."""

from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import ValidationError

from config.model_file import ModelFile

__all__ = ["SectionsNotUnderstoodError", "model_file_of_version"]


class SectionsNotUnderstoodError(Exception):
    """A version keeps sections of a model file that this release does not know.

    Operator: use the release that the version was made with.
    """

    exit_code = 2


def model_file_of_version(name: str, sections: Mapping[str, Any]) -> ModelFile:
    """The model file whose sections a version keeps.

    Args:
        name: The version, named in the error.

    Raises:
        SectionsNotUnderstoodError: Another release has written them.
    """
    known = {
        section: content
        for section, content in msgspec.json.decode(msgspec.json.encode(sections)).items()
        if content is not None
    }
    late = known.get("late_labels", {})
    if late.get("horizon") is not None:  # a version has seconds, a file a text
        days = late["horizon"] / 86400
        late["horizon"] = f"{days:.3f}d" if days >= 1 else f"{late['horizon']:.3f}s"
    try:
        return ModelFile.model_validate(known)
    except ValidationError as error:
        what = error.errors()[0]
        where = ".".join(str(part) for part in what["loc"])
        raise SectionsNotUnderstoodError(
            f"the model file that {name} was learned with is not understood "
            f"({where}: {what['msg']})"
        ) from error
