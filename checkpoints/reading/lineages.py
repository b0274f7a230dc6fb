"""In which order a line has taken its records, as far as that is kept.

A version's lineage says what it learned since the version that it went on from. From one to the
next they lead back to any version that is kept, which is how a version is rebuilt; or, past the
forks that rollbacks have made, over all that was read after a place in the log, which is what a
rewind replays.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from checkpoints.errors import NoSuchVersion
from checkpoints.reading.reader import LineReader
from checkpoints.records.line import Line
from checkpoints.records.lineage import Lineage, Past, joined, lineage_in, open_lineage
from checkpoints.records.manifest import Offsets, Run, Version
from checkpoints.records.replay import SEGMENT, Replay
from checkpoints.records.signing import Verifier
from checkpoints.stores.contract import Store

__all__ = ["Lineages", "ReadOrder", "flat", "lineage_of", "order_since"]

_Ends: TypeAlias = dict[tuple[str, int], int]


class ReadOrder(Struct, frozen=True, kw_only=True):
    """What was read after a version, in order.

    Attributes:
        runs: Each topic, partition, first offset, next offset.
        unknown: Records among them whose order is not kept any more: they stand before what came
            after them in their own partition.
    """

    runs: tuple[Run, ...]
    unknown: int = 0

    @property
    def records(self) -> int:
        """Offsets in all, gaps in the log included."""
        return sum(following - first for _, _, first, following in self.runs)


class Lineages:
    """Reads the lineages of one line's kept versions.

    Args:
        store: Where the line is kept.
        verifier: Whose signatures are believed.
    """

    def __init__(self, store: Store, verifier: Verifier, line: Line) -> None:
        self._store, self._verifier, self._line = store, verifier, line
        self.reader = LineReader(store, verifier, line)

    def of(self, version: Version) -> Lineage:
        """What it learned, since which version that is kept, or since the beginning.

        Raises:
            CheckpointError: What is kept of that does not verify.
        """
        return lineage_of(self._store, self._verifier, self.reader, version)

    def kept(self, version_id: str | None) -> Version | None:
        """The version of this id, where it is kept."""
        if version_id is None:
            return None
        try:
            return self.reader.version_by_id(version_id)
        except NoSuchVersion:
            return None

    def replay_of(self, version: Version) -> Replay:
        """What the rewind replayed that made this version; nothing of any other."""
        found = self.reader.load_segments(version, (SEGMENT,))
        return Replay.from_bytes(found[SEGMENT]) if found else Replay()


def lineage_of(store: Store, verifier: Verifier, reader: LineReader, version: Version) -> Lineage:
    """The standing lineage of a kept version: what pruned ones have left it, else its own.

    Raises:
        CheckpointError: What is kept of it does not verify.
    """
    envelope = store.lineage(reader.line, version.id)
    if envelope is not None:
        return open_lineage(envelope, verifier, reader.line, version_id=version.id)
    found = reader.load_segments(version, (SEGMENT,))
    return lineage_in(version, Replay.from_bytes(found[SEGMENT]) if found else None)


def order_since(
    lineages: Lineages,
    head: Version,
    begins: Mapping[tuple[str, int], int],
    *,
    stops_at: str | None = None,
    with_forgotten: bool = True,
) -> ReadOrder:
    """In which order the records from a place on were taken, up to where `head` stands.

    What an earlier rewind left out is no part of it.

    Args:
        begins: The first offset of each partition; of one that is not named, where it begins.
        stops_at: The id of a version that stands there.
        with_forgotten: What rollbacks made the model forget is part of it.

    Raises:
        CheckpointError: A lineage on the way does not verify.
    """
    begins = {**flat(head.manifest.begins), **begins}
    parts: list[tuple[Run, ...]] = []
    left_out: list[Run] = []
    open_ends = flat(head.manifest.offsets)
    for step in _steps(lineages, head, stops_at, with_forgotten=with_forgotten):
        if not any(end > begins.get(key, 0) for key, end in open_ends.items()):
            break
        parts.append(_clipped(step.runs, begins, open_ends))
        left_out += step.left_out
    runs = joined(run for part in reversed(parts) for run in part)
    ends = flat(head.manifest.offsets)
    missing = _missing([*runs, *left_out], begins, ends)
    return ReadOrder(
        runs=_put_before(runs, missing),
        unknown=sum(following - first for of in missing.values() for first, following in of),
    )


def _steps(
    lineages: Lineages, head: Version, stops_at: str | None, *, with_forgotten: bool
) -> Iterator[Past]:
    """From the head back, newest first, as far as anything is kept."""
    version: Version | None = head
    while version is not None and version.id != stops_at:
        lineage = lineages.of(version)
        past = lineage.read_past if with_forgotten else lineage.learned_past
        yield past
        version = lineages.kept(past.base)


def flat(offsets: Offsets) -> dict[tuple[str, int], int]:
    """Offsets by topic and partition."""
    return {(topic, int(p)): at for topic, of in offsets.items() for p, at in of.items()}


def _clipped(
    runs: Sequence[Run], begins: Mapping[tuple[str, int], int], ends: _Ends
) -> tuple[Run, ...]:
    """Of one version's runs what lies in between; `ends` fall to where they begin."""
    kept: list[Run] = []
    for topic, partition, first, following in reversed(runs):
        key = (topic, partition)
        begin, end = max(first, begins.get(key, 0)), min(following, ends.get(key, 0))
        if begin < end:
            kept.append((topic, partition, begin, end))
            ends[key] = begin
    return tuple(reversed(kept))


def _missing(
    known: Iterable[Run], begins: _Ends, ends: _Ends
) -> dict[tuple[str, int], list[tuple[int, int]]]:
    """The stretches of each partition that none of `known` covers."""
    covered: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for topic, partition, first, following in known:
        covered.setdefault((topic, partition), []).append((first, following))
    found: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for key, end in ends.items():
        at = begins.get(key, 0)
        for first, following in sorted(covered.get(key, ())):
            if first > at:
                found.setdefault(key, []).append((at, min(first, end)))
            at = max(at, following)
        if at < end:
            found.setdefault(key, []).append((at, end))
    return found


def _put_before(
    runs: Sequence[Run], missing: Mapping[tuple[str, int], list[tuple[int, int]]]
) -> tuple[Run, ...]:
    """The runs with each missing stretch right before what came after it in its partition."""
    left = {key: list(stretches) for key, stretches in sorted(missing.items())}
    whole: list[Run] = []
    for topic, partition, first, following in runs:
        of_key = left.get((topic, partition), [])
        while of_key and of_key[0][0] < first:
            whole.append((topic, partition, *of_key.pop(0)))
        whole.append((topic, partition, first, following))
    whole += [(*key, *stretch) for key, stretches in left.items() for stretch in stretches]
    return joined(whole)
