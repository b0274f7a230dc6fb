"""What every store must do. A store's own test module subclasses this and gives the `store`."""

from __future__ import annotations

import select
from contextlib import closing

import pytest
from msgspec.structs import replace

from checkpoints.errors import CheckpointCorrupt
from checkpoints.records.control import open_control
from checkpoints.records.line import Line
from checkpoints.records.manifest import open_version
from checkpoints.stores.contract import STEPS
from checkpoints.stores.heads import HeldBy, Outcome, Position
from checkpoints.stores.in_memory.store import DieAt, Died, MemoryStore
from checkpoints.stores.in_redis.store import RedisStore
from checkpoints.stores.presence import Hints
from checkpoints.stores.records import CHUNK_BYTES
from tests.checkpoints.builders import (
    VERIFIER,
    a_control,
    a_rollback,
    a_version,
    committed,
    envelopes,
    granted,
    history,
    pointer,
    put,
    ref_of,
)
from tests.checkpoints.stores.beat_contract import BeatContract
from tests.checkpoints.stores.candidate_contract import CandidateContract
from tests.checkpoints.stores.damage_contract import DamageContract
from tests.checkpoints.stores.fence_contract import FenceContract
from tests.checkpoints.stores.remove_contract import RemoveContract

AnyStore = MemoryStore | RedisStore
NOTHING = Position(head=None, control=None, learner=None)


class StoreContract(DamageContract, BeatContract, FenceContract, RemoveContract, CandidateContract):
    """Give fixtures `store` (either kind), `line` (fresh) and `wait_s` (let leases run out)."""

    # Taking the line ---------------------------------------------------------------------------

    def test_a_new_line_holds_nothing(self, store: AnyStore, line: Line) -> None:
        assert (store.head(line), store.control(line), store.highest(line)) == (None, None, 0)
        assert envelopes(store, line) == store.audit(line, limit=10) == []
        assert store.poll([line]) == {line: NOTHING}
        assert granted(store, line).head is None

    def test_a_second_holder_is_told_who_holds_the_line(self, store: AnyStore, line: Line) -> None:
        granted(store, line, holder="first", lease_s=60)
        held = store.acquire(line, holder="second", lease_s=60)
        assert isinstance(held, HeldBy)
        assert held.holder == "first"
        assert 0 < held.remaining_s <= 60

    def test_the_same_holder_takes_over_at_once_and_fences_itself(
        self, store: AnyStore, line: Line
    ) -> None:
        before = granted(store, line).token
        after = granted(store, line).token
        assert before != after
        assert not store.renew(line, holder="host-1", token=before, lease_s=5)
        assert store.renew(line, holder="host-1", token=after, lease_s=5)

    def test_a_released_line_is_free(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line, holder="first", lease_s=60).token
        store.release(line, holder="first", token=token)
        granted(store, line, holder="second")

    def test_an_old_token_releases_nothing(self, store: AnyStore, line: Line) -> None:
        old = granted(store, line, holder="first", lease_s=60).token
        granted(store, line, holder="first", lease_s=60)
        store.release(line, holder="first", token=old)
        assert isinstance(store.acquire(line, holder="second", lease_s=60), HeldBy)

    def test_tokens_count_and_cannot_be_guessed(self, store: AnyStore, line: Line) -> None:
        tokens = [granted(store, line).token.split(":") for _ in range(3)]
        assert [int(count) for count, _ in tokens] == [1, 2, 3]
        assert len({nonce for _, nonce in tokens}) == 3

    # Committing --------------------------------------------------------------------------------

    def test_a_commit_is_the_head_and_can_be_read_back(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line).token
        version = committed(store, line, token, number=1)
        assert store.head(line) == version.envelope
        assert store.manifest(line, version.id) == version.envelope
        assert store.manifest_by_number(line, 1) == version.envelope
        assert store.poll([line])[line].head == version.id
        assert store.get_segment(line, version.manifest.segments["model"]) == b"weights"
        assert open_version(version.envelope, VERIFIER, line) == version

    def test_the_next_to_take_the_line_gets_the_head(self, store: AnyStore, line: Line) -> None:
        version = committed(store, line, granted(store, line).token, number=7)
        again = granted(store, line)
        assert (again.head, again.highest) == (version.envelope, 7)

    def test_a_repeated_commit_changes_nothing(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line).token
        version = committed(store, line, token, number=1)
        assert store.commit(line, token=token, version=version) is Outcome.DUP
        assert envelopes(store, line, limit=10) == [version.envelope]

    def test_an_old_token_never_moves_the_head(self, store: AnyStore, line: Line) -> None:
        old = granted(store, line).token
        head = committed(store, line, old, number=1)
        granted(store, line)
        put(store, line, b"zombie")
        late = a_version(line, number=2, parent=head, model=b"zombie")
        assert store.commit(line, token=old, version=late) is Outcome.FENCED
        assert store.head(line) == head.envelope

    def test_a_parent_that_is_not_the_head_is_stale(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line).token
        first = committed(store, line, token, number=1)
        second = committed(store, line, token, number=2, parent=first)
        put(store, line, b"other")
        for parent in (None, first):
            other = a_version(line, number=3, parent=parent, model=b"other")
            assert store.commit(line, token=token, version=other) is Outcome.STALE
        assert store.head(line) == second.envelope

    @pytest.mark.parametrize("number", [1, 4, 5])
    def test_a_number_is_never_used_twice(self, store: AnyStore, line: Line, number: int) -> None:
        token = granted(store, line).token
        head = committed(store, line, token, number=5)
        again = a_version(line, number=number, parent=head)
        assert store.commit(line, token=token, version=again) is Outcome.STALE

    def test_numbers_may_leave_gaps(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line).token
        head = committed(store, line, token, number=1)
        committed(store, line, token, number=100, parent=head)
        assert store.highest(line) == 100

    def test_a_missing_segment_tears_the_commit(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line).token
        version = a_version(line, model=b"never stored")
        assert store.commit(line, token=token, version=version) is Outcome.TORN
        assert store.head(line) is None
        put(store, line, b"never stored")
        assert store.commit(line, token=token, version=version) is Outcome.OK

    def test_a_segment_cut_short_tears_the_commit(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line).token
        whole = bytes(CHUNK_BYTES) + b"tail"
        store.put_segment(line, ref_of(whole).sha256, whole[:-1])
        version = a_version(line, model=whole)
        assert store.commit(line, token=token, version=version) is Outcome.TORN

    @pytest.mark.parametrize("length", [1, CHUNK_BYTES, CHUNK_BYTES + 1, 17 * CHUNK_BYTES + 5])
    def test_segments_of_any_length_come_back(
        self, store: AnyStore, line: Line, length: int
    ) -> None:
        data = (bytes(range(251)) * (length // 251 + 1))[:length]
        version = committed(store, line, granted(store, line).token, number=1, model=data)
        assert store.get_segment(line, version.manifest.segments["model"]) == data

    def test_a_segment_that_is_not_there_is_corrupt(self, store: AnyStore, line: Line) -> None:
        with pytest.raises(CheckpointCorrupt, match=str(line)):
            store.get_segment(line, ref_of(b"absent"))

    def test_lines_do_not_meet(self, store: AnyStore, line: Line) -> None:
        other = Line(line.model, line.shard + 1)
        version = committed(store, line, granted(store, line).token, number=1)
        token = granted(store, other).token
        assert store.head(other) is None
        theirs = a_version(other, number=1)
        assert store.commit(other, token=token, version=theirs) is Outcome.TORN
        assert store.poll([other, line])[line].head == version.id

    # Listing -----------------------------------------------------------------------------------

    def test_versions_are_listed_newest_first_by_pages(self, store: AnyStore, line: Line) -> None:
        versions = history(store, line, granted(store, line).token, length=40)
        newest = [version.envelope for version in reversed(versions)]
        assert envelopes(store, line, limit=100) == newest
        assert envelopes(store, line, limit=20) == newest[:20]
        assert envelopes(store, line, limit=5, before=21) == newest[20:25]
        assert envelopes(store, line, limit=5, before=1) == []
        assert store.manifest_by_number(line, 41) is None

    # Commanding --------------------------------------------------------------------------------

    def test_a_command_is_the_newest_control_record(self, store: AnyStore, line: Line) -> None:
        first = a_control(line, frozen=True)
        assert store.command(line, control=first).outcome is Outcome.OK
        assert store.control(line) == first.envelope
        assert store.poll([line])[line].control == first.id
        second = a_control(line, first, command="thaw", frozen=False)
        assert store.command(line, control=second).outcome is Outcome.OK
        assert store.audit(line, limit=10) == [second.envelope, first.envelope]
        assert store.audit(line, limit=10, before=2) == [first.envelope]
        assert open_control(second.envelope, VERIFIER, line) == second

    def test_of_two_commands_on_one_record_only_one_stands(
        self, store: AnyStore, line: Line
    ) -> None:
        first = a_control(line, frozen=True)
        other = a_control(line, frozen=True, last_version=3)
        store.command(line, control=first)
        assert store.command(line, control=other).outcome is Outcome.STALE
        assert store.audit(line, limit=10) == [first.envelope]

    def test_a_repeated_command_changes_nothing_even_when_others_followed(
        self, store: AnyStore, line: Line
    ) -> None:
        first = a_control(line, frozen=True)
        store.command(line, control=first)
        store.command(line, control=a_control(line, first, command="thaw"))
        assert store.command(line, control=first).outcome is Outcome.DUP
        assert len(store.audit(line, limit=10)) == 2

    def test_a_sequence_that_leaps_is_stale(self, store: AnyStore, line: Line) -> None:
        first = a_control(line)
        store.command(line, control=first)
        leap = a_control(line, first)
        record = replace(leap.record, seq=9)
        leaping = replace(leap, id="f" * 64, record=record)
        assert store.command(line, control=leaping).outcome is Outcome.STALE

    def test_a_rollback_moves_the_head_and_fences_the_learner(
        self, store: AnyStore, line: Line
    ) -> None:
        token = granted(store, line).token
        versions = history(store, line, token, length=3)
        back = a_rollback(versions[2], versions[0], number=4)
        control = a_control(line, command="rollback", to="v1", last_version=4)
        assert store.command(line, control=control, version=back).outcome is Outcome.OK
        assert store.head(line) == back.envelope
        assert (store.highest(line), store.poll([line])[line].control) == (4, control.id)
        put(store, line, b"late")
        late = a_version(line, number=5, parent=back, model=b"late")
        assert store.commit(line, token=token, version=late) is Outcome.FENCED
        assert not store.renew(line, holder="host-1", token=token, lease_s=5)
        again = granted(store, line)
        assert store.commit(line, token=again.token, version=late) is Outcome.OK

    def test_a_rollback_from_a_head_that_moved_changes_nothing(
        self, store: AnyStore, line: Line
    ) -> None:
        token = granted(store, line).token
        versions = history(store, line, token, length=3)
        stale = a_rollback(versions[1], versions[0], number=4)
        control = a_control(line, command="rollback", to="v1")
        assert store.command(line, control=control, version=stale).outcome is Outcome.STALE
        assert store.control(line) is None
        assert store.renew(line, holder="host-1", token=token, lease_s=5)

    def test_a_rollback_whose_number_is_used_is_stale(self, store: AnyStore, line: Line) -> None:
        versions = history(store, line, granted(store, line).token, length=3)
        used = a_rollback(versions[2], versions[0], number=3)
        control = a_control(line, command="rollback", to="v1")
        assert store.command(line, control=control, version=used).outcome is Outcome.STALE

    def test_the_lines_are_those_that_have_a_head(self, store: AnyStore, line: Line) -> None:
        history(store, line, granted(store, line).token, length=2)
        granted(store, Line(f"{line.model}-not-begun"))
        assert [each for each in store.lines() if each.model.startswith(line.model)] == [line]

    @pytest.mark.parametrize("command", ["pin", "tag"])
    def test_what_a_command_names_must_be_kept(
        self, store: AnyStore, line: Line, command: str
    ) -> None:
        absent = pointer(a_version(line, number=9))
        named = {"pin": absent} if command == "pin" else {"tags": {"stable": absent}}
        control = a_control(line, command=command, to="v9", **named)
        assert store.command(line, control=control).outcome is Outcome.TORN
        assert store.control(line) is None

    def test_a_lost_tagged_version_does_not_lock_operators_out(
        self, store: AnyStore, line: Line
    ) -> None:
        absent = pointer(a_version(line, number=9))
        control = a_control(line, command="freeze", frozen=True, tags={"stable": absent})
        assert store.command(line, control=control).outcome is Outcome.OK

    def test_an_idempotency_key_stands_for_its_first_command(
        self, store: AnyStore, line: Line
    ) -> None:
        first = a_control(line, frozen=True)
        assert store.recall(line, "key") is None
        store.command(line, control=first, idempotency_key="key")
        again = a_control(line, first, command="thaw")
        reply = store.command(line, control=again, idempotency_key="key")
        assert (reply.outcome, reply.earlier) == (Outcome.REPEATED, first.envelope)
        assert store.recall(line, "key") == first.envelope
        assert store.command(line, control=again, idempotency_key="other").outcome is Outcome.OK

    # Pruning -----------------------------------------------------------------------------------

    def test_pruned_versions_are_gone_and_their_numbers_stay_used(
        self, store: AnyStore, line: Line
    ) -> None:
        token = granted(store, line).token
        one, two, three = history(store, line, token, length=3)
        outcome = store.prune(
            line, token=token, head=three.id, control=None, drop=[one.id, two.id],
            lineages={three.id: b"folded"},
        )  # fmt: skip
        assert outcome is Outcome.OK
        assert envelopes(store, line, limit=10) == [three.envelope]
        assert store.manifest(line, one.id) is None
        assert store.lineage(line, three.id) == b"folded"
        assert store.lineage(line, one.id) is None
        with pytest.raises(CheckpointCorrupt):
            store.get_segment(line, one.manifest.segments["model"])
        again = a_version(line, number=2, parent=three)
        assert store.commit(line, token=token, version=again) is Outcome.STALE

    def test_a_repeated_prune_changes_nothing(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line).token
        one, two = history(store, line, token, length=2)
        for _ in range(2):
            outcome = store.prune(
                line, token=token, head=two.id, control=None, drop=[one.id], lineages={}
            )
            assert outcome is Outcome.OK
        assert store.get_segment(line, two.manifest.segments["model"]) == b"weights 2"

    def test_a_shared_segment_lives_while_any_kept_version_names_it(
        self, store: AnyStore, line: Line
    ) -> None:
        token = granted(store, line).token
        shared = {"model": ref_of(b"weights"), "window": ref_of(b"weights")}
        one = committed(store, line, token, number=1, segments=shared)
        two = committed(store, line, token, number=2, parent=one)
        three = committed(store, line, token, number=3, parent=two, model=b"new")
        for gone in (one, two):
            assert store.get_segment(line, shared["model"]) == b"weights"
            store.prune(line, token=token, head=three.id, control=None, drop=[gone.id], lineages={})
        with pytest.raises(CheckpointCorrupt):
            store.get_segment(line, shared["model"])

    def test_a_prune_on_anything_that_moved_drops_nothing(
        self, store: AnyStore, line: Line
    ) -> None:
        old = granted(store, line).token
        one, two = history(store, line, old, length=2)
        token = granted(store, line).token
        three = committed(store, line, token, number=3, parent=two)
        control = a_control(line, frozen=True)
        store.command(line, control=control)

        def prune(token: str, head: str, seen: object) -> Outcome:
            assert seen is None or seen is control
            return store.prune(
                line, token=token, head=head, control=control if seen else None,
                drop=[one.id], lineages={},
            )  # fmt: skip

        assert prune(old, three.id, control) is Outcome.FENCED
        assert prune(token, two.id, control) is Outcome.STALE
        assert prune(token, three.id, None) is Outcome.STALE
        assert store.manifest(line, one.id) == one.envelope
        assert prune(token, three.id, control) is Outcome.OK

    def test_head_pinned_and_tagged_versions_are_never_dropped(
        self, store: AnyStore, line: Line
    ) -> None:
        token = granted(store, line).token
        one, two, three = history(store, line, token, length=3)
        control = a_control(
            line, command="pin", to="v1", pin=pointer(one), tags={"stable": pointer(two)}
        )
        assert store.command(line, control=control).outcome is Outcome.OK
        for kept in (one, two, three):
            with pytest.raises(ValueError, match="may not be dropped"):
                store.prune(
                    line, token=token, head=three.id, control=control, drop=[kept.id], lineages={}
                )

    def test_a_served_version_is_not_dropped_until_its_server_is_gone(
        self, store: AnyStore, line: Line
    ) -> None:
        token = granted(store, line).token
        one, two = history(store, line, token, length=2)
        store.beat(line, role="api", name="api-1", payload={}, ttl_s=60, serving=one.id)
        assert store.in_use(line) == {one.id}

        def prune() -> Outcome:
            return store.prune(
                line, token=token, head=two.id, control=None, drop=[one.id], lineages={}
            )

        assert prune() is Outcome.STALE
        store.beat(line, role="api", name="api-1", payload={}, ttl_s=60, serving=two.id)
        assert prune() is Outcome.OK

    def test_a_lineage_goes_only_to_a_kept_version(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line).token
        one, two = history(store, line, token, length=2)
        outcome = store.prune(
            line, token=token, head=two.id, control=None, drop=[one.id],
            lineages={"e" * 64: b"for nobody"},
        )  # fmt: skip
        assert outcome is Outcome.STALE
        assert store.manifest(line, one.id) == one.envelope

    # Hints -------------------------------------------------------------------------------------

    def test_commits_and_commands_are_hinted_at(self, store: AnyStore, line: Line) -> None:
        token = granted(store, line).token
        with closing(store.hints([line])) as hints:
            hints.take()
            version = committed(store, line, token, number=1)
            assert _is_hinted(hints)
            control = a_control(line, None, command="pin", to="v1", pin=pointer(version))
            store.command(line, control=control)
            assert _is_hinted(hints)

    def test_other_lines_are_not_hinted_at(self, store: AnyStore, line: Line) -> None:
        other = Line(f"{line.model}-other")
        with closing(store.hints([line])) as hints:
            hints.take()
            committed(store, other, granted(store, other).token, number=1)
            committed(store, line, granted(store, line).token, number=1)
            assert _is_hinted(hints)
            assert not hints.take()

    # Dying -------------------------------------------------------------------------------------

    @pytest.mark.parametrize("step", STEPS)
    def test_a_death_at_any_step_leaves_a_line_that_goes_on(
        self, store: AnyStore, line: Line, step: str
    ) -> None:
        """Run a whole life, die at `step`, come back: one linear history, nothing half done."""
        store.on_step = DieAt(step)
        with pytest.raises(Died, match=step):
            a_whole_life(store, line)
        store.on_step = lambda _step: None
        a_whole_life(store, line)

        numbers = [open_version(one, VERIFIER, line) for one in envelopes(store, line)]
        assert len({version.number for version in numbers}) == len(numbers)
        for version in numbers:
            for ref in version.manifest.segments.values():
                store.get_segment(line, ref)


def _is_hinted(hints: Hints) -> bool:
    """Whether a hint comes soon, and can be waited for."""
    poll = select.poll()
    for _ in range(20):
        if hints.take():
            return True
        poll.register(hints, select.POLLIN)
        poll.poll(1000)
    return False


def a_whole_life(store: AnyStore, line: Line) -> None:
    """Each step of a line once, from whatever an earlier life has left."""
    taken = granted(store, line)
    head = open_version(taken.head, VERIFIER, line) if taken.head else None
    store.renew(line, holder="host-1", token=taken.token, lease_s=5)
    model = b"%d" % taken.highest + bytes(17 * CHUNK_BYTES)
    number = taken.highest + 1
    first = committed(store, line, taken.token, number=number, parent=head, model=model)
    second = committed(store, line, taken.token, number=number + 1, parent=first, model=model)
    assert store.commit(line, token=taken.token, version=second) is Outcome.DUP

    envelope = store.control(line)
    newest = open_control(envelope, VERIFIER, line) if envelope else None
    control = a_control(line, newest, command="rollback", to=second.manifest.name)
    back = a_rollback(second, first, number=number + 2)
    assert store.command(line, control=control, version=back).outcome is Outcome.OK
    assert store.commit(line, token=taken.token, version=second) is Outcome.FENCED

    token = granted(store, line).token
    pruned = store.prune(
        line, token=token, head=back.id, control=control, drop=[second.id], lineages={}
    )
    assert pruned is Outcome.OK
    store.fence(line, by=f"ann:{number}")
    store.release(line, holder="host-1", token=token)
