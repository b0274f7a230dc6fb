"""The learner process: one thread, nothing to do but learn.

It is told by the source where to begin, restores the head, and runs one worker. It reads no log
and answers nobody; the store it asks for the head's segments, and never again.
"""

import gc
import logging
import select
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from checkpoints.reading.reader import LineReader
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version, open_version
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store
from config.model_file import ModelFile
from config.processes.scratch import private_folder
from config.settings import Settings
from learner.trainer import Trainer
from stream.between.bell import HasFileno
from stream.between.messages import Begin, Channel, Finished, Ready
from stream.between.positions import Positions
from stream.between.shared_numbers import SharedNumbers
from stream.between.suspects import Suspects
from stream.commit.committer import Committer
from stream.commit.host_budget import HostBudget
from stream.commit.version_numbers import VersionNumbers
from stream.exits import DONE, end_with
from stream.learning.huge_pages import use_huge_pages
from stream.learning.loop import LearningLoop
from stream.learning.restore import Restored, restore
from stream.learning.trial import check_restorable

log = logging.getLogger(__name__)

_WAIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnerProcess:
    """What the forked learner needs of the program that forked it.

    Attributes:
        channel: To the source.
        keeper: Last words, and what the learner raised.
        suspects: What earlier lives have made of it.
        numbers: Version numbers used.
        budget: What versions cost the host.
        place: The line's in it.
        shares_memory: Beside other learners that were forked from the same process: pages that
            none writes to are to stay shared, and are not gathered in huge ones.
    """

    settings: Settings
    line: Line
    model_file: ModelFile
    keys: Keys
    open_store: Callable[[], Store]
    board: SharedNumbers
    channel: Channel
    keeper: Channel
    suspects: Suspects
    numbers: VersionNumbers
    budget: HostBudget
    place: int
    shares_memory: bool

    def run(self) -> int:
        """Learn until told to stop; the code to end with."""
        try:
            begin = self._told_to_begin()
            if begin is not None:
                with private_folder(self.settings.learner.scratch_dir) as scratch:
                    self._learn(begin, scratch)
            self.channel.send(Finished())
        except Exception as error:
            return end_with(error, self.keeper)
        return DONE

    def _told_to_begin(self) -> Begin | None:
        """Waits for the source to have the line's token; None when stopped before."""
        while not self.board.stop:
            self.board.tick_learner()
            waited_for: list[HasFileno] = [self.channel, self.board.learner_bell]
            select.select(waited_for, [], [], _WAIT_S)
            self.board.learner_bell.hush()
            for message in self.channel.receive():
                assert isinstance(message, Begin), f"{message} before the beginning"
                return message
        return None

    def _learn(self, begin: Begin, scratch: Path) -> None:
        self.board.tick_learner()
        head = None
        if begin.head is not None:
            head = open_version(begin.head, self.keys.verifier, self.line)
        found = self._restored(head, scratch) if head else self._begun(scratch)
        found.positions.begin(begin.topic_ids, begin.first_offsets, begin.lost)
        self.channel.send(Ready(head.manifest.name if head else None))
        worker = LearningLoop(
            self.model_file,
            trainer=found.trainer,
            positions=found.positions,
            committer=Committer(
                self.open_store,
                self.keys,
                self.line,
                self.model_file,
                token=begin.token,
                head=head,
                highest=begin.highest,
                note_number=self._note_number,
                tell=self.channel.send,
                budget=self.budget,
                place=self.place,
            ),
            channel=self.channel,
            board=self.board,
            suspects=self.suspects,
            uncommitted_max=self.settings.learner.max_uncommitted_events,
            memory_max=self.settings.learner.max_memory_bytes,
            adopted=found.adopted,
        )
        _settle_memory(shares_memory=self.shares_memory)
        self.board.learner_has_begun()
        worker.run()

    def _note_number(self, number: int) -> None:
        self.board.highest = number
        self.numbers.note(number)

    def _restored(self, head: Version, scratch: Path) -> Restored:
        with closing(self.open_store()) as store:
            reader = LineReader(store, self.keys.verifier, self.line)
            found = restore(reader, head, self.model_file, scratch)
        log.info(
            "%s: going on from %s, %d learned", self.line, head.manifest.name,
            head.manifest.counts.learned,
        )  # fmt: skip
        return found

    def _begun(self, scratch: Path) -> Restored:
        """A new line, untrained."""
        check_restorable(self.model_file, scratch)
        trainer = Trainer(self.model_file, scratch)
        for note in trainer.notes:
            log.info("%s: %s", self.line, note)
        log.info("%s: begun, untrained", self.line)
        nowhere = Positions(topic_ids={}, begins={}, next_offsets={})
        return Restored(trainer=trainer, positions=nowhere, adopted=())


def _settle_memory(*, shares_memory: bool) -> None:
    """Keep the garbage collector off what lives as long as the worker, and forks short."""
    if not shares_memory:
        gc.collect()  # it writes to every page that it looks at
    gc.freeze()
    # A model makes few cycles; the default of 700 would look a hundred times a second.
    gc.set_threshold(50_000, 20, 100)
    if not shares_memory:
        use_huge_pages()
