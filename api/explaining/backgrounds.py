"""The rows that a version's answers are compared with; the store is asked for them once."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from checkpoints.reading.reader import LineReader
from checkpoints.records.manifest import Version
from learner.explaining.background import SEGMENT, rows_of

Rows: TypeAlias = tuple[Sequence[Mapping[str, Any]], int | None]


class Backgrounds:
    """The background of each model's version that was asked for last."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, Rows]] = {}

    def held(self, version: Version) -> Rows | None:
        """That of a version, where nothing has to be fetched for it."""
        ref = version.manifest.segments.get(SEGMENT)
        if ref is None:  # a version from before there were any
            return [], None
        name, rows = self._held.get(version.manifest.model, ("", ([], None)))
        return rows if name == ref.sha256 else None

    def fetched(self, reader: LineReader, version: Version) -> Rows:
        """That of a version.

        Raises:
            CheckpointError: The store has it not, or does not answer.
        """
        held = self.held(version)
        if held is not None:
            return held
        rows: Rows = rows_of(reader.load_segments(version, [SEGMENT])[SEGMENT])
        ref = version.manifest.segments[SEGMENT]
        self._held[version.manifest.model] = (ref.sha256, rows)
        return rows
