"""Sources that are new where a line broke, and the command that takes them out. Pure."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from checkpoints.reading.difference import Stretch
from checkpoints.records.manifest import Version
from stream.looking_back.learned import OTHER

Body = Mapping[str, Any]

_MAJORITY = 0.5  # of the records where it broke: less is not the cause of it
_NEW = 0.1  # of the records before: more has been there all along


def strangers(between: Sequence[Body], before: Sequence[Body]) -> list[Body]:
    """The source that most of what was learned is from, and hardly anything before.

    Args:
        between: What was learned where it broke, by source (`learned.py`).
        before: What was learned before that.

    Returns:
        Of each such source what it has before, with its first offsets: none where it has nothing.
    """
    had = {each["source"]: each for each in before}
    total, total_before = (sum(each["records"] for each in of) for of in (between, before))
    found = []
    for each in between:
        was = had.get(each["source"], {"source": each["source"], "records": 0, "offsets": {}})
        is_main = each["records"] > _MAJORITY * total
        is_new = total_before > 0 and was["records"] <= _NEW * total_before
        if is_main and is_new and each["source"] not in (None, OTHER):
            found.append(was)
    return found


def before_all(versions: Iterable[Version], good: Version, found: Sequence[Body]) -> Version | None:
    """The newest version up to the last good one that had learned nothing of these sources.

    Args:
        versions: All that are kept, oldest first. None: each had.
    """
    firsts = {
        (topic, partition): ends[0]
        for each in found
        for topic, of in each["offsets"].items()
        for partition, ends in of.items()
    }
    clean = None
    for version in versions:
        offsets = version.manifest.offsets
        is_clean = all(
            offsets.get(topic, {}).get(partition, 0) <= first
            for (topic, partition), first in firsts.items()
        )
        if is_clean and version.number <= good.number:
            clean = version
    return clean


def skips_of(stretch: Stretch, events_topic: str) -> list[str]:
    """What leaves out a stretch of the log."""
    return [
        f"{'' if topic == events_topic else topic + '/'}{partition}:{first}-{end - 1}"
        for topic, partitions in stretch.items()
        for partition, parts in partitions.items()
        for first, end in parts
    ]


def rewind_command(good: Version, skips: Sequence[str]) -> str:
    """The command that goes back to a version, and leaves these out.

    >>> from types import SimpleNamespace as Has
    >>> v7 = Has(manifest=Has(model="returns", name="v7"))
    >>> rewind_command(v7, ["0:5-9"])
    'weir rollback returns v7 --mode rewind --skip 0:5-9 --reason TEXT'
    """
    name, left_out = good.manifest, " ".join(f"--skip {shlex.quote(skip)}" for skip in skips)
    return f"weir rollback {name.model} {name.name} --mode rewind {left_out} --reason TEXT"
