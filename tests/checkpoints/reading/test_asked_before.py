"""What operators are told before and as they go back: dry runs, refusals, lines in a shell."""

from __future__ import annotations

import time

import pytest
from msgspec.structs import replace

from checkpoints.errors import BadCommand
from tests.checkpoints.builders import committed
from tests.checkpoints.operators import (
    LINE,
    NOW_MS,
    an_operator,
    audit,
    command_line,
    order,
    rewind,
    state,
)

SKIP = ("events/0:20-24",)
EARLIER, CAUGHT_UP = "go back to an earlier version", "before the replay has caught up"


# --- asked before --------------------------------------------------------------------------------


def test_a_dry_run_says_what_would_be_replayed_and_how_long_it_takes(
    store, steady, operator, versions
):
    """By the learner's own rate; nothing is written, and nobody is fenced."""
    beat = {"events_per_second": 10, "at_ms": NOW_MS, "control_seq": 0}
    store.beat(LINE, role="learner", name="host-1", payload=beat, ttl_s=60)

    answer = operator.run(LINE, rewind("v2", *SKIP, dry_run=True))

    assert (answer["forgotten"], answer["replayed"]) == (5, 25)
    assert (answer["command_id"], answer["version"], answer["serving"]) == (None, None, "v5")
    assert answer["would"] == {
        "versions": 3, "records": 30, "since": "2023-11-14T22:13:20.002Z",
        "until": "2023-11-14T22:13:20.005Z", "scores": {"Accuracy": {"then": 0.5, "now": 0.5}},
        "events_per_second": 10.0, "seconds": 2.5, "is_at_most": False, "notes": [],
    }  # fmt: skip
    assert audit(store) == []
    assert (state(store).serving, state(store).rewinding) == (versions[4], None)


def test_a_dry_run_says_where_only_the_replay_will_tell(operator, versions):
    """Ids, sources and times are known when the records are read."""
    for skip in ("id:a", "source:b", "time:2026-01-01T00:00:00Z/2026-01-02T00:00:00Z"):
        answer = operator.run(LINE, rewind("v2", skip, dry_run=True))
        assert (answer["would"]["is_at_most"], answer["would"]["seconds"]) == (True, None)
        assert (answer["forgotten"], answer["replayed"]) == (0, 30)


@pytest.mark.parametrize(
    ("skip", "forgotten"),
    [
        (["events/0:0-20"], 1),
        (["events/0:49-1000"], 1),
        (["events/0:20-29", "events/0:25-34"], 15),
        (["events/0:20-29", "events/0:20-29"], 10),
        (["events/0:30-39", "events/0:20-44"], 25),
        (["events/0:50-60"], 0),
        (["events/0:0-1000"], 30),
    ],
)
def test_what_is_left_out_by_offset_is_counted_once(operator, versions, skip, forgotten):
    """Of what would be replayed, and of no more than that."""
    answer = operator.run(LINE, rewind("v2", *skip, dry_run=True))
    assert (answer["forgotten"], answer["replayed"]) == (forgotten, 30 - forgotten)


def test_a_dry_run_says_what_of_the_skips_was_read_before_or_is_still_to_come(operator, versions):
    """The version that is gone back to has learned the first, whatever is replayed."""
    answer = operator.run(LINE, rewind("v2", "events/0:15-24", "events/0:45-54", dry_run=True))

    assert (answer["forgotten"], answer["replayed"]) == (10, 20)
    assert answer["would"]["notes"] == [
        f"events-0 15-19 was read before v2, and stays as it was: {EARLIER} to leave it out",
        f"events-0 50-54 was not read yet: what of it comes {CAUGHT_UP} is left out",
    ]


@pytest.mark.parametrize(
    ("skip", "why"),
    [
        ("events/0:5-19", "events-0 5-19 was read before v2, which has it; go back to an earlier"),
        ("events/1:20-29", "phishing reads no partition 1 of events; it reads 0"),
        ("labels/0:20-29", "phishing reads no topic labels; it reads events"),
        ("0:20-29", "phishing reads no topic phishing.events; it reads events"),
    ],
)
def test_a_skip_that_can_leave_nothing_out_is_refused(store, operator, versions, skip, why):
    """Else a misspelt one would have the bad events learned again."""
    for dry_run in (True, False):
        with pytest.raises(BadCommand, match=why) as refused:
            operator.run(LINE, rewind("v2", *SKIP, skip, dry_run=dry_run))
        assert (refused.value.field, refused.value.exit_code) == ("skip", 2)
    assert audit(store) == []


def test_no_more_is_replayed_than_was_read(store, token, steady):
    """What is counted as forgotten may be labels: the version between had begun late."""
    first = committed(store, LINE, token, number=1)
    second = committed(store, LINE, token, number=2, parent=first, offsets=first.manifest.offsets,
                       counts=replace(first.manifest.counts, learned=7, forgotten=3))  # fmt: skip
    assert second.manifest.counts.learned == 7
    assert an_operator(store, steady).run(LINE, rewind("v1", dry_run=True))["replayed"] == 0


# --- a new beginning -----------------------------------------------------------------------------


def test_a_dry_run_of_a_new_beginning_says_what_is_forgotten_or_learned_again(
    store, operator, versions
):
    """From a time on it may be less."""
    reset = operator.run(LINE, order("reset", dry_run=True))
    assert (reset["forgotten"], reset["replayed"], "would" in reset) == (50, 0, False)

    for start, is_at_most in (("earliest", False), ("2026-11-20T12:00:00Z", True)):
        relearned = operator.run(LINE, order("relearn", start=start, dry_run=True))
        assert (relearned["forgotten"], relearned["replayed"]) == (0, 50)
        assert relearned["would"] == {
            "versions": 5, "records": 50, "since": None, "until": "2023-11-14T22:13:20.005Z",
            "scores": {"Accuracy": {"then": None, "now": 0.5}}, "events_per_second": None,
            "seconds": None, "is_at_most": is_at_most, "notes": [],
        }  # fmt: skip
    assert audit(store) == []


@pytest.mark.parametrize("given", [order("reset"), order("relearn", start="earliest")])
def test_a_new_beginning_ends_what_is_under_way_and_says_so(store, operator, versions, given):
    """So does a cancel; a release only lets it take over."""
    operator.run(LINE, rewind("v2"))

    answer = operator.run(LINE, given)

    assert answer["ended"] == "rewind to v2"
    assert audit(store)[0].command.outcome.endswith("; ended the rewind to v2")
    assert "ended" not in operator.run(LINE, order("release"))
    assert operator.run(LINE, order("cancel"))["ended"] == given.command


# --- as it is typed ------------------------------------------------------------------------------

WHY = ("--reason", "because")
SINCE, STAYS = "2023-11-14T22:13:20", "v5 stays the head until that has caught up"
REWIND = ("rollback", LINE.model, "v2", "--mode", "rewind", "--skip", SKIP[0], *WHY)


def test_the_command_line_says_what_is_replayed_and_how_to_follow_it(store, versions):
    weir = command_line(store)

    assert weir(*REWIND, "--dry-run") == (0, "\n".join([
        "phishing: nothing was done; v5 is serving",
        "25 learned events would be replayed after v2, 5 left out",
        f"3 versions and 30 records lie between, {SINCE}.002Z to {SINCE}.005Z",
        "Accuracy: 0.5 then, 0.5 now",
        "",
    ]))  # fmt: skip
    assert weir(*REWIND) == (0, "\n".join([
        "phishing: rollback in force; serving v2",
        f"25 learned events are replayed after v2, 5 left out; {STAYS}",
        "to follow it: weir status phishing; to end it: weir cancel phishing --reason …",
        "",
    ]))  # fmt: skip
    assert weir("cancel", LINE.model, *WHY)[1] == (
        "phishing: cancel in force; serving v5\nthe rewind to v2 under way is ended\n"
    )
    assert weir("cancel", LINE.model, *WHY)[1] == (
        "phishing: no rewind was under way: nothing changed; serving v5\n"
    )


def test_what_only_the_replay_will_tell_is_said_to_be_at_most(store, versions):
    """As a dry run, and when it is ordered."""
    weir = command_line(store)
    told = "what is left out by id, source or time is known when it is replayed"

    _, dry = weir(*REWIND, "--skip", "id:a", "--dry-run")
    _, done = weir(*REWIND, "--skip", "id:a")

    assert dry.splitlines()[1:3] == [
        "at most 25 learned events would be replayed after v2, at least 5 left out", told,
    ]  # fmt: skip
    assert done.splitlines()[1:3] == [
        f"at most 25 learned events are replayed after v2, at least 5 left out; {STAYS}", told,
    ]  # fmt: skip


def test_every_dry_run_says_what_would_be(store, versions):
    """Commands that change one thing in a line, a new beginning with its figures."""
    weir = command_line(store)

    def dry(command: str, *more: str) -> list[str]:
        code, said = weir(command, LINE.model, *more, *WHY, "--dry-run")
        first, *others = said.splitlines()
        assert (code, first) == (0, "phishing: nothing was done; v5 is serving")
        return others

    assert dry("pin", "v2") == ["v2 would be served, whatever is learned beside it"]
    assert dry("freeze") == ["nothing more would be learned; v5 would go on answering"]
    forgotten = "50 learned events would be forgotten, and what waits for its label"
    assert dry("reset") == [f"it would begin untrained; {forgotten}"]
    assert dry("relearn") == [
        "50 learned events would be learned again beside v5, until a release lets it take over",
        f"5 versions and 50 records up to {SINCE}.005Z",
        "Accuracy: - then, 0.5 now",
    ]
    weir("relearn", LINE.model, *WHY)
    assert dry("release") == ["what is relearned would take over when it has caught up"]
    assert dry("cancel") == [
        "v5 would stay the head, and be served and learned on from",
        "the relearn under way would be ended",
    ]
    weir("freeze", LINE.model, *WHY)
    assert dry("thaw") == ["it would learn on from where it stopped"]


def test_a_new_beginning_is_told_with_what_comes_next(store, versions):
    weir = command_line(store)
    assert weir("relearn", LINE.model, *WHY)[1].splitlines() == [
        "phishing: relearn in force; serving v5",
        "50 learned events are learned again beside v5",
        "to follow it: weir status phishing; to end it: weir cancel phishing --reason …",
        "to have it take over once it has caught up: weir release phishing --reason …",
    ]
    assert weir("reset", LINE.model, *WHY)[1].splitlines() == [
        "phishing: reset in force; serving v5",
        "the relearn under way is ended",
        "50 learned events forgotten",
        "to undo it: weir rollback phishing v5 --mode forget --reason …",
    ]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (None, "to v2: its learner has not said how far it has come"),
        ((30, 30, 0.0, None), "to v2: 30 of 30 records left"),
        ((30, 12, 9.0, 1.5), "to v2: 12 of 30 records left, 9 a second, about 2 s"),
        ((30, 0, 20.0, 0.0), "to v2: caught up; it takes over"),
    ],
)
def test_status_says_how_far_a_rewind_has_come(store, versions, told, said):
    weir = command_line(store)
    weir(*REWIND)
    _beat(store, told)
    lines = weir("status", LINE.model)[1].splitlines()
    assert lines[-1].split(maxsplit=1) == ["rewind", said]


def test_status_says_what_lets_a_relearned_one_take_over(store, versions):
    """Until it is released; a pin is told, too."""
    weir, release = command_line(store), "weir release phishing --reason … lets it take over"
    weir("relearn", LINE.model, *WHY)
    weir("pin", LINE.model, "v2", *WHY)
    _beat(store, (50, 0, 20.0, 0.0))
    lines = [line.split(maxsplit=1) for line in weir("status", LINE.model)[1].splitlines()]
    assert lines[-2:] == [["pinned", "v2"], ["rewind", f"relearn: caught up; {release}"]]
    weir("release", LINE.model, *WHY)
    assert "relearn: caught up; it takes over" in weir("status", LINE.model)[1]


def _beat(store, progress) -> None:
    """The learner says how far it is with the order that stands."""
    now_ms = time.time_ns() // 1_000_000
    beat = {"at_ms": now_ms, "control_seq": 9, "state": "rewinding"}
    if progress is not None:
        names = ("records", "left", "records_per_second", "seconds_left")
        told = dict(zip(names, progress, strict=True))
        beat["rewind"] = {**told, "command_id": state(store).rewinding.id}
    store.beat(LINE, role="learner", name="host-1", payload=beat, ttl_s=60)


def test_several_skips_and_serving_on_are_typed(store, versions):
    weir = command_line(store)
    code, _ = weir(*REWIND, "--skip", "id:a", "--keep-serving", "--expect", "v5")
    found = state(store).rewinding
    assert (code, found.skip, found.keeps_serving) == (0, (SKIP[0], "id:a"), True)

    assert weir(*REWIND, "--skip", "yesterday")[0] == 2
    assert weir("rollback", LINE.model, "v2", "--mode", "forget", "--skip", "0:1-2", *WHY)[0] == 2
    assert len(audit(store)) == 1
