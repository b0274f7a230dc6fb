"""The learner's memory, and what to say when it grows beyond its limit."""

from pathlib import Path

from checkpoints.records.manifest import Manifest
from stream.errors import StreamError

_STATM = Path("/proc/self/statm")
_PAGE_BYTES = 4096
_MIB = 1 << 20


class MemoryLimitError(StreamError):
    """The learner holds more than `learner.max_memory_bytes`.

    Operator: the message says which part grew. Give the model a bound (`max_size` of a tree,
    `limits.names`), roll back, or raise the limit.
    """

    exit_code = 6


def check_memory(limit: int, manifest: Manifest) -> None:
    """Refuse to go on beyond the limit.

    Args:
        limit: Bytes resident.
        manifest: The version made last: its segments tell what is large.

    Raises:
        MemoryLimitError: Naming the parts, the largest first.
    """
    held = resident_bytes()
    if held <= limit:
        return
    parts = sorted(manifest.segments.items(), key=lambda each: -each[1].raw_bytes)
    told = ", ".join(f"{name} {ref.raw_bytes / _MIB:.1f}" for name, ref in parts)
    raise MemoryLimitError(
        f"model {manifest.model}: the learner holds {held / _MIB:.0f} MiB, "
        f"learner.max_memory_bytes is {limit / _MIB:.0f}; written down, {manifest.name} has (MiB) "
        f"{told}: give the model a bound, roll back, or raise the limit"
    )


def resident_bytes() -> int:
    """What this process holds in memory; 0 where the system does not tell (not Linux)."""
    try:
        return int(_STATM.read_text().split()[1]) * _PAGE_BYTES
    except FileNotFoundError:
        return 0
