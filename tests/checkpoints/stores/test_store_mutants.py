"""The suite itself is tested: stores with a mistake each, which the machine must find."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from msgspec.structs import replace

from checkpoints.errors import CheckpointCorrupt
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version
from checkpoints.stores.in_memory.store import MemoryStore
from tests.checkpoints.stores.test_store_machine import QUIET, machine_over


class ForgetsTheParent(MemoryStore):
    """A mutant: commits whatever the parent is."""

    def commit(self, line: Line, *, token: str, version: Version) -> Any:
        manifest = replace(version.manifest, parent=self._books(line).head)
        as_it_likes = replace(version, manifest=manifest)
        return super().commit(line, token=token, version=as_it_likes)


class ForgetsTheFence(MemoryStore):
    """A mutant: any token will do."""

    def commit(self, line: Line, *, token: str, version: Version) -> Any:
        return super().commit(line, token=self._books(line).token, version=version)


class FencesNobody(MemoryStore):
    """A mutant: an operator's fence leaves the token as it was."""

    def fence(self, line: Line, *, by: str) -> None:
        self.on_step("fence.before")
        self.on_step("fence.after")


class FencesWithVersionsOnly(MemoryStore):
    """A mutant: a rewind leaves the learner of before at work."""

    def command(self, line: Line, *, is_fencing: bool = False, **given: Any) -> Any:
        return super().command(line, **given)


class ForgetsHighest(MemoryStore):
    """A mutant: numbers may be used again."""

    def commit(self, line: Line, *, token: str, version: Version) -> Any:
        self._books(line).highest = 0
        return super().commit(line, token=token, version=version)


class LosesSharedSegments(MemoryStore):
    """A mutant: a dropped version takes its segments along."""

    def _forget(self, books: Any, drop: Any, lineages: Any) -> None:
        for one in drop:
            for ref in books.versions[one].manifest.segments.values():
                books.chunks.pop((ref.sha256, 0), None)
        super()._forget(books, drop, lineages)


class TrustsThePointer(MemoryStore):
    """A mutant: what was ordered after an order that was put back is forgotten."""

    def _judge_command(self, books: Any, *given: Any) -> Any:
        for one in [each for each in books.controls.values() if each.record.seq > books.seq]:
            del books.controls[one.id]
        return super()._judge_command(books, *given)


class NamesLostOrders(MemoryStore):
    """A mutant: a version may say that a command was obeyed which is gone."""

    def commit(self, line: Line, *, token: str, version: Version) -> Any:
        manifest = replace(version.manifest, control_seq=0)
        as_it_likes = replace(version, manifest=manifest)
        return super().commit(line, token=token, version=as_it_likes)


@pytest.mark.parametrize(
    "mutant",
    [
        ForgetsTheParent,
        ForgetsTheFence,
        FencesNobody,
        FencesWithVersionsOnly,
        ForgetsHighest,
        LosesSharedSegments,
        TrustsThePointer,
        NamesLostOrders,
    ],
)
def test_the_machine_catches_a_store_that_is_wrong(mutant: type[MemoryStore]) -> None:
    """Each of these mistakes must be found."""
    with pytest.raises((AssertionError, CheckpointCorrupt)):
        run_state_machine_as_test(
            machine_over(mutant),
            settings=settings(
                max_examples=400, stateful_step_count=40, deadline=None, database=None,
                suppress_health_check=QUIET, report_multiple_bugs=False, print_blob=False,
                derandomize=True, phases=[Phase.generate],
            ),
        )  # fmt: skip
