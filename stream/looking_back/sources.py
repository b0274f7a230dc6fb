"""Where a record came from, as its producer says."""

import re
from collections.abc import Sequence

import msgspec

from stream.send.resume import HEADER

_NUMBERED = re.compile(r"#[0-9]{1,15}$")
_STRUCTURED = b"application/cloudevents+json"
_SHOWN_MAX = 200


class _Envelope(msgspec.Struct):
    source: str


_decode = msgspec.json.Decoder(_Envelope).decode


def source_of(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> str | None:
    """The CloudEvents `source`, else the header `weir-source`; None where there is neither.

    The number that `weir dev --demo` gives each record is no part of it.

    >>> source_of(b"{}", [("weir-source", b"river:Phishing#17")])
    'river:Phishing'
    >>> source_of(b"{}", [("ce_specversion", b"1.0"), ("ce_source", b"/shop")])
    '/shop'
    """
    if not headers:
        return None
    named = {name.lower(): text for name, text in headers}
    found = named.get("ce_source") if "ce_specversion" in named else None
    if found is not None:
        return found.decode("utf-8", "replace")[:_SHOWN_MAX]
    if (named.get("content-type") or b"").lower().startswith(_STRUCTURED):
        return _enveloped(value)
    given = named.get(HEADER)
    return None if given is None else _plain(given)


def _enveloped(value: bytes | None) -> str | None:
    """That of a structured CloudEvent."""
    try:
        return _decode(value or b"").source[:_SHOWN_MAX]
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        return None


def _plain(given: bytes) -> str:
    return _NUMBERED.sub("", given.decode("utf-8", "replace"))[:_SHOWN_MAX]
