"""What an exported version needs of the Python that is to load it."""

from importlib.metadata import version as installed

from api.offline.errors import NotFitHereError
from checkpoints.compatibility import package_of
from checkpoints.exporting.container import ExportedVersion
from config.errors import ModelFileError
from config.model.of_sections import model_file_of
from config.model_file import ModelFile
from learner.river.own_class import is_trusted

__all__ = ["fitting"]

# What the answers follow from; the rest may be of another release.
_ANSWERED_BY = ("name", "task", "labels", "learner", "features", "strict", "limits", "missing")


def fitting(exported: ExportedVersion, trust: tuple[str, ...]) -> ModelFile:
    """The model file that the version answers by, if it can be loaded here.

    Args:
        trust: Packages that may be loaded, whatever the file says.

    Raises:
        NotFitHereError: Another library wrote it, or it needs a package that is not trusted.
    """
    manifest = exported.version.manifest
    where = f"{exported.file}: {manifest.model} {manifest.name}"
    own = (manifest.model_file.get("learner") or {}).get("python")
    if own is not None and not is_trusted(own.partition(":")[0], trust):
        package = own.partition(".")[0].partition(":")[0]
        raise NotFitHereError(
            f"{where} runs the Python of {own}, which is not trusted here: if it is yours, "
            f'weir.load(FILE, trust=["{package}"])'
        )
    try:
        found = model_file_of(manifest.model_file, where=where, only=_ANSWERED_BY, trust=trust)
    except ModelFileError as error:
        why = error.problems[0].told
        raise NotFitHereError(f"{where} is of another release of Weir: {why}") from error
    uses = package_of(found.learner)
    if uses and manifest.software.get(uses) != installed(uses):
        wrote = manifest.software.get(uses)
        raise NotFitHereError(
            f"{where} was learned with {uses} {wrote}, and here is {uses} {installed(uses)}: "
            f"pip install '{uses}=={wrote}'"
        )
    return found
