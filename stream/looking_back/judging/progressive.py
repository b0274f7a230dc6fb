"""How a line did as it learned: errors among the events between two versions, from their manifests.

Each event was predicted before it was learned. So where events go wrong, these errors rise with the
first of them, before a version shows it on good events, or although none ever does. They rise as
well where the world has changed: which of the two it was, the sources tell, or a person.
"""

from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from checkpoints.records.manifest import Manifest, Version
from stream.looking_back.judging.change_point import Break, Rate, find_rate_break

_SCORE = "Accuracy"  # what a manifest has of errors that are counted
_EVENTS_MIN = 30  # fewer are no share


class Learned(Struct, frozen=True, kw_only=True):
    """What was learned between two versions, and the share of it that was predicted wrongly."""

    before: Version
    after: Version
    rate: Rate


class ProgressiveBreak(Struct, frozen=True, kw_only=True):
    """Where errors rose; the places of `at` are in `row`."""

    row: Sequence[Learned]
    at: Break

    @property
    def good(self) -> Version:
        """The last version before they did."""
        return self.row[self.at.bad].before

    @property
    def bad(self) -> Version:
        """The first that had learned such events."""
        return self.row[self.at.bad].after

    @property
    def back(self) -> Version | None:
        """The first version after which errors were never up again; None: they still are.

        A model gets used to what is wrong, and errs again when it ends.
        """
        half = self.row[self.at.best].rate.share + self.at.fall / 2
        up = [place for place, each in enumerate(self.row) if each.rate.share >= half]
        last = max(up, default=self.at.worst)
        return self.row[last + 1].after if last + 1 < len(self.row) else None

    def covers(self, version: Version) -> bool:
        """Whether a version was made while errors were up."""
        back = self.back
        return self.bad.number <= version.number and (back is None or version.number <= back.number)


def error_rates(versions: Sequence[Version]) -> list[Learned]:
    """The share of errors between versions, thirty events at least.

    Args:
        versions: Oldest first. What a rollback went back from is left out.
    """
    found: list[Learned] = []
    base = None
    for before, after in pairwise(versions):
        base = before if base is None else base
        if after.manifest.rollback is not None:
            base = after
            continue
        rate = _rate(base.manifest, after.manifest)
        if rate is not None and rate.events >= _EVENTS_MIN:
            found.append(Learned(before=base, after=after, rate=rate))
            base = after
    return found


def _rate(before: Manifest, after: Manifest) -> Rate | None:
    events = after.counts.scored - before.counts.scored
    was, now = (_errors(each) for each in (before, after))
    if events <= 0 or was is None or now is None:
        return None
    return Rate(min(1.0, max(0.0, (now - was) / events)), events)


def _errors(manifest: Manifest) -> float | None:
    """How many predictions were wrong so far; None where no score tells."""
    if not manifest.counts.scored:
        return 0.0
    score = manifest.metrics.get(_SCORE, {}).get("lifetime")
    return None if score is None else (1.0 - score) * manifest.counts.scored


def progressive_break(versions: Sequence[Version], since: int) -> ProgressiveBreak | None:
    """Where errors rose, among versions that were made after one that was good.

    Args:
        versions: Oldest first.
        since: The place of the good one.
    """
    row = error_rates(versions)
    good = sum(each.after.number <= versions[since].number for each in row)
    found = find_rate_break([each.rate for each in row], max(0, good - 1))
    return None if found is None else ProgressiveBreak(row=row, at=found)
