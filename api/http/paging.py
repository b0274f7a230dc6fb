"""What lists are asked for by: how many items, and from where on; and the name of a version."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Path, Query
from pydantic import BeforeValidator

from checkpoints.reading.views import LIMIT_MAX, LIMIT_USUAL
from config.text.moments import moment_ms

VERSION = "^v[1-9][0-9]{0,14}$"
_CURSOR = "^[1-9][0-9]{0,14}$"

VersionName = Annotated[str, Path(description="A version, v and its number.", pattern=VERSION)]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list: at most `limit` items, those after `start`; None: from the newest on."""

    limit: int
    start: int | None


def _digits(text: Any) -> Any:
    """Refuse what reads as a number and is not written as one."""
    if isinstance(text, str) and not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text[:40]!r} is no whole number")
    return text


def _moment(text: Any) -> Any:
    """The milliseconds since 1970 of a time, None where none is asked for."""
    return moment_ms(text) if isinstance(text, str) else text


MomentAsked = Annotated[
    int | None,
    Query(
        alias="at",
        description="A time (RFC 3339): the one version that was served then.",
        json_schema_extra={"type": "string", "format": "date-time"},
    ),
    BeforeValidator(_moment),
]


async def _page(
    limit: Annotated[
        int,
        Query(ge=1, le=LIMIT_MAX, description="How many items at most."),
        BeforeValidator(_digits),
    ] = LIMIT_USUAL,
    cursor: Annotated[
        str | None, Query(pattern=_CURSOR, description="`next` of the page before.")
    ] = None,
) -> Page:
    return Page(limit, None if cursor is None else int(cursor))


PageAsked = Annotated[Page, Depends(_page)]
