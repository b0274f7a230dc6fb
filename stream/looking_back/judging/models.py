"""A kept version as a model that answers, loaded beside the line and thrown away."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from checkpoints.compatibility import check_software, package_of
from checkpoints.errors import CheckpointError, StoreUnavailable
from checkpoints.reading.reader import LineReader
from checkpoints.records.manifest import Manifest, Version
from checkpoints.unpickle import loads
from config.model_file import ModelFile
from learner.errors import RestoreError, SpecError
from learner.served_model import ProbeFailedError, ServedModel
from stream.commit.protocol import software
from stream.errors import ModelFileNotUnderstoodError
from stream.model_file_of import model_file_of

# What of a version's model file its answers and the reading of its log follow from, and its scores.
_SECTIONS = (
    "name", "task", "labels", "learner", "features", "strict", "missing", "limits", "topics",
    "late_labels", "value", "metrics", "scores", "trust",
)  # fmt: skip
_UNLOADABLE = (
    CheckpointError, ModelFileNotUnderstoodError, ProbeFailedError, RestoreError, SpecError,
)  # fmt: skip


class NotLoadedError(Exception):
    """A version that is kept cannot be loaded here; the message says why."""


class VersionModels:
    """Loads versions of one line.

    Args:
        reader: Of the line.
        trust: Packages whose classes may be loaded, besides River's and Vowpal Wabbit's.
        scratch: A private folder in memory, for learners that load only from a path.
    """

    def __init__(self, reader: LineReader, trust: tuple[str, ...], scratch: Path) -> None:
        self._reader, self._trust, self._scratch = reader, trust, scratch

    def model_file(self, manifest: Manifest) -> ModelFile:
        """The model file that a version was learned by.

        Raises:
            ModelFileNotUnderstoodError: Its learner is not trusted here, or it is of another
                release.
        """
        return model_file_of(manifest, _SECTIONS, self._trust)

    def load(self, version: Version) -> tuple[ServedModel, Mapping[str, Any] | None]:
        """The version, and the probe that it was made with.

        Raises:
            CheckpointError, ModelFileNotUnderstoodError, ProbeFailedError, RestoreError: It cannot
                be loaded, or does not answer as it did when it was made.
        """
        manifest = version.manifest
        model_file = self.model_file(manifest)
        uses = package_of(model_file.learner)
        check_software(manifest.model, manifest.name, manifest.software, software(), uses=uses)
        segment = self._reader.load_segments(version, ["model"])["model"]
        payload = loads(segment, model_file.trust)
        return ServedModel(model_file, payload, self._scratch), payload["probe"]

    def tried(self, version: Version) -> tuple[ServedModel, Mapping[str, Any] | None]:
        """As `load`, for who can do without this version.

        Raises:
            NotLoadedError: It cannot be loaded.
            StoreUnavailable: The store does not answer.
        """
        try:
            return self.load(version)
        except StoreUnavailable:
            raise
        except _UNLOADABLE as error:
            raise NotLoadedError(str(error)) from error
