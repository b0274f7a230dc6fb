"""A version is made beside the learner: a process that stops is ended, and costs nothing."""

import os
import select
import signal
import time

import pytest

from checkpoints.records.line import Line
from checkpoints.records.signing import Keys
from checkpoints.stores.in_memory.store import MemoryStore
from config.model_file import parse_model_file
from learner.events.examples import Examples
from learner.trainer import Trainer
from stream.between.messages import Announced, Cleared
from stream.between.positions import Positions, fingerprint
from stream.commit import committer as committing
from stream.commit.committer import CommitLostError, Committer, Target
from stream.commit.protocol import SnapshotFailedError, VersionMaker
from tests.checkpoints.builders import LEARNER, VERIFIER
from tests.config.processes.waiting import is_running, until

KEY = ("events", 0)
MODEL = parse_model_file(
    "{name: phishing, task: binary, learner: {river: [linear_model.LogisticRegression]}}"
)
SPOILT = parse_model_file(
    "{name: phishing, task: binary, learner: {python: 'tests.stream.raising:Spoilt'}, "
    "trust: [tests]}"
)


class Learning:
    """A learner that has learned one event, and what it told the source."""

    def __init__(self, model=MODEL, x=None, y=True) -> None:
        store = MemoryStore()
        granted = store.acquire(Line("phishing"), holder="test", lease_s=60.0)
        self.told = []
        self.trainer = Trainer(model)
        self.trainer.take(Examples("events", 0, [0], [1000], [x or {"https": 1.0}], [y]))
        self.positions = Positions(
            topic_ids={"events": "id"}, begins={KEY: 0}, next_offsets={KEY: 0}
        )
        self.positions.took(KEY, 0, fingerprint(0, b"{}", 1000))
        self.committer = Committer(
            lambda: store,
            Keys(learner=LEARNER, operator=None, verifier=VERIFIER),
            model,
            target=Target(
                line=Line("phishing"),
                token=granted.token,
                head=None,
                highest=0,
                note_number=lambda _: None,
            ),
            tell=self.told.append,
        )

    def begin(self):
        """Have a version made, as far as it is announced; the process that makes it."""
        self.committer.begin(self.trainer, self.positions, control_seq=0)
        self.look_until(lambda: self.told and isinstance(self.told[-1], Announced))
        return self.committer._pid

    def look_until(self, is_enough):
        """What the last look found."""
        deadline = time.monotonic() + 20
        found = None
        while not is_enough():
            assert time.monotonic() < deadline
            select.select([self.committer.channel], [], [], 0.05)
            found = self.committer.look(self.positions)
        return found

    def finish(self):
        """Clear what was announced; the version."""
        self.committer.cleared(Cleared(self.told[-1].version_id))
        return self.look_until(lambda: not self.committer.is_busy)


def test_what_is_announced_and_cleared_becomes_the_head():
    at = Learning()
    at.begin()
    version = at.finish()

    assert (version.number, version.manifest.counts.learned) == (1, 1)
    assert at.committer.head is version
    assert not at.positions.has_moved


def test_a_learner_that_cannot_answer_what_it_has_learned_is_written_down_all_the_same():
    """It has no probe; whoever loads it has nothing to compare with."""
    at = Learning(SPOILT, x={"n": 7, "m": 1})
    at.begin()

    assert at.finish().manifest.counts.learned == 1


def test_whatever_a_learner_raises_when_it_is_written_down_learning_goes_on(monkeypatch):
    at = Learning()

    def raises(**_):
        raise SystemExit("enough")

    monkeypatch.setattr(at.trainer, "snapshot", raises)
    at.committer.begin(at.trainer, at.positions, control_seq=0)

    with pytest.raises(SnapshotFailedError, match="SystemExit: enough"):
        at.look_until(lambda: False)
    assert at.positions.has_moved


def test_a_line_whose_first_version_s_process_is_killed_begins_once_more():
    """Else it would end as one that cannot be written down at all."""
    at = Learning()
    os.kill(at.begin(), signal.SIGKILL)

    with pytest.raises(CommitLostError, match="ended with -9"):
        at.look_until(lambda: False)


def test_a_process_that_lingers_after_its_last_word_is_ended_at_the_next_version(monkeypatch):
    """What it held would stay in memory."""
    made = VersionMaker.make

    def make_and_linger(*args):
        code = made(*args)
        time.sleep(60)
        return code

    monkeypatch.setattr(VersionMaker, "make", make_and_linger)
    at = Learning()
    lingering = at.begin()
    at.finish()
    assert is_running(lingering)

    again = Learning()
    again.committer._leaving = at.committer._leaving
    again.begin()
    again.finish()

    until(lambda: not is_running(lingering), what="it is gone")


def test_a_process_that_stops_is_ended_and_the_next_version_holds_all(monkeypatch):
    monkeypatch.setattr(committing, "_SILENT_MAX_S", 0.3)
    at = Learning()
    maker = at.begin()
    os.kill(maker, signal.SIGSTOP)

    with pytest.raises(SnapshotFailedError, match="ended with -9"):
        at.look_until(lambda: False)
    assert not is_running(maker)
    assert at.positions.runs == [["events", 0, 0, 1]]
    at.begin()
    assert at.finish().manifest.runs == (("events", 0, 0, 1),)


def test_a_process_that_never_writes_its_state_down_is_ended(monkeypatch):
    monkeypatch.setattr(committing, "_WRITING_MAX_S", 0.3)
    at = Learning()
    monkeypatch.setattr(at.trainer, "snapshot", lambda **_: time.sleep(60))
    at.committer.begin(at.trainer, at.positions, control_seq=0)

    with pytest.raises(SnapshotFailedError, match="ended with -9"):
        at.look_until(lambda: False)
    assert at.positions.has_moved
