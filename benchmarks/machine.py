"""On what, and of what, figures were measured."""

import hashlib
import os
import platform
import re
import subprocess
from importlib.metadata import version as installed
from pathlib import Path

from checkpoints.dev_server import find_server
from stream.dev import jars

TOP = Path(__file__).resolve().parents[1]
# What benchmarks write themselves is no change of what they measure.
_WRITTEN = ("benchmarks/*.json", "benchmarks/*.svg", "benchmarks/README.md")
_PACKAGES = ("river", "vowpalwabbit", "kafka-python", "hiredis", "fastapi", "uvicorn", "msgspec")


def machine() -> dict[str, str]:
    """The machine and the software that Weir stands on."""
    return {
        "cpu": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{_memory_gb():.0f} GB",
        "system": f"{platform.system()}, {platform.machine()}",
        "python": platform.python_version(),
        "kafka": _kafka(),
        "valkey": _valkey(),
        **{name: installed(name) for name in _PACKAGES},
    }


def commit() -> str:
    """The commit that is measured, with a mark of what was changed since; `unknown` without git."""
    head = _git("rev-parse", "HEAD")
    if head is None:
        return "unknown"
    others = ("--", ".", *(f":!{path}" for path in _WRITTEN))
    changes = (_git("diff", "HEAD", *others) or "") + (_git("status", "--short", *others) or "")
    mark = f"+{hashlib.sha256(changes.encode()).hexdigest()[:8]}" if changes else ""
    return head[:12] + mark


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=TOP, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return None if done.returncode else done.stdout.strip()


def _cpu() -> str:
    found = re.search(r"^model name\s*: (.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    return found[1] if found else platform.processor()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)


def _kafka() -> str:
    found = re.search(
        r"/kafka-clients-([\d.]+)\.jar", Path(jars.__file__).with_name("jars.lock").read_text()
    )
    return found[1] if found else "unknown"


def _valkey() -> str:
    said = subprocess.run([find_server(), "--version"], capture_output=True, text=True, check=True)
    found = re.search(r"v=([\d.]+)", said.stdout)
    return found[1] if found else said.stdout.strip()


def _text(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""
