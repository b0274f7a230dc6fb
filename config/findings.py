"""What `weir doctor` finds: one thing looked at, how it is, and how to mend it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

# Of several errors, the exit code that no restart can heal comes first.
_GRAVEST_FIRST = (2, 6, 4, 3, 5, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at.

    Args:
        about: What it belongs to: a model file (of an error, with the line), `kafka`, `redis`,
            `keys`, a model's name.
        level: `error`: a process would refuse to start, or stop.
        what: How it is.
        mend: What to do about it; empty where it is fine.
        exit_code: Of an error: what the process would end with (docs/reference/exit-codes.md).
    """

    about: str
    level: Literal["ok", "warning", "error"]
    what: str
    mend: str = ""
    exit_code: int = 0


def fine(about: str, what: str) -> Finding:
    """Something that is as it should be."""
    return Finding(about=about, level="ok", what=what)


def warning(about: str, what: str, mend: str) -> Finding:
    """Something that works now and will not always."""
    return Finding(about=about, level="warning", what=what, mend=mend)


def error(about: str, what: str, mend: str, *, exit_code: int) -> Finding:
    """Something that stops a process."""
    return Finding(about=about, level="error", what=what, mend=mend, exit_code=exit_code)


def exit_code(findings: Iterable[Finding]) -> int:
    """The exit code for all findings together; 0 without an error.

    >>> exit_code([fine("kafka", "answers"), error("redis", "is down", "start it", exit_code=5)])
    5
    """
    codes = {finding.exit_code for finding in findings if finding.level == "error"}
    return next((code for code in _GRAVEST_FIRST if code in codes), 1 if codes else 0)


def as_json(findings: Iterable[Finding]) -> dict[str, Any]:
    """The findings as `weir doctor --json` prints them."""
    listed = list(findings)
    return {"exit_code": exit_code(listed), "findings": [asdict(each) for each in listed]}


def as_text(finding: Finding) -> str:
    """The finding for people, on one line or two.

    >>> print(as_text(error("redis", "is down", "start it", exit_code=5)))
    error    redis: is down
             -> start it
    """
    line = f"{finding.level:<8} {finding.about}: {finding.what}"
    return f"{line}\n{' ' * 9}-> {finding.mend}" if finding.mend else line
