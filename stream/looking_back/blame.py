"""`weir blame`: the first version that had gone wrong, and what it had learned.

1. The versions that are kept from `since` on are listed, and some before it, which tell what is
   ordinary.
2. The probe is read: labelled events of a file, or the last ones of the log before `since`.
3. Versions are loaded one at a time, judged on the probe and thrown away (`search.py` says which).
4. `change_point.py` says where they broke, there and by the errors that were made as they learned
   (`progressive.py`); `verdict.py` makes one answer of the two.
5. The log tells what was learned there.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from msgspec import Struct

from checkpoints.reading.difference import Stretch, learned_stretch
from checkpoints.reading.reader import Damaged, LineReader
from checkpoints.reading.views import made_at_ms, timestamp
from checkpoints.records.manifest import Version
from config.model_file import ModelFile
from config.settings import KafkaSettings
from learner.events.decode import decoder
from learner.values import Event, Refusal
from stream.errors import LookBackRefusedError
from stream.looking_back.event_log import EventLog
from stream.looking_back.judging.change_point import EVENTS_MIN, Losses
from stream.looking_back.judging.judged import Judgement, Jury
from stream.looking_back.judging.models import NotLoadedError, VersionModels
from stream.looking_back.judging.progressive import error_rates, progressive_break
from stream.looking_back.judging.search import search
from stream.looking_back.judging.verdict import Blamed, ProbeBreak, verdict
from stream.looking_back.learned import learned_between
from stream.looking_back.progress import LookProgress, say
from stream.looking_back.strangers import before_all, rewind_command, skips_of, strangers
from stream.send.csv_file import CsvColumns
from stream.send.readers import check_source, records

Body = dict[str, Any]

_BEFORE = 10  # kept versions before `since`, which tell what is ordinary
_VERSIONS_MAX = 300


class BlameOptions(Struct, frozen=True, kw_only=True):
    """What is to be blamed for.

    Attributes:
        since: The number of a version that was good, or a time when it was (Unix, milliseconds).
        is_time: Which of the two.
        probe: A file of good labelled events; None: the last of the log before `since`.
        columns: How the file is read, where it is CSV.
        metric: The score that broke; None: those of the model file are told.
        events: Of the probe, at most.
        records: Of the log, read between the last good and the first bad version, at most.
    """

    since: int
    is_time: bool
    probe: Path | None
    columns: CsvColumns
    metric: str | None
    events: int
    records: int


class Blame:
    """One search.

    Args:
        kafka: Where the log is.
        reader: Of the line.
        models: Loads its versions.
    """

    def __init__(
        self, kafka: KafkaSettings, reader: LineReader, models: VersionModels, asked: BlameOptions
    ) -> None:
        self._kafka, self._reader, self._models, self._asked = kafka, reader, models, asked
        self._all: list[Version] = []
        self._not_loaded: dict[str, str] = {}
        self._judgements: dict[int, Judgement] = {}
        self._by_model: dict[str, Judgement] = {}

    def run(self) -> Body:
        """Search, and say what was found.

        Raises:
            LookBackRefusedError: There is no version to begin with, or too few events to judge by.
            KafkaUnavailableError, StoreUnavailable: One of the two does not answer.
        """
        versions, since = self._versions()
        self._all = versions
        newest = versions[-1].manifest
        model_file = self._models.model_file(newest)
        with closing(EventLog(self._kafka, model_file, newest)) as log:
            events, where = self._probe(log, model_file, versions[since])
            jury = Jury(model_file, events, self._names(model_file))
            on_probe = self._search(versions, since, jury)
            found = verdict(on_probe, progressive_break(versions, since))
            if found is not None:
                for version in (found.good, found.bad):
                    self._judged(version, jury)
            body = self._body(versions, since, len(events), where)
            if found is not None:
                body |= self._found(log, model_file, found)
        return body

    def _names(self, model_file: ModelFile) -> Sequence[str]:
        metric = self._asked.metric
        return model_file.metrics if metric is None else (metric,)

    def _versions(self) -> tuple[list[Version], int]:
        """The versions to judge, oldest first, and the place of the one that was good."""
        after: list[Version] = []
        before: list[Version] = []
        for version in self._kept():
            if not self._is_good(version):
                after.append(version)
            elif len(before) <= _BEFORE:
                before.append(version)
            else:
                break
        if not before and after:  # the oldest that is kept has to do
            before.append(after.pop())
        if not before:
            raise LookBackRefusedError(
                f"{self._reader.line}: no version can be read; `weir verify` says why"
            )
        since = len(before) - 1
        return [*reversed(before), *reversed(after)], since

    def _kept(self) -> Iterator[Version]:
        """All that can be read, newest first; the others are said."""
        for entry in islice(self._reader.kept(), _VERSIONS_MAX):
            if isinstance(entry, Damaged):
                self._pass_over(entry.name, str(entry.problem))
            else:
                yield entry

    def _is_good(self, version: Version) -> bool:
        """Whether a version is the one of `since`, or is older."""
        if self._asked.is_time:
            return made_at_ms(version.manifest) <= self._asked.since
        return version.number <= self._asked.since

    def _pass_over(self, name: str, why: str) -> None:
        self._not_loaded[name] = why
        say(f"{name} is passed over: {why}")

    def _probe(
        self, log: EventLog, model_file: ModelFile, good: Version
    ) -> tuple[list[Event], str]:
        """Labelled events, and where they are from."""
        path, count = self._asked.probe, self._asked.events
        if path is not None:
            events, where = _of_file(path, model_file, self._asked.columns, count), str(path)
        else:
            events = log.last_labelled(good.manifest, count)
            where = f"the last labelled events before {good.manifest.name}"
        if len(events) < EVENTS_MIN:
            raise LookBackRefusedError(
                f"{model_file.name}: {where}: {len(events)} labelled events are too few to judge "
                f"by, it takes {EVENTS_MIN}: give a file of good ones with --probe"
            )
        say(f"{model_file.name}: judged by {where} ({len(events):,} of them)")
        return events, where

    def _search(self, versions: Sequence[Version], since: int, jury: Jury) -> ProbeBreak | None:
        progress = LookProgress(f"{versions[0].manifest.model}: versions judged", len(versions))

        def judge(place: int) -> Losses | None:
            losses = self._judged(versions[place], jury)
            progress.add()
            return losses

        places, found = search(len(versions), since, judge, most=_VERSIONS_MAX)
        row = [versions[place] for place in places]
        return None if found is None else ProbeBreak(row=row, at=found)

    def _judged(self, version: Version, jury: Jury) -> Losses | None:
        name = version.manifest.segments["model"].sha256
        judgement = self._by_model.get(name)
        if judgement is None:
            try:
                model, _ = self._models.tried(version)
            except NotLoadedError as error:
                self._pass_over(version.manifest.name, str(error))
                return None
            judgement = self._by_model[name] = jury.judge(model)
        self._judgements[version.number] = judgement
        return judgement.losses

    def _body(self, versions: Sequence[Version], since: int, events: int, where: str) -> Body:
        errors = {it.after.number: it.rate.share for it in error_rates(versions)}
        return {
            "model": versions[0].manifest.model,
            "since": versions[since].manifest.name,
            "probe": {"from": where, "events": events},
            "versions": [
                self._row(v) | {"errors": errors.get(v.number)}
                for v in versions
                if v.number in self._judgements
            ],
            "kept": len(versions),
            "passed_over": self._not_loaded,
            "first_bad": None,
            "last_good": None,
        }

    def _row(self, version: Version) -> Body:
        judgement = self._judgements.get(version.number)
        return {
            "version": version.manifest.name,
            "created_at": timestamp(made_at_ms(version.manifest)),
            "learned": version.manifest.counts.learned,
            "loss": judgement.loss if judgement else None,
            "metrics": judgement.metrics if judgement else {},
            "unanswered": judgement.unanswered if judgement else None,
        }

    def _found(self, log: EventLog, model_file: ModelFile, found: Blamed) -> Body:
        good, bad = found.good, found.bad
        limit = self._asked.records
        between = learned_between(log, model_file, self._stretch(good, bad), limit=limit)
        skipped = self._stretch(good, found.back or self._all[-1])
        return {
            "first_bad": self._row(bad),
            "last_good": self._row(good),
            "worst": self._row(found.worst) if found.worst else None,
            "recovered": found.back.manifest.name if found.back else None,
            "by": list(found.by),
            "also": found.also.manifest.name if found.also else None,
            "unjudged": bad.number - good.number - 1,
            "between": between,
            "next": rewind_command(good, skips_of(skipped, model_file.topics.events)),
            "next_by_source": self._by_source(log, model_file, good, between["sources"]),
        }

    def _by_source(
        self, log: EventLog, model_file: ModelFile, good: Version, sources: Sequence[Body]
    ) -> str | None:
        """The command that takes a new source out, if one is to be suspected.

        Of each source it is noted how many records it has before, since the oldest version here.
        """
        stretch = self._stretch(self._all[0], good)
        before = learned_between(log, model_file, stretch, limit=self._asked.records)
        seen = {each["source"]: each["records"] for each in before["sources"]}
        for each in sources:
            each["before"] = seen.get(each["source"], 0)
        found = strangers(sources, before["sources"]) if before["complete"] else []
        clean = before_all(self._all, good, found)
        if not found or clean is None:
            return None
        return rewind_command(clean, [f"source:{each['source']}" for each in found])

    def _stretch(self, one: Version, other: Version) -> Stretch:
        return learned_stretch(one.manifest, other.manifest, (v.manifest for v in self._all))


def _of_file(path: Path, model_file: ModelFile, columns: CsvColumns, count: int) -> list[Event]:
    """The first labelled events of a file; those that no version could learn are passed over."""
    check_source(str(path), columns)
    decode = decoder(model_file)
    read = (decode(value, ()) for value, _ in records(str(path), model_file, columns))
    good = (each for each in read if not isinstance(each, Refusal) and each.label is not None)
    return list(islice(good, count))
