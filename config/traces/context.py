"""What is handed on from process to process, so that one walk can be told from another.

Source: W3C Trace Context, version 00. Of its two headers `traceparent` alone is read and written.
"""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

HEADER = "traceparent"

_FORM = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
)
_SAMPLED = 1  # a bit of the flags


class TraceContext(NamedTuple):
    """A span, as others refer to it: hexadecimal, 32 and 16 digits."""

    trace_id: str
    span_id: str

    @property
    def header(self) -> bytes:
        """The value of `traceparent`, for whoever goes on with a walk that is traced."""
        return f"00-{self.trace_id}-{self.span_id}-01".encode()


class TraceParent(NamedTuple):
    """What a header says: where the walk comes from, and whether it is traced."""

    context: TraceContext
    is_sampled: bool


def read(header: bytes | None) -> TraceParent | None:
    """What a `traceparent` says; None where there is none that can be read.

    >>> read(b"00-" + b"4b" * 16 + b"-" + b"f0" * 8 + b"-01").is_sampled
    True
    >>> read(b"00-" + b"00" * 16 + b"-" + b"f0" * 8 + b"-01"), read(b"4b"), read(None)
    (None, None, None)
    """
    found = _FORM.fullmatch(header) if header is not None else None
    if found is None:
        return None
    trace_id, span_id, flags = (each.decode() for each in found.groups())
    return TraceParent(TraceContext(trace_id, span_id), bool(int(flags, 16) & _SAMPLED))


def is_chosen(asked: TraceParent | None, share: float) -> bool:
    """Whether to trace: as the caller has decided, else this share of all.

    It comes before anything else, because it is the answer no that must cost nothing.
    """
    return random.random() < share if asked is None else asked.is_sampled


_current: ContextVar[TraceContext | None] = ContextVar("weir_trace", default=None)
current = _current.get  # the span that this task is in, where it is traced


@contextmanager
def within(context: TraceContext) -> Iterator[None]:
    """In the body, log lines and records that are sent belong to this span."""
    token = _current.set(context)
    try:
        yield
    finally:
        _current.reset(token)
