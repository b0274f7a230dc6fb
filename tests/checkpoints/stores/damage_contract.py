"""What every store must do although somebody, or a failing disk, has changed what it holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checkpoints.errors import CheckpointCorrupt
from checkpoints.records.line import Line
from checkpoints.records.manifest import Unreadable
from checkpoints.stores.heads import Outcome
from checkpoints.stores.in_memory.store import MemoryStore
from checkpoints.stores.in_redis.store import RedisStore
from tests.checkpoints.builders import (
    a_control,
    a_rollback,
    a_version,
    damage,
    damage_segment,
    envelopes,
    flipped,
    granted,
    history,
    point_control,
    put,
)

AnyStore = MemoryStore | RedisStore
Change = Callable[[bytes], bytes]
CHANGES = pytest.mark.parametrize(
    "change", [flipped, lambda _envelope: b""], ids=["flipped", "gone"]
)


class DamageContract:
    """Its fixtures are those of `StoreContract`."""

    @CHANGES
    def test_a_damaged_record_hides_no_other(
        self, store: AnyStore, line: Line, change: Change
    ) -> None:
        one, two, three = history(store, line, granted(store, line).token, length=3)
        damage(store, two, change(two.envelope))
        listed = store.versions(line, limit=10)
        assert [(each.number, each.id) for each in listed] == [
            (each.number, each.id) for each in (three, two, one)
        ]
        assert envelopes(store, line) == [
            three.envelope, change(two.envelope) or None, one.envelope
        ]  # fmt: skip
        assert store.manifest(line, two.id) == (change(two.envelope) or None)

    @CHANGES
    def test_a_line_is_taken_though_its_head_is_damaged(
        self, store: AnyStore, line: Line, change: Change
    ) -> None:
        """It is no new line: the envelope verifies as nothing, and the id says which it was."""
        head = history(store, line, granted(store, line).token, length=2)[-1]
        damage(store, head, change(head.envelope))
        taken = granted(store, line)
        assert taken.head == change(head.envelope)
        assert (taken.head_id, taken.highest) == (head.id, 2)

    @CHANGES
    def test_a_rollback_stands_on_a_damaged_head(
        self, store: AnyStore, line: Line, change: Change
    ) -> None:
        one, two, three = history(store, line, granted(store, line).token, length=3)
        damage(store, three, change(three.envelope))
        unreadable = Unreadable(head="v3", why="x", place="v2", place_id=two.id)
        back = a_rollback(two, one, number=4, parent=three.id, unreadable=unreadable)
        control = a_control(line, command="rollback", to="v1")
        assert store.command(line, control=control, version=back).outcome is Outcome.OK
        assert store.head(line) == back.envelope

    @pytest.mark.parametrize("left", ["none", "older"])
    def test_nothing_is_ordered_on_a_command_that_was_put_back(
        self, store: AnyStore, line: Line, left: str
    ) -> None:
        """The audit knows of a newer one; else two commands would have one number."""
        first = a_control(line, frozen=True)
        second = a_control(line, first, command="thaw", frozen=False)
        for control in (first, second):
            assert store.command(line, control=control).outcome is Outcome.OK
        stands = first if left == "older" else None
        point_control(store, line, stands)
        assert store.poll([line])[line].control == (first.id if stands else None)
        for previous in (stands, second):
            control = a_control(line, previous, command="pin", last_version=9)
            assert store.command(line, control=control).outcome is Outcome.STALE
        assert store.audit(line, limit=9) == [second.envelope, first.envelope]
        point_control(store, line, second)
        third = a_control(line, second, command="pin")
        assert store.command(line, control=third).outcome is Outcome.OK

    @pytest.mark.parametrize("seq", [0, 1, 2])
    def test_a_version_names_no_command_that_is_gone(
        self, store: AnyStore, line: Line, seq: int
    ) -> None:
        token = granted(store, line).token
        store.command(line, control=a_control(line))
        put(store, line, b"weights")
        version = a_version(line, control_seq=seq)
        expected = Outcome.STALE if seq == 2 else Outcome.OK
        assert store.commit(line, token=token, version=version) is expected

    def test_a_damaged_segment_that_is_put_again_is_whole(
        self, store: AnyStore, line: Line
    ) -> None:
        """Versions share segments: a learner that is alive mends what it still holds."""
        head = history(store, line, granted(store, line).token, length=1)[0]
        damage_segment(store, head, "model")
        with pytest.raises(CheckpointCorrupt):
            store.get_segment(line, head.manifest.segments["model"])
        put(store, line, b"weights 1")
        assert store.get_segment(line, head.manifest.segments["model"]) == b"weights 1"
