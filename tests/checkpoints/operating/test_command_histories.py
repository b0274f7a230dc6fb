"""Whatever operators and learners do in whatever order, the books balance.

The model beside the store is kept by other means: a list of what was learned at each version.
"""

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import UNSET

from checkpoints.errors import Conflict, NoSuchVersion
from checkpoints.reading.reader import LineReader
from checkpoints.records.lineage import accounted, advanced, check_counts
from checkpoints.records.manifest import Counts, Version
from checkpoints.stores.heads import Outcome
from checkpoints.stores.in_memory.store import MemoryStore
from tests.checkpoints.builders import VERIFIER, a_version, granted, put, ref_of
from tests.checkpoints.gated import held_for
from tests.checkpoints.operators import LINE, Steady, an_operator, audit, order, state
from tests.effort import examples


class Histories(RuleBasedStateMachine):
    """Commits and commands against the store, and a plain account of what they should do."""

    @initialize()
    def begin(self) -> None:
        self.steady = Steady()
        self.store = MemoryStore(clock=self.steady)
        self.operator = an_operator(self.store, self.steady)
        self.learned: dict[int, int] = {1: 0}  # by version
        self.consumed = 0
        self.commands: list[str] = []
        self.pinned: int | None = None
        self.good = 1  # the version that was let through last
        self.frozen = False
        self.changed_at = 0
        self.stale_token = granted(self.store, LINE).token
        self.head = self.commit(self.version(number=1, parent=None), self.stale_token)

    def version(self, *, number: int, parent: Version | None, **fields) -> Version:
        fields.setdefault("counts", Counts())
        fields.setdefault("offsets", {"events": {"0": 0}})
        return a_version(LINE, number=number, parent=parent, model=b"m%d" % number, **fields)

    def commit(self, version: Version, token: str) -> Version:
        put(self.store, LINE, b"m%d" % version.number)
        assert self.store.commit(LINE, token=token, version=version) is Outcome.OK
        return version

    @rule(learned=st.integers(0, 50), refused=st.integers(0, 5), is_held=st.booleans())
    def a_learner_commits(self, learned: int, refused: int, is_held: bool) -> None:
        """It restores the head, goes on from its counts and offsets, and commits; the publish gate
        lets the version through, or holds it back."""
        grant = granted(self.store, LINE)
        head = state(self.store).head
        counts = head.manifest.counts
        self.consumed += learned + refused
        number = grant.highest + 1
        self.head = self.commit(
            self.version(
                number=number,
                parent=head,
                counts=Counts(
                    learned=counts.learned + learned,
                    refused=counts.refused + refused,
                    forgotten=counts.forgotten,
                    refused_by={"bad_label": counts.refused + refused},
                ),
                offsets={"events": {"0": self.consumed}},
                segments={"model": ref_of(b"m%d" % number)},
                gate=held_for(self.kept(self.good)) if is_held else UNSET,
            ),
            grant.token,
        )
        self.good = self.good if is_held else number
        self.learned[number] = counts.learned + learned
        self.stale_token = grant.token

    @rule(pick=st.integers(0, 10**6))
    def roll_back(self, pick: int) -> None:
        """To any version that ever was, an ancestor or not."""
        number = self.picked(pick)
        before = self.learned[max(self.learned)]
        answer = self.operator.run(LINE, order("rollback", f"v{number}"))

        made = max(self.learned) + 1
        assert answer["version"] == answer["serving"] == f"v{made}"
        assert answer["forgotten"] == max(0, before - self.learned[number])
        assert answer.get("unpinned") == (f"v{self.pinned}" if self.pinned else None)
        self.learned[made] = self.learned[number]
        self.pinned, self.good = None, made
        self.did("rollback", made)
        self.head = state(self.store).head

    @rule(pick=st.integers(0, 10**6))
    def pin(self, pick: int) -> None:
        number = self.picked(pick)
        assert self.operator.run(LINE, order("pin", f"v{number}"))["serving"] == f"v{number}"
        self.pinned = number
        self.did("pin", max(self.learned))

    @rule()
    def unpin(self) -> None:
        self.operator.run(LINE, order("unpin"))
        self.pinned = None
        self.did("unpin", max(self.learned))

    @rule()
    def release(self) -> None:
        newest = max(self.learned)
        answer = self.operator.run(LINE, order("release"))

        assert answer["changed"] == (self.good != newest)
        assert answer["serving"] == f"v{self.pinned or newest}"
        self.good = newest
        self.did("release", newest)

    @rule(frozen=st.booleans())
    def freeze_or_thaw(self, frozen: bool) -> None:
        command = "freeze" if frozen else "thaw"
        self.operator.run(LINE, order(command))
        self.frozen = frozen
        self.did(command, max(self.learned))

    @rule(pick=st.integers(0, 10**6), command=st.sampled_from(["freeze", "pin", "rollback"]))
    def dry_run(self, pick: int, command: str) -> None:
        to = None if command == "freeze" else f"v{self.picked(pick)}"
        self.operator.run(LINE, order(command, to, dry_run=True))

    @rule(beyond=st.integers(1, 99))
    def ask_for_what_never_was(self, beyond: int) -> None:
        self.refused(
            NoSuchVersion,
            lambda: self.operator.run(LINE, order("rollback", f"v{max(self.learned) + beyond}")),
        )

    @rule(pick=st.integers(0, 10**6))
    def expect(self, pick: int) -> None:
        """It conflicts exactly if a command changed the model at a later number."""
        expected = self.picked(pick)
        wanted = order("freeze", expect=f"v{expected}")
        if self.changed_at > expected:
            self.refused(Conflict, lambda: self.operator.run(LINE, wanted))
        else:
            self.operator.run(LINE, wanted)
            self.frozen = True
            self.did("freeze", max(self.learned))

    @rule(pick=st.integers(0, 10**6))
    def a_zombie_commits(self, pick: int) -> None:
        """A learner that slept through a rollback moves nothing."""
        token, self.stale_token = self.stale_token, granted(self.store, LINE).token
        number = max(self.learned) + 1
        put(self.store, LINE, b"m%d" % number)
        late = self.version(number=number, parent=self.head)
        assert self.store.commit(LINE, token=token, version=late) is Outcome.FENCED

    def kept(self, number: int) -> Version:
        return LineReader(self.store, VERIFIER, LINE).version(number)

    def picked(self, pick: int) -> int:
        numbers = sorted(self.learned)
        return numbers[pick % len(numbers)]

    def did(self, command: str, at: int) -> None:
        self.commands.append(command)
        self.changed_at = at

    def refused(self, kind: type[Exception], call: Callable[[], object]) -> None:
        try:
            call()
        except kind:
            return
        raise AssertionError(f"{kind.__name__} was to be raised")

    @invariant()
    def numbers_are_never_reused(self) -> None:
        numbers = [v.number for v in LineReader(self.store, VERIFIER, LINE).versions(limit=1000)]
        assert numbers == sorted(self.learned, reverse=True)
        assert self.store.highest(LINE) == max(self.learned)

    @invariant()
    def the_audit_is_complete(self) -> None:
        records = audit(self.store)[::-1]
        assert [record.command.command for record in records] == self.commands
        assert [record.seq for record in records] == list(range(1, len(records) + 1))

    @invariant()
    def every_record_stands_in_one_count(self) -> None:
        manifest = state(self.store).head.manifest
        check_counts(manifest)
        assert accounted(manifest) == advanced(manifest) == self.consumed
        assert manifest.counts.learned == self.learned[max(self.learned)]

    @invariant()
    def what_is_served_is_what_was_ordered(self) -> None:
        found = state(self.store)
        assert found.serving.number == (self.pinned or self.good)
        assert bool(found.held) == (self.good != max(self.learned))
        assert found.is_frozen == self.frozen


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=examples(40), stateful_step_count=25, deadline=None)
