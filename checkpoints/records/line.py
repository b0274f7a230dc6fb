"""The name of one model line, a model and one of its shards, and of a version of it."""

from __future__ import annotations

import re

from msgspec import Struct

# The name becomes part of Redis keys (inside their hash tag), topics and file names.
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Line(Struct, frozen=True, order=True):
    """One model line; every version belongs to exactly one.

    `is_candidate`: not the line itself, but what a rewind of it has replayed so far.

    >>> str(Line("phishing"))
    'phishing'
    >>> Line("phishing", shard=3).prefix
    'weir:{phishing/3}:'
    >>> Line("phishing").candidate.prefix
    'weir:{phishing/0}:candidate:'
    >>> Line("a}b")
    Traceback (most recent call last):
    ...
    ValueError: 'a}b' is no model name: letters, digits, '.', '_', '-', at most 100
    """

    model: str
    shard: int = 0
    is_candidate: bool = False

    def __post_init__(self) -> None:
        if not _MODEL.fullmatch(self.model):
            raise ValueError(
                f"{self.model!r} is no model name: letters, digits, '.', '_', '-', at most 100"
            )
        if not 0 <= self.shard < 100_000:
            raise ValueError(f"{self.shard} is no shard number")

    @property
    def prefix(self) -> str:
        """What its keys in Redis begin with; the hash tag keeps them on one node of a cluster."""
        of_line = f"weir:{{{self.model}/{self.shard}}}:"
        return f"{of_line}candidate:" if self.is_candidate else of_line

    @property
    def candidate(self) -> Line:
        """What a rewind of this line is kept under until it takes over."""
        return Line(self.model, self.shard, is_candidate=True)

    def __str__(self) -> str:
        """For people: most models have one shard, which goes without saying."""
        name = f"{self.model}/{self.shard}" if self.shard else self.model
        return f"{name}'s candidate" if self.is_candidate else name


class Pointer(Struct, frozen=True, kw_only=True):
    """A version, by number for people and by id for certainty."""

    number: int
    id: str

    @property
    def name(self) -> str:
        """As people write it: `v17`."""
        return f"v{self.number}"
