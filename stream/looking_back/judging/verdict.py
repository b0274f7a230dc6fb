"""From what two rows show, asked about good events and as they learned, to one answer. Pure."""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from checkpoints.records.manifest import Version
from stream.looking_back.judging.change_point import Break
from stream.looking_back.judging.progressive import ProgressiveBreak

PROBE, PROGRESSIVE = "probe", "progressive"


class ProbeBreak(Struct, frozen=True, kw_only=True):
    """Where versions broke on good events; the places of `at` are in `row`."""

    row: Sequence[Version]
    at: Break


class Blamed(Struct, frozen=True, kw_only=True):
    """Where a line broke.

    Attributes:
        good, bad: The last good version, and the first bad one.
        worst: The worst on good events; None where these show nothing.
        back: The first that was good again; None: none is.
        by: What shows it.
        also: The first bad one of a later break, if what else there is shows one.
    """

    good: Version
    bad: Version
    worst: Version | None
    back: Version | None
    by: tuple[str, ...]
    also: Version | None = None


def verdict(probe: ProbeBreak | None, progressive: ProgressiveBreak | None) -> Blamed | None:
    """Where the line broke; None where neither shows it.

    Errors that rose first are the beginning of what the probe shows, if they were up when it
    began. Else the two are two breaks: the earlier one is the answer.
    """
    if probe is None or progressive is None:
        alone = _of_probe(probe) if probe else None
        return _of_errors(progressive) if progressive else alone
    shown, made = _of_probe(probe), _of_errors(progressive)
    if progressive.covers(shown.bad):
        return replace(shown, good=made.good, bad=made.bad, by=(PROBE, PROGRESSIVE))
    first, second = sorted((shown, made), key=lambda each: each.bad.number)
    return replace(first, also=second.bad)


def _of_probe(found: ProbeBreak) -> Blamed:
    row, at = found.row, found.at
    back = None if at.back is None else row[at.back]
    return Blamed(good=row[at.good], bad=row[at.bad], worst=row[at.worst], back=back, by=(PROBE,))


def _of_errors(found: ProgressiveBreak) -> Blamed:
    return Blamed(good=found.good, bad=found.bad, worst=None, back=found.back, by=(PROGRESSIVE,))
