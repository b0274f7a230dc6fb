"""What is read from processes that run: metrics, memory, CPU; and what samples say."""

import os
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

_LIMIT_S = 120.0


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that this share of all values does not exceed.

    >>> percentile([3.0, 1.0, 2.0, 4.0], 0.5), percentile([3.0, 1.0], 0.99)
    (2.0, 3.0)
    """
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))]


def scrape(url: str) -> dict[str, float]:
    """A process's metrics, the series of a name added up; empty while it does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            lines = answer.read().decode().splitlines()
    except (OSError, HTTPException):  # it ends, maybe amid its answer
        return {}
    found: dict[str, float] = {}
    for line in lines:
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            name = series.partition("{")[0]
            found[name] = found.get(name, 0.0) + float(value)
    return found


def memory_mb(pid: int) -> float:
    """Megabytes of a process that are in memory, what it shares with others included (Linux)."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def proportional_mb(pid: int) -> float:
    """Megabytes of a process in memory, of what it shares its share; 0 once it is gone (Linux)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


@dataclass(frozen=True, slots=True)
class Running:
    """A process: who started it, and the CPU seconds of it and of its ended children."""

    parent: int
    cpu_s: float


def running_now() -> dict[int, Running]:
    """All processes of the machine that may be seen (Linux)."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
                found[int(folder.name)] = _running((folder / "stat").read_text())
    return found


def _running(stat: str) -> Running:
    fields = stat.rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:15]))  # user and system, then those of its ended children
    return Running(int(fields[1]), ticks / os.sysconf("SC_CLK_TCK"))


def until(
    condition: Callable[[], bool], what: str, *, limit_s: float = _LIMIT_S, look_s: float = 0.005
) -> float:
    """Wait for a condition, with a pause between two looks; when it was seen, by `perf_counter`."""
    deadline = time.perf_counter() + limit_s
    while not condition():
        assert time.perf_counter() < deadline, f"{what}: not within {limit_s:g} s"
        time.sleep(look_s)
    return time.perf_counter()
