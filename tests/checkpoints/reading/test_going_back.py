"""Rewinds as they are ordered: what is served meanwhile, what ends one, what is refused."""

from __future__ import annotations

import pytest

from checkpoints.errors import (
    CheckpointCorrupt,
    Conflict,
    NoSuchVersion,
    NotInForce,
    Tampered,
)
from checkpoints.keeping.pruner import Pruner
from checkpoints.operating.in_force import Enforcement
from checkpoints.operating.operator import Operator
from checkpoints.reading.going_back import CannotReplay
from checkpoints.reading.lineages import Lineages, flat, order_since
from checkpoints.records.manifest import Rewind
from checkpoints.records.replay import SEGMENT, Replay
from checkpoints.records.segments import pack
from checkpoints.stores.heads import Outcome
from checkpoints.stores.in_memory.store import DieAt, Died
from config.model.parts import Keep
from tests.checkpoints.builders import (
    LEARNER,
    OPERATOR,
    VERIFIER,
    a_version,
    committed,
    damage,
    damage_segment,
    granted,
    put,
    ref_of,
)
from tests.checkpoints.operators import (
    LINE,
    NOW_MS,
    an_operator,
    audit,
    order,
    rewind,
    state,
)

SKIP = ("events/0:20-24",)


def serving(store) -> str:
    return state(store).serving.manifest.name


def taken_over(store, *, number: int = 6, to, head, skip=()):
    """The learner has caught up, and its next version is the head."""
    ref, stored = pack(Replay(runs=(("events", 0, 20, 50),)).to_bytes())
    store.put_segment(LINE, ref.sha256, stored)
    put(store, LINE, b"rewound")
    version = a_version(
        LINE, number=number, parent=head, kind="rewind", control_seq=audit(store)[0].seq,
        offsets={"events": {"0": 50}},
        rewind=Rewind(to=to.manifest.name, to_id=to.id, command_id="c", skip=skip, at_ms=1),
        segments={"model": ref_of(b"rewound"), SEGMENT: ref},
    )  # fmt: skip
    token = granted(store, LINE).token
    assert store.commit(LINE, token=token, version=version) is Outcome.OK
    return version


# --- ordered -------------------------------------------------------------------------------------


def test_a_rewind_serves_the_old_version_and_leaves_the_head(store, operator, versions):
    """Until the learner has caught up; no version is made with the order."""
    answer = operator.run(LINE, rewind("v2", *SKIP))

    assert {**answer, "command_id": None} == {
        "command_id": None, "command": "rollback", "mode": "rewind", "from": "v5", "to": "v2",
        "version": None, "serving": "v2", "forgotten": 5, "replayed": 25, "changed": True,
        "dry_run": False, "skip": list(SKIP),
    }  # fmt: skip
    found = state(store)
    assert (found.head, found.serving) == (versions[4], versions[1])
    assert (found.rewinding.to.id, found.rewinding.head.id) == (versions[1].id, versions[4].id)
    assert found.rewinding.skip == SKIP
    assert audit(store)[0].command.outcome == "replays 25; leaves out 5"


def test_the_head_goes_on_being_served_where_that_is_asked(store, operator, versions):
    answer = operator.run(LINE, rewind("v2", keep_serving=True))

    assert (answer["serving"], serving(store)) == ("v5", "v5")
    assert state(store).rewinding.keeps_serving


@pytest.mark.parametrize("keeps", [True, False])
def test_when_it_has_caught_up_its_version_is_served(store, operator, versions, keeps):
    operator.run(LINE, rewind("v2", *SKIP, keep_serving=keeps))
    made = taken_over(store, to=versions[1], head=versions[4])

    found = state(store)
    assert (found.head, found.serving, found.rewinding) == (made, made, None)
    assert operator.run(LINE, order("freeze"))["serving"] == "v6"
    assert state(store).serving == made


def test_the_learner_of_before_commits_no_more(store, token, operator, versions):
    """It is fenced with the order."""
    operator.run(LINE, rewind("v2"))

    put(store, LINE, b"late")
    late = a_version(LINE, number=6, parent=versions[4], model=b"late")
    assert store.commit(LINE, token=token, version=late) is Outcome.FENCED


def test_a_rewind_to_the_head_replays_nothing(store, operator, versions):
    answer = operator.run(LINE, rewind("v5"))
    assert (answer["forgotten"], answer["replayed"], answer["serving"]) == (0, 0, "v5")


def test_a_rewind_removes_a_pin_and_says_so(store, operator, versions):
    operator.run(LINE, order("pin", "v3"))

    answer = operator.run(LINE, rewind("v2"))

    assert (answer["unpinned"], answer["serving"]) == ("v3", "v2")
    assert audit(store)[0].command.outcome == "replays 30; removed the pin of v3"


def test_it_is_in_force_when_the_live_learner_has_begun(store, steady, versions):
    """As `rollback` it waits for those who serve, and besides for the learner."""
    beat = {"control_seq": 0, "at_ms": NOW_MS, "state": "learning"}
    store.beat(LINE, role="learner", name="host-1", payload=beat, ttl_s=60)
    with pytest.raises(NotInForce, match="learner host-1") as late:
        an_operator(store, steady).run(LINE, rewind("v2"))
    assert late.value.exit_code == 5

    def begins() -> None:
        begun = {**beat, "control_seq": 2, "state": "rewinding"}
        store.beat(LINE, role="learner", name="host-1", payload=begun, ttl_s=60)

    steady.meanwhile = begins
    assert an_operator(store, steady).run(LINE, rewind("v3"))["serving"] == "v3"


# --- what ends it --------------------------------------------------------------------------------


def test_a_cancel_ends_it_and_leaves_the_head_as_it_was(store, operator, versions):
    operator.run(LINE, rewind("v2"))
    token = granted(store, LINE).token

    answer = operator.run(LINE, order("cancel"))

    assert (answer["command"], answer["from"], answer["to"]) == ("cancel", "v2", "v5")
    assert (answer["changed"], answer["serving"], answer["version"]) == (True, "v5", None)
    found = state(store)
    assert (found.head, found.serving, found.rewinding) == (versions[4], versions[4], None)
    assert not store.renew(LINE, holder="host-1", token=token, lease_s=5)


def test_cancelling_nothing_changes_nothing_and_fences_nobody(store, token, operator, versions):
    """A learner at work goes on."""
    answer = operator.run(LINE, order("cancel"))

    assert (answer["changed"], answer["serving"]) == (False, "v5")
    assert audit(store)[0].command.outcome == "nothing changed"
    assert store.renew(LINE, holder="host-1", token=token, lease_s=5)


def test_a_cancel_that_comes_too_late_changes_nothing(store, operator, versions):
    operator.run(LINE, rewind("v2"))
    made = taken_over(store, to=versions[1], head=versions[4])

    assert not operator.run(LINE, order("cancel"))["changed"]
    assert state(store).head == state(store).serving == made


def test_another_rewind_takes_its_place(store, operator, versions):
    first = operator.run(LINE, rewind("v2", *SKIP))
    second = operator.run(LINE, rewind("v3", keep_serving=True))

    found = state(store).rewinding
    assert (found.id, found.to.number, found.skip) == (second["command_id"], 3, ())
    assert first["command_id"] != second["command_id"]
    assert (second["from"], second["serving"], serving(store)) == ("v5", "v5", "v5")
    assert audit(store)[0].command.outcome == "replays 20; ended the rewind to v2"


def test_forgetting_ends_it(store, operator, versions):
    """The version that it makes is the head, and is served."""
    operator.run(LINE, rewind("v2"))

    answer = operator.run(LINE, order("rollback", "v3"))

    found = state(store)
    assert (answer["version"], found.head.number, found.serving.number) == ("v6", 6, 6)
    assert found.rewinding is None
    assert audit(store)[0].command.outcome == "forgot 20; ended the rewind to v2"


# --- what does not -------------------------------------------------------------------------------


def test_a_pin_is_served_before_all_else_and_the_rewind_goes_on(store, operator, versions):
    """Unpinned, it is what the rewind has served again."""
    operator.run(LINE, rewind("v2"))
    seq = state(store).rewinding.seq

    assert operator.run(LINE, order("pin", "v4"))["serving"] == "v4"
    assert (serving(store), state(store).rewinding.seq) == ("v4", seq)
    assert operator.run(LINE, order("unpin"))["serving"] == "v2"
    assert (serving(store), state(store).rewinding.seq) == ("v2", seq)


def test_a_version_that_is_pinned_stays_so_when_the_rewind_takes_over(store, operator, versions):
    operator.run(LINE, rewind("v2"))
    operator.run(LINE, order("pin", "v4"))
    made = taken_over(store, to=versions[1], head=versions[4])

    assert (state(store).head, serving(store)) == (made, "v4")
    assert operator.run(LINE, order("unpin"))["serving"] == "v6"
    assert state(store).serving == made


@pytest.mark.parametrize(
    "given", [order("freeze"), order("thaw"), order("tag", "v4", tag="good"), order("tag", tag="x")]
)
def test_other_orders_leave_it_under_way(store, operator, versions, given):
    operator.run(LINE, rewind("v2", *SKIP))
    before = state(store).rewinding

    answer = operator.run(LINE, given)

    assert (state(store).rewinding, answer["serving"], serving(store)) == (before, "v2", "v2")
    if given.tag == "x":
        assert answer["to"] == "v2"  # what is served


def test_a_rewind_that_is_over_stays_over_whatever_is_ordered(store, operator, versions):
    operator.run(LINE, rewind("v2"))
    taken_over(store, to=versions[1], head=versions[4])

    operator.run(LINE, order("pin", "v1"))
    operator.run(LINE, order("unpin"))

    assert (serving(store), state(store).rewinding) == ("v6", None)


# --- what is refused, and repeated ---------------------------------------------------------------


def test_what_the_log_does_not_hold_is_refused_before_anything_is_written(store, steady, versions):
    """The log is asked for what comes after the version, up to the head; a dry run asks, too."""
    asked = []

    def ask(to, head) -> None:
        asked.append((to.name, head.name))
        raise CannotReplay(LINE, "the log begins later")

    operator = Operator(store, OPERATOR, VERIFIER, who="ann", ask_log=ask,
                        enforcement=Enforcement(store=store))  # fmt: skip
    for dry_run in (True, False):
        with pytest.raises(CannotReplay, match="begins later") as refused:
            operator.run(LINE, rewind("v2", dry_run=dry_run))
        assert refused.value.exit_code == 6
        assert "--mode forget" in refused.value.advice
    assert asked == [("v2", "v5")] * 2
    assert (audit(store), serving(store)) == ([], "v5")

    operator.run(LINE, order("rollback", "v2"))
    assert len(asked) == 2


def test_what_nobody_could_load_is_not_gone_back_to(store, operator, versions):
    damage_segment(store, versions[1], "model")
    with pytest.raises(CheckpointCorrupt):
        operator.run(LINE, rewind("v2"))

    damage(store, versions[2])
    with pytest.raises((CheckpointCorrupt, Tampered)):
        operator.run(LINE, rewind("v3"))
    with pytest.raises(NoSuchVersion):
        operator.run(LINE, rewind("v9"))
    assert (audit(store), serving(store)) == ([], "v5")


def test_a_head_that_cannot_be_read_is_not_rewound(store, steady, versions):
    """What it had read is not known; it is forgotten instead."""
    damage(store, versions[4])
    with pytest.raises((CheckpointCorrupt, Tampered)):
        an_operator(store, steady).run(LINE, rewind("v2"))
    assert audit(store) == []


def test_expect_refuses_a_rewind_of_a_line_that_was_changed(store, operator, versions):
    operator.run(LINE, order("rollback", "v4"))
    with pytest.raises(Conflict, match="changed since v5"):
        operator.run(LINE, rewind("v2", expect="v5"))
    assert operator.run(LINE, rewind("v2", expect="v6"))["serving"] == "v2"
    taken_over(store, number=7, to=versions[1], head=state(store).head)
    operator.run(LINE, order("pin", "v2"))
    with pytest.raises(Conflict, match="rollback"):
        operator.run(LINE, rewind("v3", expect="v5"))


def test_a_repeated_key_orders_one_rewind(store, operator, versions):
    """Over or not, the answer of the first time is repeated; of another skip it is refused."""
    given = rewind("v2", *SKIP)
    first = operator.run(LINE, given, idempotency_key="k")
    assert operator.run(LINE, given, idempotency_key="k") == first
    for other in (rewind("v2"), rewind("v2", *SKIP, keep_serving=True), rewind("v3", *SKIP),
                  order("rollback", "v2")):  # fmt: skip
        with pytest.raises(Conflict, match="stood for"):
            operator.run(LINE, other, idempotency_key="k")

    taken_over(store, to=versions[1], head=versions[4])

    assert operator.run(LINE, given, idempotency_key="k") == first
    assert len(audit(store)) == 1


@pytest.mark.parametrize("step", ["command.before", "command.after"])
def test_a_crash_leaves_all_of_it_or_nothing(store, token, operator, versions, step):
    """What is served, the orders and the fence."""
    store.on_step = DieAt(step)
    with pytest.raises(Died):
        operator.run(LINE, rewind("v2"))
    store.on_step = lambda _step: None

    is_ordered = step == "command.after"
    assert serving(store) == ("v2" if is_ordered else "v5")
    assert bool(audit(store)) == is_ordered
    assert store.renew(LINE, holder="host-1", token=token, lease_s=5) != is_ordered


def test_retention_drops_nothing_that_a_rewind_is_made_of(store, steady, operator):
    """Neither the version gone back to nor the head; and the order of what lies between is kept."""
    token, versions = granted(store, LINE).token, []
    for number in range(1, 9):
        versions.append(
            committed(
                store, LINE, token, number=number, parent=versions[-1] if versions else None,
                model=b"model %d" % number, offsets={"events": {"0": 10 * number, "1": number}},
                begins={"events": {"0": 0, "1": 0}},
                runs=(("events", 1, number - 1, number),
                      ("events", 0, 10 * number - 10, 10 * number)),
            )
        )  # fmt: skip
    lineages, begins = Lineages(store, VERIFIER, LINE), flat(versions[2].manifest.offsets)
    before = order_since(lineages, versions[-1], begins, stops_at=versions[2].id)
    operator.run(LINE, rewind("v3"))

    keep = Keep(last=1, minutely=0, hourly=0, daily=0)
    token = granted(store, LINE).token
    Pruner(store, LEARNER, VERIFIER, LINE, keep=keep, token=token).began(versions[-1])

    assert [each.number for each in store.versions(LINE, limit=100)] == [8, 3]
    lineages = Lineages(store, VERIFIER, LINE)
    after = order_since(lineages, versions[-1], begins, stops_at=versions[2].id)
    assert (after, after.unknown) == (before, 0)
    assert serving(store) == "v3"
