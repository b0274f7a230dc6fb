"""The model file that a version was learned by, read back from its manifest."""

from collections.abc import Iterable

from checkpoints.records.manifest import Manifest
from config.errors import ModelFileError
from config.model.of_sections import model_file_of as of_sections
from config.model_file import ModelFile
from stream.errors import ModelFileNotUnderstoodError


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
    where = f"{manifest.model} {manifest.name}"
    try:
        return of_sections(manifest.model_file, where=where, only=tuple(sections), trust=trust)
    except ModelFileError as error:
        why = error.problems[0].message
        raise ModelFileNotUnderstoodError(manifest.model, manifest.name, why) from error
