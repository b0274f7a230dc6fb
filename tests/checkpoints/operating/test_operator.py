"""Operators' commands: what each changes, what it refuses, and when it is in force."""

import json

import pytest
from msgspec.structs import replace

from checkpoints.errors import (
    BadCommand,
    CheckpointCorrupt,
    Conflict,
    NoSuchModel,
    NoSuchVersion,
    Stale,
    Tampered,
)
from checkpoints.operating.not_found import NoSuchTag
from checkpoints.operating.operator import Operator, VersionDropped
from checkpoints.operating.order import Order
from checkpoints.records.control import open_control
from checkpoints.records.lineage import accounted, advanced
from checkpoints.stores.heads import Outcome
from checkpoints.stores.in_memory.store import DieAt, Died, MemoryStore
from tests.checkpoints.builders import (
    OPERATOR,
    STRANGER,
    VERIFIER,
    a_version,
    committed,
    granted,
    history,
    put,
)
from tests.checkpoints.operators import LINE, Steady, an_operator, audit, order, state

ANSWER = {
    "command_id", "command", "from", "to", "version", "serving", "forgotten", "replayed",
    "changed", "dry_run",
}  # fmt: skip


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
def store(steady) -> MemoryStore:
    return MemoryStore(clock=steady)


@pytest.fixture
def versions(store):
    """v1 to v5; the learner that made them holds the line."""
    return history(store, LINE, granted(store, LINE).token, length=5)


@pytest.fixture
def operator(store, steady) -> Operator:
    return an_operator(store, steady)


# --- what each command changes -----------------------------------------------------------------


def test_pin_serves_a_version_until_unpinned(store, operator, versions):
    """The head stays; the answer is the contract's."""
    pinned = operator.run(LINE, order("pin", "v2"))

    assert set(pinned) == ANSWER
    assert pinned["command_id"] == audit(store)[0].command.id
    assert {**pinned, "command_id": None} == {
        "command_id": None, "command": "pin", "from": "v5", "to": "v2", "version": None,
        "serving": "v2", "forgotten": 0, "replayed": 0, "changed": True, "dry_run": False,
    }  # fmt: skip
    assert (state(store).serving, state(store).head) == (versions[1], versions[4])

    unpinned = operator.run(LINE, order("unpin"))

    assert (unpinned["from"], unpinned["to"], unpinned["serving"]) == ("v2", "v5", "v5")
    assert state(store).serving == versions[4]


def test_rollback_makes_a_new_version_of_the_old_state(store, operator, versions):
    """vN's learner, the head's place in the log; what came between is counted forgotten."""
    answer = operator.run(LINE, order("rollback", "v2"))

    made = state(store).head
    assert (answer["from"], answer["to"]) == ("v5", "v2")
    assert (answer["version"], answer["serving"], answer["forgotten"]) == ("v6", "v6", 30)
    assert "unpinned" not in answer
    assert made.number == 6
    assert made.manifest.parent == versions[4].id
    assert made.manifest.segments["model"] == versions[1].manifest.segments["model"]
    assert made.manifest.counts.learned == 20
    assert made.manifest.offsets == versions[4].manifest.offsets
    assert made.manifest.rollback.reason == "because"
    assert accounted(made.manifest) == advanced(made.manifest)


def test_undo_is_another_rollback(store, operator, versions):
    """Going back to what was left brings the forgotten events back, and no number twice."""
    operator.run(LINE, order("rollback", "v2"))
    operator.run(LINE, order("rollback", "v5"))

    made = state(store).head
    assert made.number == 7
    assert (made.manifest.counts.learned, made.manifest.counts.forgotten) == (50, 0)
    assert accounted(made.manifest) == advanced(made.manifest)


def test_rollback_removes_a_pin_and_says_so(store, operator, versions):
    """Else the old pin would be served on."""
    operator.run(LINE, order("pin", "v3"))

    answer = operator.run(LINE, order("rollback", "v2"))

    assert (answer["unpinned"], answer["serving"]) == ("v3", "v6")
    assert audit(store)[0].command.outcome == "forgot 30; removed the pin of v3"
    assert state(store).serving.number == 6


def test_a_rollback_fences_the_learner(store, versions, operator):
    """What it learned meanwhile belongs to a history that has ended."""
    token = granted(store, LINE).token
    operator.run(LINE, order("rollback", "v2"))
    put(store, LINE, b"more")

    late = a_version(LINE, number=7, parent=versions[4], model=b"more")

    assert store.commit(LINE, token=token, version=late) is Outcome.FENCED


def test_frozen_stays_frozen_over_everything_but_thaw(store, operator, versions):
    """Each command changes its own part of the standing orders."""
    operator.run(LINE, order("freeze"))
    operator.run(LINE, order("tag", "v1", tag="stable"))
    operator.run(LINE, order("pin", "v3"))
    operator.run(LINE, order("rollback", "v2"))

    assert state(store).is_frozen
    assert operator.run(LINE, order("thaw"))["from"] == "v6"
    assert not state(store).is_frozen
    assert state(store).control.record.tags["stable"].number == 1


def test_a_tag_names_a_version_and_can_be_gone_back_to(store, operator, versions):
    """Without a version it names what is served."""
    first = operator.run(LINE, order("tag", "v2", tag="stable"))
    moved = operator.run(LINE, order("tag", tag="stable"))
    operator.run(LINE, order("tag", "v3", tag="best"))

    assert (first["from"], first["to"]) == (None, "v2")
    assert (moved["from"], moved["to"], moved["serving"]) == ("v2", "v5", "v5")
    assert (first["tag"], moved["tag"]) == ("stable", "stable")
    assert [record.command.tag for record in audit(store)] == ["best", "stable", "stable"]
    assert operator.run(LINE, order("rollback", "best"))["to"] == "v3"


@pytest.mark.parametrize(
    ("given", "again"),
    [
        (None, order("unpin")),
        (None, order("thaw")),
        (order("freeze"), order("freeze")),
        (order("pin", "v2"), order("pin", "v2")),
        (order("tag", "v2", tag="good"), order("tag", "v2", tag="good")),
    ],
)
def test_an_order_that_stood_already_says_that_nothing_changed(
    store, operator, versions, given, again
):
    """It is in the audit all the same: somebody meant it."""
    assert given is None or operator.run(LINE, given)["changed"] is True

    assert operator.run(LINE, replace(again, dry_run=True))["changed"] is False
    first = operator.run(LINE, again, idempotency_key="k")
    assert first["changed"] is False
    assert operator.run(LINE, again, idempotency_key="k") == first
    assert audit(store)[0].command.outcome == "nothing changed"
    assert operator.run(LINE, order("rollback", "v5"))["changed"] is True


def test_the_audit_says_who_did_what_when_and_why(store, steady, versions):
    """Newest first, each naming the one before."""
    an_operator(store, steady, who="ann@host").run(LINE, order("pin", "v2", reason="it was bad"))
    an_operator(store, steady, who="key:ci").run(LINE, order("rollback", "v3"))

    newest, oldest = audit(store)
    assert (oldest.command.who, oldest.command.reason) == ("ann@host", "it was bad")
    assert (newest.command.who, newest.command.command) == ("key:ci", "rollback")
    assert (newest.command.mode, newest.command.version) == ("forget", "v6")
    assert newest.command.outcome == "forgot 20; removed the pin of v2"
    assert (newest.seq, oldest.seq, newest.at_ms) == (2, 1, 1_700_000_000_000)


def test_a_dry_run_changes_nothing(store, operator, versions):
    """It says what would be forgotten, and makes no version and no record."""
    answer = operator.run(LINE, order("rollback", "v2", dry_run=True))

    assert set(answer) == ANSWER | {"mode", "would"}
    assert (answer["dry_run"], answer["forgotten"]) == (True, 30)
    assert (answer["would"]["versions"], answer["would"]["records"]) == (3, 30)
    assert (answer["version"], answer["serving"], answer["command_id"]) == (None, "v5", None)
    assert audit(store) == []
    assert state(store).head == versions[4]


# --- what is refused ---------------------------------------------------------------------------

REWIND = {"command": "rollback", "to": "v1", "mode": "rewind", "reason": "x"}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"command": "rollback", "to": "v1", "mode": "forget", "reason": " "}, "reason"),
        ({"command": "rollback", "to": "v1", "mode": "forget", "reason": "x" * 1001}, "reason"),
        ({"command": "rollback", "to": "v1", "reason": "x"}, "no mode"),
        ({"command": "rollback", "to": "v1", "mode": "undo", "reason": "x"}, "no mode 'undo'"),
        ({"command": "rollback", "mode": "forget", "reason": "x"}, "needs a version"),
        ({"command": "pin", "reason": "x"}, "needs a version"),
        ({"command": "pin", "to": "v1", "mode": "forget", "reason": "x"}, "takes no mode"),
        ({"command": "tag", "to": "v1", "reason": "x"}, "no name for a tag"),
        ({"command": "tag", "to": "v1", "tag": "v7", "reason": "x"}, "no name for a tag"),
        ({"command": "tag", "to": "v1", "tag": "a b", "reason": "x"}, "no name for a tag"),
        ({"command": "delete", "reason": "x"}, "no command"),
        (REWIND | {"skip": ("0:9-1",)}, "ends before it begins"),
        (REWIND | {"skip": ("yesterday",)}, "is no skip"),
        (REWIND | {"skip": ("time:2026-01-01T00:00:00Z",)}, "no span of time"),
        (REWIND | {"mode": "forget", "skip": ("0:1-2",)}, "takes no skip"),
        (REWIND | {"mode": "forget", "keep_serving": True}, "keeps nothing serving"),
        ({"command": "pin", "to": "v1", "keep_serving": True, "reason": "x"}, "keep_serving"),
    ],
)
def test_an_order_that_cannot_be_right_is_a_usage_error(fields, told):
    """Exit 2, before the store is asked."""
    with pytest.raises(BadCommand, match=told) as refusal:
        Order(**fields)
    assert refusal.value.exit_code == 2


@pytest.mark.parametrize("command", ["pin", "rollback", "tag"])
def test_a_version_that_never_was_is_not_found(operator, versions, command):
    """Exit 3."""
    more = {"tag": "good"} if command == "tag" else {}
    with pytest.raises(NoSuchVersion) as refusal:
        operator.run(LINE, order(command, "v999999", **more))
    assert refusal.value.exit_code == 3


def test_what_is_no_version_is_a_usage_error(operator, versions):
    """Neither a number nor a name that a tag may have."""
    for to in ("5", "v0", "a b"):
        with pytest.raises(BadCommand):
            operator.run(LINE, order("pin", to))


def test_a_tag_that_is_not_there_is_not_found(operator, versions):
    """Exit 3, with the tags that are."""
    operator.run(LINE, order("tag", "v2", tag="good"))
    for to in ("vx", "best", "V2"):
        with pytest.raises(NoSuchTag, match=r"the tags are good \(v2\)") as refusal:
            operator.run(LINE, order("pin", to))
        assert refusal.value.exit_code == 3


def test_an_unknown_model_is_not_found(operator):
    """A line without a head."""
    with pytest.raises(NoSuchModel):
        operator.run(LINE, order("freeze"))


def test_a_dropped_version_names_its_neighbours(store, operator, versions):
    """Retention took v2 and v3."""
    token = granted(store, LINE).token
    gone = [versions[1].id, versions[2].id]
    pruned = store.prune(
        LINE, token=token, head=versions[4].id, control=None, drop=gone, lineages={}
    )
    assert pruned.stands

    with pytest.raises(VersionDropped, match="v1 and v4") as refusal:
        operator.run(LINE, order("rollback", "v3"))
    assert (refusal.value.exit_code, refusal.value.nearest) == (3, (1, 4))


def test_expect_refuses_when_another_command_came_between(store, steady, operator, versions):
    """It names the command; ordinary commits since do not conflict."""
    token = granted(store, LINE).token
    sixth = committed(store, LINE, token, number=6, parent=versions[4])
    operator.run(LINE, order("freeze", expect="v5"))
    an_operator(store, steady, who="bob").run(LINE, order("rollback", "v2", reason="bad batch"))
    operator.run(LINE, order("tag", "v1", tag="old", expect="v7"))

    with pytest.raises(Conflict, match=r"rollback \(made v7\) by bob.*bad batch") as refusal:
        operator.run(LINE, order("rollback", "v3", expect="v6"))
    assert refusal.value.exit_code == 4
    assert operator.run(LINE, order("rollback", "v3", expect="v7"))["version"] == "v8"
    assert sixth.number == 6
    with pytest.raises(Conflict, match="has come to v8 and not yet to v99"):
        operator.run(LINE, order("freeze", expect="v99"))


def test_nothing_is_done_on_records_that_do_not_verify(steady):
    """A head signed by a stranger is not built upon."""
    store = MemoryStore(clock=steady)
    token = granted(store, LINE).token
    put(store, LINE, b"weights")
    forged = a_version(LINE)
    forged = type(forged)(
        id=forged.id, manifest=forged.manifest, envelope=STRANGER.seal("manifest", b"{}")
    )
    assert store.commit(LINE, token=token, version=forged).stands

    with pytest.raises((Tampered, CheckpointCorrupt)):
        an_operator(store, steady).run(LINE, order("freeze"))
    assert store.control(LINE) is None


def test_a_pin_that_was_lost_can_be_removed(store, operator, versions):
    """One version that is gone must not lock operators out."""
    operator.run(LINE, order("pin", "v2"))
    del store._lines[LINE].versions[versions[1].id]

    assert operator.run(LINE, order("unpin"))["serving"] == "v5"
    assert state(store).serving == versions[4]


def test_a_payload_that_is_gone_is_not_gone_back_to(store, operator, versions):
    """The manifest alone would be served by nobody."""
    store._lines[LINE].chunks.clear()

    with pytest.raises(CheckpointCorrupt, match="v2"):
        operator.run(LINE, order("rollback", "v2"))
    assert state(store).head == versions[4]


# --- races, repeats and crashes ----------------------------------------------------------------


class Busy(MemoryStore):
    """A store in which somebody else is always a little quicker, a number of times."""

    def __init__(self, steady, rival, *, times: int) -> None:
        super().__init__(clock=steady)
        self.rival, self.left = rival, times

    def command(self, line, **given):
        if self.left:
            self.left -= 1
            self.rival(self)
        return super().command(line, **given)


def a_rival_commit(store) -> None:
    head = state(store).head
    token = granted(store, LINE).token
    committed(store, LINE, token, number=head.number + 1, parent=head)


def test_a_commit_in_between_is_gone_back_from_too(steady):
    """The command is worked out again from what is there now."""
    store = Busy(steady, a_rival_commit, times=3)
    history(store, LINE, granted(store, LINE).token, length=5)

    answer = an_operator(store, steady).run(LINE, order("rollback", "v2"))

    assert (answer["from"], answer["version"], answer["forgotten"]) == ("v8", "v9", 60)
    assert len(audit(store)) == 1


def test_it_gives_up_on_a_line_that_never_stands_still(steady):
    """A bounded number of attempts; exit 4."""
    store = Busy(steady, a_rival_commit, times=10_000)
    history(store, LINE, granted(store, LINE).token, length=2)

    with pytest.raises(Stale, match="moved 20 times"):
        an_operator(store, steady).run(LINE, order("rollback", "v1"))
    assert audit(store) == []


def test_a_repeated_key_repeats_the_answer(store, operator, versions):
    """A client that lost the reply asks again and nothing is done twice."""
    token = granted(store, LINE).token
    operator.run(LINE, order("pin", "v4"))
    for command in (
        order("rollback", "v2"),
        order("pin", "v3"),
        order("freeze"),
        order("unpin"),
        order("thaw"),
        order("tag", "v1", tag="old"),
    ):
        key = json.dumps([command.command, command.to])
        first = operator.run(LINE, command, idempotency_key=key)
        records = len(audit(store))

        assert operator.run(LINE, command, idempotency_key=key) == first
        assert len(audit(store)) == records
    assert token


def test_a_key_stands_for_one_command(operator, versions):
    """Used for another, the client is confused: say so."""
    operator.run(LINE, order("pin", "v2"), idempotency_key="k")

    for other in (order("pin", "v3"), order("freeze"), order("pin", "v2", reason="another")):
        with pytest.raises(Conflict, match="Idempotency-Key"):
            operator.run(LINE, other, idempotency_key="k")


@pytest.mark.parametrize("step", ["command.before", "command.after"])
def test_a_crash_leaves_all_of_it_or_nothing(store, operator, versions, step):
    """Asked again with its key, it stands exactly once."""
    store.on_step = DieAt(step)
    with pytest.raises(Died):
        operator.run(LINE, order("rollback", "v2"), idempotency_key="k")
    written = len(audit(store))
    assert written == (step == "command.after")
    assert state(store).head.number == 5 + written

    store.on_step = lambda _step: None
    answer = operator.run(LINE, order("rollback", "v2"), idempotency_key="k")

    assert (answer["version"], answer["forgotten"]) == ("v6", 30)
    assert len(audit(store)) == 1


def test_what_is_written_is_signed_by_the_operator(store, operator, versions):
    """Both records open with the operator's key."""
    operator.run(LINE, order("rollback", "v1"))

    control = open_control(store.control(LINE), VERIFIER, LINE)
    assert control.record.last_version == 6
    assert json.loads(store.head(LINE))["key"] == OPERATOR.key_id
    assert json.loads(control.envelope)["key"] == OPERATOR.key_id
