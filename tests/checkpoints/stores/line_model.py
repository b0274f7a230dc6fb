"""What one line of a store must be after each change, over plain dictionaries.

It is the oracle of the state machine: it shares no code with any store, and says of a change both
how it must be answered and what it must leave.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MIB = 1 << 20


@dataclass
class Kept:
    """A version as the oracle sees it; `contents` are the bytes of its segments."""

    number: int
    parent: str | None
    contents: tuple[bytes, ...]
    envelope: bytes | None  # None: its record is gone
    obeyed: int = 0  # the number of the newest command it knows of


@dataclass
class LineModel:
    """One line: who may write, what is committed, what was ordered."""

    token: str | None = None
    head: str | None = None
    highest: int = 0
    kept: dict[str, Kept] = field(default_factory=dict)
    ever: dict[str, int] = field(default_factory=dict)  # id -> number, pruned ones too
    chunks: set[tuple[bytes, int]] = field(default_factory=set)
    controls: list[tuple[str, bytes]] = field(default_factory=list)  # oldest first
    named: dict[str, set[str]] = field(default_factory=dict)  # control id -> pinned and tagged
    stands: int = 0  # how many of the controls the pointer counts: fewer, if one was put back

    @property
    def control(self) -> str | None:
        return self.controls[self.stands - 1][0] if self.stands else None

    def answer_commit(self, version_id: str, version: Kept, token: str) -> str:
        if self.head == version_id:
            return "DUP"
        if self.token != token:
            return "FENCED"
        answer = self._answer_version(version)
        return "STALE" if version.obeyed > self.stands else answer

    def _answer_version(self, version: Kept) -> str:
        if version.parent != self.head or version.number <= self.highest:
            return "STALE"
        names = {name for data in version.contents for name in chunk_names(data)}
        return "OK" if names <= self.chunks else "TORN"

    def adopt(self, version_id: str, version: Kept) -> None:
        assert version_id not in self.ever
        assert version.number not in self.ever.values()
        self.kept[version_id] = version
        self.ever[version_id] = version.number
        self.head, self.highest = version_id, version.number

    def answer_command(
        self, control_id: str, previous: str | None, version: Kept | None, names: set[str]
    ) -> str:
        if control_id in [known for known, _ in self.controls]:
            return "DUP"
        if previous != self.control or self.stands < len(self.controls):
            return "STALE"
        answer = self._answer_version(version) if version else "OK"
        if answer == "OK" and not names <= {
            one for one, kept in self.kept.items() if kept.envelope
        }:
            return "TORN"
        return answer

    def obey(self, control_id: str, envelope: bytes) -> None:
        self.controls.append((control_id, envelope))
        self.stands = len(self.controls)

    def answer_prune(self, token: str, head: str | None, control: str | None) -> str:
        if token != self.token:
            return "FENCED"
        return "OK" if (head, control) == (self.head, self.control) else "STALE"

    def prune(self, drop: set[str]) -> None:
        dropped = [self.kept.pop(one) for one in drop if one in self.kept]
        still = {
            name for one in self.kept.values() for d in one.contents for name in chunk_names(d)
        }
        gone = {name for one in dropped for d in one.contents for name in chunk_names(d)}
        self.chunks -= gone - still


def chunk_names(data: bytes) -> list[tuple[bytes, int]]:
    """A name for each MiB of `data`: its start tells our test contents apart."""
    return [(data[:16], index) for index in range((len(data) + MIB - 1) // MIB)]
