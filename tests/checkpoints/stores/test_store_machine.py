"""Any order of lives, deaths, zombies, rollbacks and prunings against an independent model.

Hypothesis drives a store and `LineModel` side by side. A life may end at any named step of the
store, its message sent or not; a zombie may send what it built long ago, more than once.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec import UNSET

from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import CheckpointCorrupt
from checkpoints.records.control import Control, Rewinding
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version
from checkpoints.stores.heads import Granted
from checkpoints.stores.in_memory.store import DieAt, Died, MemoryStore
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from tests.checkpoints.builders import (
    a_control,
    a_rollback,
    a_version,
    damage,
    envelopes,
    flipped,
    point_control,
    pointer,
    ref_of,
)
from tests.checkpoints.stores.line_model import MIB, Kept, LineModel, chunk_names
from tests.effort import examples

T = TypeVar("T")
AnyStore = MemoryStore | RedisStore

CONTENTS = {f"small {n}": b"model number %d  " % n for n in range(2)}
CONTENTS["large"] = b"a large model   ".ljust(MIB + 1)
contents = st.sampled_from(list(CONTENTS))
unversioned = st.sampled_from(["unpin"] * 4 + ["rewind", "cancel"])
deaths = st.sampled_from(["none", "none", "none", "before", "after"])


@dataclass
class Session:
    """What one learner believes; it may be wrong by now."""

    token: str
    head: Version | None
    highest: int


class StoreMachine(RuleBasedStateMachine):
    """One line, many learners that each think they own it, and operators."""

    make_store: ClassVar[Callable[[], AnyStore]]

    def __init__(self) -> None:
        super().__init__()
        self.line = Line(f"m-{uuid.uuid4().hex}")
        self.store = type(self).make_store()
        self.model = LineModel()
        self.sessions: list[Session] = []
        self.built: list[tuple[str, Version]] = []  # everything ever sent, with its token
        self.versions: dict[str, Version] = {}
        self.control: Control | None = None
        self.ordered: list[Control] = []
        self.orders = itertools.count()

    def teardown(self) -> None:
        if isinstance(self.store, RedisStore):
            self.store.close()

    # Helpers -----------------------------------------------------------------------------------

    def attempt(self, call: Callable[[], T], step: str, death: str) -> T | None:
        """The answer; None when the caller died before it could read one."""
        if death != "none":
            self.store.on_step = DieAt(f"{step}.{death}")
        try:
            return call()
        except Died:
            return None
        finally:
            self.store.on_step = lambda _step: None

    def session(self, data: st.DataObject) -> Session:
        """Mostly the newest, which may well hold the good token, else a zombie."""
        likely = [*self.sessions[-1:] * 4, *self.sessions[-4:]]
        return data.draw(st.sampled_from(likely), label="session")

    def a_kept(self, data: st.DataObject) -> Version:
        return self.versions[data.draw(st.sampled_from(list(self.model.kept)), label="kept")]

    # Learners ----------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.take(death="none")

    @rule(death=deaths)
    def take(self, death: str) -> None:
        """A learner starts, or starts again; the one before it lives on as a zombie."""
        granted = self.attempt(
            lambda: self.store.acquire(self.line, holder="same", lease_s=60), "acquire", death
        )
        if death == "after":
            self.model.token = "unknown to all"
        if granted is None:
            return
        assert isinstance(granted, Granted)
        head = self.versions[self.model.head] if self.model.head else None
        kept = self.model.kept[self.model.head] if self.model.head else None
        assert granted.head == ((kept.envelope or b"") if kept else None)
        assert granted.head_id == self.model.head
        assert granted.highest == self.model.highest
        self.model.token = granted.token
        self.sessions.append(Session(granted.token, head, granted.highest))

    @rule(content=contents, death=st.sampled_from(["none", "before", "after"]))
    def put(self, content: str, death: str) -> None:
        """A segment is stored, whole or not at all."""
        stored = CONTENTS[content]
        sha = ref_of(stored).sha256
        self.attempt(lambda: self.store.put_segment(self.line, sha, stored), "put_segment", death)
        if death != "before":
            self.model.chunks |= set(chunk_names(stored))

    @rule()
    def put_half(self) -> None:
        """A learner dies between two chunks; Redis takes these two in one go, and has both."""
        content = CONTENTS["large"]
        sha = ref_of(content).sha256
        self.attempt(
            lambda: self.store.put_segment(self.line, sha, content), "put_segment", "between"
        )
        stored = 1 if isinstance(self.store, MemoryStore) else 2
        self.model.chunks |= set(chunk_names(content)[:stored])

    @precondition(lambda self: self.sessions)
    @rule(
        data=st.data(), model=contents, window=contents, death=deaths,
        ahead=st.sampled_from([1, 1, 2, 5, 0]), with_put=st.sampled_from([True, True, True, False]),
        beyond=st.sampled_from([0, 0, 0, 1]),
    )  # fmt: skip
    def commit(
        self, data: st.DataObject, model: str, window: str, death: str, ahead: int,
        with_put: bool, beyond: int,
    ) -> None:  # fmt: skip
        """A learner, which may be a zombie, commits what it built on the head it knows."""
        session = self.session(data)
        if with_put:
            self.put(model, "none")
            self.put(window, "none")
        segments = {"model": ref_of(CONTENTS[model]), "window": ref_of(CONTENTS[window])}
        version = a_version(
            self.line, number=session.highest + ahead or 1, parent=session.head,
            segments=segments, created_at_ms=next(self.orders),
            control_seq=self.model.stands + beyond,
        )  # fmt: skip
        self.versions[version.id] = version
        self.built.append((session.token, version))
        if self.send(session.token, version, death) in ("OK", "DUP"):
            session.head, session.highest = version, version.number

    @precondition(lambda self: self.sessions and self.model.kept)
    @rule(data=st.data())
    def restore_another(self, data: st.DataObject) -> None:
        """A learner with a good token has restored a version that is not the head."""
        self.session(data).head = self.a_kept(data)

    @precondition(lambda self: self.built)
    @rule(data=st.data(), death=deaths)
    def send_again(self, data: st.DataObject, death: str) -> None:
        """A delayed packet, a retry, a zombie that wakes: an old commit arrives once more."""
        token, version = data.draw(st.sampled_from(self.built), label="built")
        self.send(token, version, death)

    def send(self, token: str, version: Version, death: str) -> str | None:
        kept = self.seen(version)
        expected = self.model.answer_commit(version.id, kept, token)
        answer = self.attempt(
            lambda: self.store.commit(self.line, token=token, version=version), "commit", death
        )
        assert answer in (None, expected)
        if expected == "OK" and death != "before":
            self.model.adopt(version.id, kept)
        return answer

    def seen(self, version: Version) -> Kept:
        by_sha = {ref_of(content).sha256: content for content in CONTENTS.values()}
        used = tuple(by_sha[ref.sha256] for ref in version.manifest.segments.values())
        manifest = version.manifest
        return Kept(version.number, manifest.parent, used, version.envelope, manifest.orders_seen)

    # Operators ---------------------------------------------------------------------------------

    @precondition(lambda self: self.model.kept)
    @rule(data=st.data(), death=deaths, fresh=st.booleans(), ahead=st.integers(0, 1))
    def roll_back(self, data: st.DataObject, death: str, fresh: bool, ahead: int) -> None:
        """An operator goes back to a version, seeing the head or one that was it long ago."""
        head = self.versions[self.model.head or ""] if fresh else self.a_kept(data)
        older = [one for one, number in self.model.ever.items() if number <= head.number]
        target = data.draw(st.sampled_from(older), label="target")
        back = a_rollback(
            head, self.versions[target], number=self.model.highest + ahead,
            command_id=f"r{next(self.orders)}",
        )  # fmt: skip
        self.versions[back.id] = back
        to = self.versions[target].manifest.name
        control = self.an_order("rollback", to=to, last_version=next(self.orders))
        self.order(control, back, {target}, death)

    @rule(death=deaths)
    def fence(self, death: str) -> None:
        """An operator fences whoever holds the line; the learner that did lives on as a zombie."""
        by = f"ann:{next(self.orders)}"
        self.attempt(lambda: self.store.fence(self.line, by=by), "fence", death)
        if death != "before":
            self.model.token = "the operator's"

    @precondition(lambda self: self.model.ever)
    @rule(data=st.data(), death=deaths)
    def pin(self, data: st.DataObject, death: str) -> None:
        """An operator pins a version, which may be gone."""
        target = data.draw(st.sampled_from(list(self.model.ever)), label="target")
        version = self.versions[target]
        control = self.an_order("pin", to=version.manifest.name, pin=pointer(version))
        self.order(control, None, {target}, death)

    @rule(data=st.data(), death=deaths, command=unversioned)
    def order_without_a_version(self, data: st.DataObject, death: str, command: str) -> None:
        """An operator unpins; or has what came after a version replayed, which may be gone, or
        ends that: whoever learns is fenced with it.
        """
        if command == "rewind" and self.model.head:
            self.rewind(data, death)
        elif command == "cancel":
            cancel = self.an_order("cancel", rewind=UNSET)
            self.order(cancel, None, set(), death, is_fencing=True)
        else:
            self.order(self.an_order("unpin", pin=None), None, set(), death)

    def rewind(self, data: st.DataObject, death: str) -> None:
        target = self.versions[data.draw(st.sampled_from(list(self.model.ever)), label="target")]
        ordered = Rewinding(
            seq=len(self.ordered) + 1, id=f"w{next(self.orders)}", to=pointer(target),
            head=pointer(self.versions[self.model.head or ""]),
        )  # fmt: skip
        control = self.an_order("rollback", to=target.manifest.name, rewind=ordered)
        self.order(control, None, {target.id}, death, is_fencing=True)

    @precondition(lambda self: self.control)
    @rule(data=st.data())
    def put_an_order_back(self, data: st.DataObject) -> None:
        """Somebody points to an older command, to none, or to the newest again."""
        stands = data.draw(st.integers(0, len(self.model.controls)), label="stands")
        self.model.stands = stands
        control = self.ordered[stands - 1] if stands else None
        point_control(self.store, self.line, control)
        self.control = data.draw(st.sampled_from([control, self.ordered[-1]]), label="seen")

    @precondition(lambda self: self.model.kept)
    @rule(data=st.data(), is_gone=st.booleans())
    def damage(self, data: st.DataObject, is_gone: bool) -> None:
        """A bit of a record flips, or it goes; all else goes on as if it had not."""
        version = self.a_kept(data)
        found = b"" if is_gone else flipped(version.envelope)
        damage(self.store, version, found)
        self.model.kept[version.id].envelope = found or None

    @precondition(lambda self: self.control)
    @rule()
    def order_again(self) -> None:
        """The same signed order arrives once more."""
        assert self.control is not None
        assert self.store.command(self.line, control=self.control).outcome == "DUP"

    def an_order(self, command: str, **changes: Any) -> Control:
        return a_control(self.line, self.control, command=command, **changes)

    def order(
        self, control: Control, version: Version | None, names: set[str], death: str,
        *, is_fencing: bool = False,
    ) -> None:  # fmt: skip
        kept = self.seen(version) if version else None
        previous = control.record.previous
        expected = self.model.answer_command(control.id, previous, kept, names)
        reply = self.attempt(
            lambda: self.store.command(
                self.line, control=control, version=version, is_fencing=is_fencing
            ),
            "command", death,
        )  # fmt: skip
        assert reply is None or reply.outcome == expected
        if expected != "OK" or death == "before":
            return
        self.control = control
        self.ordered.append(control)
        self.model.obey(control.id, control.envelope)
        if version is not None and kept is not None:
            self.model.adopt(version.id, kept)
        if is_fencing or version is not None:
            self.model.token = "the operator's"

    @precondition(lambda self: self.sessions and self.model.kept)
    @rule(
        data=st.data(),
        death=deaths,
        sees=st.sampled_from(["all", "all", "all", "old head", "no command"]),
    )
    def prune(self, data: st.DataObject, death: str, sees: str) -> None:
        """A learner, which may be a zombie, drops some versions."""
        session = self.session(data)
        head = self.model.head if sees != "old head" else next(iter(self.model.kept))
        control = self.ordered[self.model.stands - 1] if self.model.stands else None
        control = control if sees != "no command" else None
        assert head is not None
        protected = control.record.protected if control else frozenset()
        free = [one for one in self.model.kept if one != head and one not in protected]
        drop = data.draw(
            st.lists(st.sampled_from(free), min_size=1, unique=True) if free else st.just([])
        )
        expected = self.model.answer_prune(session.token, head, control.id if control else None)
        answer = self.attempt(
            lambda: self.store.prune(
                self.line, token=session.token, head=head, control=control, drop=drop, lineages={}
            ),
            "prune", death,
        )  # fmt: skip
        assert answer in (None, expected)
        if expected == "OK" and death != "before":
            self.model.prune(set(drop))

    # What always holds -------------------------------------------------------------------------

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        model, store, line = self.model, self.store, self.line
        position = store.poll([line])[line]
        assert (position.head, position.control) == (model.head, model.control)
        assert store.highest(line) == model.highest
        head = model.kept[model.head].envelope if model.head else None
        if head is not None or model.head is None:
            assert store.head(line) == head
        else:
            with pytest.raises(CheckpointCorrupt):
                store.head(line)
        newest = sorted(model.kept.values(), key=lambda kept: -kept.number)
        assert envelopes(store, line) == [kept.envelope for kept in newest]
        audit = [envelope for _, envelope in reversed(model.controls)]
        assert store.audit(line, limit=1000) == audit

    @invariant()
    def every_kept_version_is_whole(self) -> None:
        refs = {
            ref.sha256: ref
            for version_id in self.model.kept
            for ref in self.versions[version_id].manifest.segments.values()
        }
        for ref in refs.values():
            self.store.get_segment(self.line, ref)

    @invariant()
    def numbers_only_grow_along_one_line_of_parents(self) -> None:
        ever = list(self.model.ever.items())
        for (parent, number), (child, next_number) in itertools.pairwise(ever):
            assert number < next_number
            assert self.versions[child].manifest.parent == parent


QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


def machine_over(make: Callable[[], AnyStore]) -> type[StoreMachine]:
    return type("Machine", (StoreMachine,), {"make_store": staticmethod(make)})


def test_the_memory_store_agrees_with_the_model() -> None:
    run_state_machine_as_test(
        machine_over(MemoryStore),
        settings=settings(
            max_examples=examples(60),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=QUIET,
        ),
    )


def test_the_redis_store_agrees_with_the_model(valkey_server: ValkeyServer) -> None:
    run_state_machine_as_test(
        machine_over(lambda: RedisStore(RedisConnection(valkey_server.url))),
        settings=settings(
            max_examples=20, stateful_step_count=40, deadline=None, suppress_health_check=QUIET
        ),
    )
