"""Several models on the same records, a stretch of them at a time, each compared with the first.

Side by side rather than one after the other: whatever ends it, all have seen the same, and a topic
is read once.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from config.processes.stopping import Stop
from learner.errors import LearnFailedError
from stream.errors import StreamError
from stream.trying.beside.pairs import EventPairs, Scored, compared
from stream.trying.candidates import Candidate
from stream.trying.progress import TrialProgress, say
from stream.trying.rows import TrialRow
from stream.trying.sources import Stretches, TrialSource, cut_at
from stream.trying.trial import Decoding, Stretch, Trial, begun_anew


class Comparison(NamedTuple):
    """What came of it.

    Attributes:
        rows: One a model, in the order given.
        records: Read.
        is_stopped: By whoever pressed Ctrl-C.
        ended_by: What ended it midway; None: the source's own end.
    """

    rows: list[TrialRow]
    records: int
    is_stopped: bool = False
    ended_by: StreamError | None = None


class SideBySide:
    """The trials, and what they are read from.

    Args:
        candidates: The first is the one that the others are compared with.
        scratch: A private folder in memory, for learners that save only to a path.
        has_curve: Scores are noted on the way.
        scores_from: Scores are of what comes after so many records.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        source: TrialSource,
        scratch: Path | None = None,
        *,
        has_curve: bool = False,
        scores_from: int = 0,
    ) -> None:
        self._source, self._scratch, self._has_curve = source, scratch, has_curve
        self._scores_from = scores_from
        self._is_compared = len(candidates) > 1
        self._trials = [self._trial(each) for each in candidates]
        self._decodings = [Decoding(each.model_file, source.labels) for each in candidates]
        first, *others = self._trials
        shared = [first.losses.keys() & other.losses.keys() for other in others]
        self._pairs = [
            EventPairs({name: loss for name, loss in first.losses.items() if name in names})
            for names in shared
        ]
        self.records = self._taken = 0

    def run(self, stop: Stop, progress: TrialProgress) -> Comparison:
        """Read all of it, until told to stop; never raises for what ends it midway.

        Raises:
            StreamError: Nothing at all can be read.
        """
        ended_by: StreamError | None = None
        try:
            for stretches in self._in_step():
                if stop.is_asked:
                    break
                self._take(stretches)
                self._taken += 1
                self.records += len(stretches[0].records)
                progress.at(self.records, self._beside())
        except StreamError as error:
            if not self.records:
                raise
            ended_by = error
        progress.end()
        return Comparison(self._rows(), self.records, stop.is_asked, ended_by)

    def _beside(self) -> str:
        count = len(self._trials)
        return f" by {count} models" if count > 1 else ""

    def _in_step(self) -> Iterator[list[Stretch]]:
        """The next stretch of each candidate: what is the same for several is read once."""
        keys = [self._source.reading(each.candidate.model_file) for each in self._trials]
        readers = {
            key: self._stretches(trial.candidate)
            for key, trial in reversed(list(zip(keys, self._trials, strict=True)))
        }
        for found in zip(*readers.values(), strict=True):
            by_key = dict(zip(readers, found, strict=True))
            yield [by_key[key] for key in keys]

    def _stretches(self, candidate: Candidate) -> Stretches:
        return cut_at(self._source.stretches(candidate.model_file), self._scores_from)

    def _take(self, stretches: Sequence[Stretch]) -> None:
        scored = [self._took(n, stretch) for n, stretch in enumerate(stretches)]
        first = scored[0] if self.records >= self._scores_from else None
        for pair, other in zip(self._pairs, scored[1:], strict=True):
            if first is not None and other is not None:
                pair.take(first, other)

    def _took(self, n: int, stretch: Stretch) -> Scored | None:
        decoded = self._decodings[n].of(stretch)
        try:
            return self._trials[n].take(decoded)
        except LearnFailedError as error:
            trial = self._trials[n]
            say(f"{trial.candidate.name}: {trial.told(error)}: it begins anew, and refuses that")
            return self._again(n, stretch)

    def _again(self, n: int, stretch: Stretch) -> Scored | None:
        """Have a trial that raised begin anew and come up to here: what raised is refused then."""
        candidate = self._trials[n].candidate
        decoding = self._decodings[n] = Decoding(candidate.model_file, self._source.labels)
        earlier = itertools.islice(self._stretches(candidate), self._taken)
        self._trials[n], scored = begun_anew(
            self._trial(candidate), map(decoding.of, earlier), decoding.of(stretch)
        )
        return scored

    def _trial(self, candidate: Candidate) -> Trial:
        return Trial(
            candidate,
            self._scratch,
            compared_by=candidate.model_file.metrics if self._is_compared else (),
            has_curve=self._has_curve,
            file=self._source.file,
            scores_from=self._scores_from,
        )

    def _rows(self) -> list[TrialRow]:
        first, *others = [trial.row() for trial in self._trials]
        return [first, *map(compared, others, self._pairs)]
