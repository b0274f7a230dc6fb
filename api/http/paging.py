"""What lists are asked for by: how many items, and from where on; and the name of a version."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Query
from pydantic import AfterValidator, BeforeValidator

from checkpoints.reading.views import LIMIT_MAX, LIMIT_USUAL
from learner.events.times import RFC_3339, is_rfc3339, time_ms

VERSION = "^v[1-9][0-9]{0,14}$"
_LAST_MS = 253_402_300_799_999  # of the year 9999
_CURSOR = "^[1-9][0-9]{0,14}$"

VersionName = Annotated[str, Path(description="A version, v and its number.", pattern=VERSION)]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: at most `limit` items, those after `start`; None: from the newest on."""

    limit: int
    start: int | None


def digits(text: Any) -> Any:
    """Refuse what reads as a number and is not written as one."""
    if isinstance(text, str) and not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text[:40]!r} is no whole number")
    return text


def _moment(text: str | None) -> str | None:
    """Refuse what is no time."""
    if text is not None and not is_rfc3339(text):
        raise ValueError(f"{text[:40]!r} is no time (RFC 3339), such as 2026-11-20T12:00:00Z")
    return text


MomentAsked = Annotated[
    str | None,
    Query(
        alias="at",
        description="A time (RFC 3339): the one version that was served then.",
        json_schema_extra={"pattern": f"^{RFC_3339}$"},
    ),
    AfterValidator(_moment),
]


def asked_ms(moment: str) -> int:
    """The milliseconds since 1970 of a time that was asked for; of the years 1970 to 9999.

    >>> asked_ms("1970-01-01T00:00:01Z"), asked_ms("0001-01-01T00:00:00+01:00")
    (1000, 0)
    """
    return min(max(0, int(time_ms(moment))), _LAST_MS)


async def _page(
    limit: Annotated[
        int,
        Query(ge=1, le=LIMIT_MAX, description="How many items at most."),
        BeforeValidator(digits),
    ] = LIMIT_USUAL,
    cursor: Annotated[
        str | None, Query(pattern=_CURSOR, description="`next` of the page before.")
    ] = None,
) -> Page:
    return Page(limit, None if cursor is None else int(cursor))


PageAsked = Annotated[Page, Depends(_page)]
