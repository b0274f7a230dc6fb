"""The model file that a version was learned by, read back from its manifest."""

from collections.abc import Iterable

import msgspec
from pydantic import ValidationError

from checkpoints.records.manifest import Manifest
from config.model_file import ModelFile
from stream.errors import ModelFileNotUnderstoodError

_DAY_S = 86400


def model_file_of(
    manifest: Manifest, sections: Iterable[str], trust: tuple[str, ...] | None = None
) -> ModelFile:
    """These sections of the model file of a version; the others may be of another release.

    Args:
        trust: In place of what the version lists, for who is to load its learner: what may be
            loaded is the reader's to say.

    Raises:
        ModelFileNotUnderstoodError: It is of a release that this one does not understand, or its
            learner is a class that `trust` does not list.
    """
    content = msgspec.json.decode(msgspec.json.encode(manifest.model_file))
    known = {name: content[name] for name in sections if content.get(name) is not None}
    late = known.get("late_labels", {})
    if late.get("horizon") is not None:  # a version has seconds, a file a text
        days = late["horizon"] / _DAY_S
        late["horizon"] = f"{days:.3f}d" if days >= 1 else f"{late['horizon']:.3f}s"
    if trust is not None:
        known["trust"] = trust
    try:
        return ModelFile.model_validate(known)
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise ModelFileNotUnderstoodError(manifest.model, manifest.name, why) from error
