"""From an exported version to a model that answers in this process, the restricted way."""

from importlib.metadata import version as installed

from api.offline.errors import NotFitHereError
from api.offline.fitting import fitting
from api.serving.load import opened
from checkpoints.exporting.container import ExportedVersion
from config.processes.scratch import private_folder
from learner.served_model import ProbeFailedError, ServedModel

__all__ = ["opened_here"]


def opened_here(exported: ExportedVersion, trust: tuple[str, ...]) -> ServedModel:
    """The model, loaded in this process, where it answers its probe as the learner did.

    Raises:
        NotFitHereError: As `fitting`; or it answers otherwise here.
        UnsafePickle: It names what no model is made of.
        RestoreError: It is no model of its learner.
    """
    found, segment = fitting(exported, trust), exported.raw("model")
    try:
        with private_folder(None) as scratch:
            return opened(exported.version, segment, found, scratch).model
    except ProbeFailedError as error:
        wrote = exported.version.manifest.software
        raise NotFitHereError(
            f"{exported.file} does not answer here as its learner did, which had numpy "
            f"{wrote.get('numpy')}, Python {wrote.get('python')} and {wrote.get('machine')}, and "
            f"here is numpy {installed('numpy')}: {error}"
        ) from error
