"""The learner process: one thread, nothing to do but learn.

It is told by the source where to begin, restores the head, and runs one worker. It reads no log
and answers nobody; the store it asks for the head's segments, and never again.
"""

import gc
import logging
import select
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import UNSET, structs

from checkpoints.reading.lineages import Lineages
from checkpoints.reading.reader import LineReader
from checkpoints.records.line import Line
from checkpoints.records.lineage import accounted
from checkpoints.records.manifest import Rewind, Version, open_version
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store
from config.model_file import ModelFile
from config.processes.scratch import private_folder
from config.settings import Settings
from learner.trainer import Trainer
from stream.between.bell import HasFileno
from stream.between.messages import Begin, Channel, Finished, Ready, Rewound
from stream.between.positions import Positions
from stream.between.shared_numbers import SharedNumbers
from stream.between.suspects import Suspects
from stream.commit.committer import Committer, Target
from stream.commit.host_budget import HostBudget
from stream.commit.protocol import Replaying
from stream.commit.version_numbers import VersionNumbers
from stream.exits import DONE, end_with
from stream.learning.huge_pages import use_huge_pages
from stream.learning.loop import LearningLoop
from stream.learning.restore import Restored, positions_of, restore
from stream.learning.trial import check_restorable

log = logging.getLogger(__name__)

_WAIT_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rewound:
    """A rewind under way: what is restored (None: nothing), and what its versions say and where
    they go (None: to the line).
    """

    start: Version | None
    target: Target | None
    replaying: Replaying


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
        head = self._opened(begin.head, self.line) if begin.head is not None else None
        target = Target(
            line=self.line,
            token=begin.token,
            head=head,
            highest=begin.highest,
            note_number=self._note_number,
        )
        rewound = begin.rewound and self._rewound(begin.rewound)
        start = rewound.start if rewound else head
        if begin.rewound and begin.rewound.is_reset and head is not None:
            found, forgotten = self._reset(head, scratch)
        else:
            found = self._restored(start, scratch) if start else self._begun(scratch)
            forgotten = start.manifest.counts.forgotten if start else 0
        is_reset = begin.rewound is not None and begin.rewound.is_reset
        found.positions.begin(begin.topic_ids, begin.first_offsets, begin.lost)
        self.channel.send(Ready(start.manifest.name if start else None))
        worker = LearningLoop(
            self.model_file,
            trainer=found.trainer,
            positions=found.positions,
            committer=Committer(
                self.open_store,
                self.keys,
                self.model_file,
                target=(rewound and rewound.target) or target,
                tell=self.channel.send,
                forgotten=forgotten,
                origin=start.manifest.origin if start and not is_reset else UNSET,
                answers=start.manifest.answers_read if start and not is_reset else 0,
                replaying=rewound.replaying if rewound else None,
                obeyed=begin.rewound.control_seq if begin.rewound else 0,
                budget=self.budget,
                place=self.place,
            ),
            takes_over=target if rewound else None,
            commits_first=bool(rewound and rewound.target is None),
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

    def _opened(self, envelope: bytes, line: Line) -> Version:
        return open_version(envelope, self.keys.verifier, line)

    def _rewound(self, told: Rewound) -> "_Rewound":
        """Where a rewind goes on from, and where its versions go."""
        to = None if told.to is None else self._opened(told.to, self.line)
        candidate = None
        if told.start is not None and told.start != told.to:
            candidate = self._opened(told.start, self.line.candidate)
        replaying = Replaying(
            rewind=Rewind(
                to=to.manifest.name if to else None,
                to_id=to.id if to else None,
                command_id=told.command_id,
                skip=told.skip,
                at_ms=int(time.time() * 1000),
            )
        )
        if told.is_reset:
            return _Rewound(start=None, target=None, replaying=replaying)
        if candidate is not None and candidate.manifest.rewind:
            with closing(self.open_store()) as store:
                lineages = Lineages(store, self.keys.verifier, candidate.manifest.line.candidate)
                replay = lineages.replay_of(candidate)
            replaying = Replaying(rewind=candidate.manifest.rewind, replay=replay)
        target = Target(
            line=self.line.candidate,
            token=told.token,
            head=candidate,
            highest=told.highest,
            note_number=lambda _number: None,  # the numbers that are used up are the line's
        )
        return _Rewound(start=candidate or to, target=target, replaying=replaying)

    def _note_number(self, number: int) -> None:
        self.board.highest = number
        self.numbers.note(number)

    def _restored(self, head: Version, scratch: Path) -> Restored:
        with closing(self.open_store()) as store:
            is_candidate = head.manifest.kind == "candidate"
            line = self.line.candidate if is_candidate else self.line
            reader = LineReader(store, self.keys.verifier, line)
            found = restore(reader, head, self.model_file, scratch)
        log.info(
            "%s: going on from %s, %d learned", self.line, head.manifest.name,
            head.manifest.counts.learned,
        )  # fmt: skip
        return found

    def _reset(self, head: Version, scratch: Path) -> tuple[Restored, int]:
        """Untrained, where the head stands; what it had learned, or what waits, is forgotten."""
        begun = self._begun(scratch)
        now = head.manifest
        begun.trainer.refused_by.update(now.counts.refused_by)
        counts = structs.replace(now.counts, forgotten=0)
        left = accounted(structs.replace(now, counts=counts)) - counts.refused - counts.skipped
        positions = positions_of(now, self.model_file)
        return replace(begun, positions=positions), left + now.counts.forgotten

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
