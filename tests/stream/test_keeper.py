"""The keeper: what dies is started again from the head, what hangs is ended, a stop is a stop."""

import os
import signal
import time
from pathlib import Path

import pytest

from checkpoints.errors import NotInForce
from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from config.processes.child import exchange, free_port
from tests.config.processes.waiting import is_running, until
from tests.stream.raising import BAD
from tests.stream.rig import events, family, rig

COUNT = 400


@pytest.mark.parametrize("which", ["source", "learner"])
def test_both_start_again_when_one_is_killed(place, which):
    """Under the same program, which does not notice more than a pause; each event once."""
    made = events(2 * COUNT, seed=4)
    with rig(**place) as at:
        process = at.start()
        at.send_events(made[:COUNT])
        at.until(lambda: at.consumed() == COUNT, "the first are learned")
        before = at.part("source"), at.part("learner")

        assert at.kill_part(which)
        at.send_events(made[COUNT:])
        at.until(lambda: at.consumed() == 2 * COUNT, "all is learned")
        after = at.part("source"), at.part("learner")

        assert not {*before} & {*after}
        assert at.stop(process) == 0
        assert at.payload()["estimator"].learned == list(range(2 * COUNT))


def test_a_process_that_hangs_is_ended_with_70(place):
    """A supervisor starts such a program again; nothing is left running."""
    with rig(**place) as at:
        at.watchdog_seconds = 3.0
        process = at.start()
        at.until(lambda: at.head() is not None, "it has begun")
        learner = at.part("learner")
        of_it = family(process.pid)
        os.kill(learner, signal.SIGSTOP)

        at.until(lambda: not process.is_alive(), "the keeper ends")

        assert process.exitcode == 70
        until(lambda: not any(map(is_running, of_it)), what="nothing is left")


def test_a_learner_is_ready_once_it_is_its_turn(place):
    """Before, while another holds the line, it is only live."""
    with rig(**place) as at:
        ports = at.metrics_port, second = free_port(), free_port()
        first = at.start("first")
        at.until(lambda: _answers(ports[0], "/readyz"), "the first is ready")
        at.metrics_port = second
        at.start("second")
        at.until(lambda: _answers(second, "/livez"), "the second is live")
        at.until(lambda: "second" in at.store.beats(at.line, "standby"), "it stands by")
        assert not _answers(second, "/readyz")

        at.kill(first)

        at.until(lambda: _answers(second, "/readyz"), "the second is ready")


def test_a_keeper_that_is_killed_takes_both_along(place):
    """The kernel sees to it."""
    with rig(**place) as at:
        process = at.start()
        at.until(lambda: at.head() is not None, "it has begun")
        of_it = family(process.pid)
        assert len(of_it) >= 3

        at.kill(process)

        until(lambda: not any(map(is_running, of_it)), what="nothing is left")


def test_a_commit_whose_process_is_killed_costs_nothing(place):
    """Whether the head had moved or not: each event once, one chain of versions."""
    made = events(3000, seed=5)
    with rig(**place) as at:
        process = at.start()
        at.until(lambda: at.head() is not None, "it has begun")
        at.send_events(made)
        killed = 0
        while at.consumed() < len(made) and killed < 4:
            killed += at.kill_part("committer")
        at.until(lambda: at.consumed() == len(made), "all is learned")

        assert killed > 0
        assert at.stop(process) == 0
        assert at.payload()["estimator"].learned == list(range(len(made)))


def test_a_version_given_up_while_the_source_was_busy_costs_nothing(place):
    """The clearance that comes then is for nobody, and ends nobody. Each event once."""
    place["model_text"] = place["model_text"].replace("every_seconds: 0.05", "every_seconds: 3")
    made = events(COUNT, seed=6)
    with rig(**place) as at:
        process = at.start()
        at.until(lambda: at.head() is not None, "it has begun")
        source, learner, first, killed = at.part("source"), at.part("learner"), 0, 0
        while not killed and first < len(made):
            at.send_events(made[first : first + 100])
            first += 100
            at.until(lambda at_least=first: at.taken() == at_least, "they are with the learner")
            os.kill(source, signal.SIGSTOP)
            # Its maker waits for the paused source, unless that had cleared it before.
            at.until(
                lambda at_least=first: _waiting(learner) or at.consumed() == at_least,
                "a version is being made",
            )
            for maker in _waiting(learner):
                os.kill(maker, signal.SIGKILL)
                killed += 1
            os.kill(source, signal.SIGCONT)
        at.until(lambda at_least=first: at.consumed() == at_least, "all is learned")

        assert killed > 0
        assert at.stop(process) == 0
        assert at.payload()["estimator"].learned == list(range(first))


def test_a_death_is_noticed_whatever_the_learner_has_started(place):
    """A helper of its own may hold every file open; it goes, too."""
    made = events(COUNT + 800, seed=7)
    place["model_text"] = place["model_text"].replace("recorder:Recorder", "raising:Helped")
    with rig(**place) as at:
        process = at.start()
        at.send_events(made[:800])
        at.until(lambda: at.consumed() == 800, "the first are learned")
        of_it = family(at.part("learner"))
        assert at.kill_part("learner")
        at.send_events(made[800:])
        at.until(lambda: at.consumed() == len(made), "all is learned", 15)

        until(lambda: not any(map(is_running, of_it)), what="the helper is gone")
        assert at.stop(process) == 0
        assert at.payload()["estimator"].learned == list(range(len(made)))


def test_a_learner_that_dies_again_and_again_is_failing(place):
    """Its beat says so, with what ended it and what waits; in the pauses between its lives, too.

    Versions that were begun and never became the head are none.
    """
    text = place["model_text"].replace("every_seconds: 0.05", "every_seconds: 1")
    place["model_text"] = text.replace("recorder:Recorder", "raising:Dying")
    with rig(**place) as at:
        at.send_events(events(BAD + 10, seed=6))
        process = at.start()
        at.until(lambda: at.beat().get("state") == "failing", "it is failing", 30)
        until_s, told = time.monotonic() + 3, []
        while time.monotonic() < until_s:
            told.append(at.beat())
            time.sleep(0.1)

        assert {beat["state"] for beat in told} <= {"failing", "starting"}
        assert all(beat["last_error"].endswith("was ended by SIGKILL") for beat in told)
        assert all(beat["lag"] is None or beat["lag"] >= 10 for beat in told)
        at.kill(process)


@pytest.mark.parametrize("learner", ["Outside", "Elsewhere"])
def test_a_version_that_answers_otherwise_is_not_learned_on_from(place, learner):
    """What it had learned would be lost in silence. Exit code 4, and the head stays."""
    place["model_text"] = place["model_text"].replace("recorder:Recorder", f"raising:{learner}")
    with rig(**place) as at:
        at.send_events(events(2 * COUNT, seed=12))
        process = at.start()
        at.until(lambda: at.consumed() == 2 * COUNT, "all is learned")
        assert at.stop(process) == 0
        head = at.head()

        process = at.start()
        at.until(lambda: not process.is_alive(), "it is refused")

        assert process.exitcode == 4
        assert at.head() == head


def test_a_slow_learner_still_hears_and_commits(place):
    """Ten events a second: versions come, a freeze is in force soon, a stop loses nothing."""
    place["model_text"] = place["model_text"].replace("recorder:Recorder", "raising:Slow")
    with rig(**place) as at:
        process = at.start()
        at.send_events(events(500, seed=8))
        at.until(lambda: at.consumed() > 3, "a version holds some", 20)
        freeze(at)
        at.until(lambda: at.beat()["state"] == "frozen", "its state is told", 5)
        consumed = at.consumed()

        assert at.stop(process) == 0
        assert at.payload()["estimator"].learned == list(range(consumed))


def test_a_learner_that_seemed_dead_commits_nothing_after_a_freeze(place):
    """Nobody heard of it, so the freeze fenced it; it wakes, and stands still at the head."""
    place["model_text"] = place["model_text"].replace("recorder:Recorder", "raising:Slow")
    with rig(**place, lease_seconds=60.0) as at:
        process = at.start()
        at.send_events(events(500, seed=10))
        at.until(lambda: at.consumed() > 3, "a version holds some", 20)
        at.until(lambda: at.beat()["uncommitted"] > 0, "it has learned more", 20)
        paused = at.pause(process)
        at.store.beat(at.line, role="learner", name="learner", payload={}, ttl_s=0.3)
        freeze(at)
        frozen = at.head()
        at.wake(paused)

        at.until(lambda: at.beat().get("control_seq") == 1, "it obeys", 20)
        at.until(lambda: at.beat().get("state") == "frozen", "it begins again, frozen", 20)
        assert at.head() == frozen
        order(at, "thaw")
        at.until(lambda: at.consumed() > frozen.manifest.counts.learned, "it goes on", 20)
        assert at.stop(process) == 0
        assert at.payload()["estimator"].learned == list(range(at.consumed()))


def test_a_freeze_is_not_in_force_while_nothing_can_be_committed(place):
    """What was learned is in no version: the operator's command says so, with exit 5."""
    place["model_text"] = place["model_text"].replace("recorder:Recorder", "raising:Unwritable")
    with rig(**place) as at:
        process = at.start()
        at.until(lambda: at.head() is not None, "it has begun")
        at.send_events(events(50, seed=9))
        at.until(lambda: at.beat().get("uncommitted") == 50, "all is learned")

        with pytest.raises(NotInForce):
            freeze(at)

        assert at.beat()["state"] != "frozen"
        assert "cannot be made into a version" in at.beat()["last_error"]
        at.kill(process)


def test_a_learner_beyond_its_memory_ends_with_6(place):
    """A restart would not mend it; the versions made so far stay."""
    with rig(**place) as at:
        at.max_memory_bytes = 1 << 20
        process = at.start()
        at.until(lambda: not process.is_alive(), "the keeper ends")

        assert process.exitcode == 6
        assert at.head() is not None


def test_a_feature_beyond_64_bits_reaches_the_learner_whole(place):
    """`limits.value` may be raised; JSON has no bound, and neither has what the two say."""
    huge = 2**70 + 1
    place["model_text"] += "limits: {value: 1.0e+30}\n"
    with rig(**place) as at:
        at.send_events([{"features": {"n": huge, "a": 0.5}, "label": True}])
        process = at.start()
        at.until(lambda: at.consumed() == 1, "it is learned")

        assert at.stop(process) == 0
        assert at.payload()["estimator"].learned == [huge]


def _answers(port, path):
    return b" 200 " in exchange(f"127.0.0.1:{port}", f"GET {path} HTTP/1.0\r\n\r\n".encode(), 16)


def freeze(at):
    order(at, "freeze")


def order(at, command):
    """As the command line does, which waits until it is in force."""
    operator = Operator(at.store, at.keys.signer("operator"), at.keys.verifier, who="test")
    operator.run(at.line, Order(command=command, reason="test"))


def _waiting(pid):
    """What a process has started and sleeps in the kernel, as one does that waits for another."""
    return [child for child in family(pid)[1:] if _state(child) == "S"]


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None
