"""A row beside the version that learned the very same records: equal in all that both tell, or not.

Only the same model can be equal. Another one on the version's records is what `--end` is for as
well: its row has what it would have had in the version's place, and nothing is compared.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from checkpoints.records.manifest import Manifest
from config.model_file import ModelFile
from stream.trying.rows import TrialRow

# What decides over learning and scores; the rest of a model file is where and how it is kept.
_DECIDING = (
    *("task", "labels", "learner", "features", "strict", "missing", "limits", "late_labels"),
    *("importance", "drift"),
)
# A version that a rollback lies before has the model's counts from one place in the log and the
# log's from another.
_COUNTS_OF_THE_MODEL = ("learned", "scored", "nonfinite")
_COUNTS = (*_COUNTS_OF_THE_MODEL, "refused", "pending", "expired")
_WINDOWS = ("lifetime", "rolling", "fading")


class BesideVersion(Struct, frozen=True, kw_only=True):
    """How a row compares with a version.

    Attributes:
        version: Its name.
        passes_rollback: The way there leads over one that a rollback made.
        other: Sections of the model file that differ: another model, with which nothing is
            compared.
        differences: What differs, each in words; none where all is equal.
    """

    version: str
    passes_rollback: bool = False
    other: tuple[str, ...] = ()
    differences: tuple[str, ...] = ()

    @property
    def body(self) -> dict[str, Any]:
        """As `--json` has it."""
        return {
            "name": self.version,
            "is_exact": self.is_exact,
            "other_sections": list(self.other),
            "differences": list(self.differences),
        }

    @property
    def is_exact(self) -> bool:
        """Whether it has the very numbers of the version."""
        return not self.other and not self.differences


def beside_version(
    row: TrialRow, model_file: ModelFile, version: Manifest, *, passes_rollback: bool
) -> BesideVersion:
    """Compare the row of `model_file` with the version that learned the same records.

    Args:
        passes_rollback: The way to the version leads over one that a rollback made.
    """
    other = tuple(_other_sections(model_file, version))
    counts = _COUNTS_OF_THE_MODEL if passes_rollback else _COUNTS
    found = () if other else tuple(_differences(row, model_file, version, counts))
    return BesideVersion(
        version=version.name, passes_rollback=passes_rollback, other=other, differences=found
    )


def told(row: TrialRow, beside: BesideVersion) -> str:
    """The comparison in a line."""
    if beside.is_exact:
        return f"{row.model}: exactly the scores of {beside.version}, {row.learned:,} learned"
    if beside.other:
        sections = ", ".join(beside.other)
        return (
            f"{row.model}: what it would have had in the place of {beside.version}, which was "
            f"learned by another model file ({sections})"
        )
    why = (
        "; a rollback lies on the way there: events that it made the model forget are still known "
        "by their ids and wait for their labels, which no trial from the beginning has; "
        f"weir rebuild {row.model} {beside.version}  goes from the rollback on"
    )
    found = "; ".join(beside.differences)
    return f"{row.model}: not the scores of {beside.version}: {found}{why * beside.passes_rollback}"


def _other_sections(model_file: ModelFile, version: Manifest) -> Iterator[str]:
    ours, theirs = model_file.sections(), version.model_file
    return (name for name in _DECIDING if ours.get(name) != theirs.get(name))


def _differences(
    row: TrialRow, model_file: ModelFile, version: Manifest, counts: Iterable[str]
) -> Iterator[str]:
    for name in counts:
        ours, theirs = getattr(row, name), getattr(version.counts, name)
        if ours != theirs:
            yield f"{name} {ours:,} for {theirs:,}"
    if row.drifts != version.drift_total:
        yield f"drifts {row.drifts:,} for {version.drift_total:,}"
    windows = _WINDOWS if _same_windows(model_file, version.model_file) else _WINDOWS[:1]
    for score, of in version.metrics.items():
        for window in windows if score in row.metrics else ():
            ours, theirs = getattr(row.metrics[score], window), of.get(window)
            if ours != theirs:
                yield f"{score} {window} {ours!r} for {theirs!r}"


def _same_windows(model_file: ModelFile, sections: Mapping[str, object]) -> bool:
    return model_file.sections().get("scores") == sections.get("scores")
