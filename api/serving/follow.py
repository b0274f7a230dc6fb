"""Following the store: what is to be served, found out, verified and loaded, once for a host.

One thread does it, in short turns. What a turn learns goes to the processes that answer, as
`Standing`s; a model that takes long to load reaches them because they are forked anew from the
process that has loaded it, which `generation` asks for.

    a line is  what answers            what moves it on
    settled    what is to be served,   another version is to be served: wanted
               or nothing if nothing is
    wanted     what is loaded          its turn comes, orders first: loading; settled at once where
                                       its model is in memory
    loading    what is loaded          loaded: settled. Overtaken by an order: wanted. Else: failed
    failed     what is loaded          0.5 to 30 s are over, or another version is to be: wanted

While the store is away a line stays what it is. All of it is memory: a process that dies finds each
line in the store again, and loads what is to be served.
"""

import dataclasses
import gc
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from msgspec import structs

from api.http.complaints import Complaints
from api.serving.load import Loaded, as_learned, load, model_hash
from api.serving.served import Standing, Standings
from api.serving.warm import Warm, pointers
from checkpoints.errors import CheckpointError
from checkpoints.reading.reader import LineReader, LineState
from checkpoints.records.control import Control
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version
from checkpoints.records.signing import Verifier
from checkpoints.stores.contract import Store
from checkpoints.stores.heads import Position
from checkpoints.unpickle import GivenUp
from config.model_file import ModelFile

log = logging.getLogger(__name__)

LOOK_S = 1.0  # without a hint: how its learner does
_LOOK_EACH_S = 0.04  # of many lines each is looked at less often
_AWAY_S = 0.5  # between two looks while the store is down
_UNCOLLECTED_MAX_S = 5.0  # while one load follows the other
_RETRY_FIRST_S, _RETRY_MAX_S = 0.5, 30.0
_DROPPED_MAX = 2  # models that nobody needs any more; slow clients may keep old workers for long

OnLoad = Callable[[str, str], None]  # model, outcome: "ok" or "failed"
Meanwhile = Callable[[], None]


class FollowedLine:
    """One line: where it stands, what is loaded of it, and what is to be.

    Attributes:
        state: The newest that was read; None before the first look.
        loaded: What is to answer; None before the first load.
        load_problem: Why the last load failed.
    """

    def __init__(self, line: Line, model_file: ModelFile, store: Store, verifier: Verifier) -> None:
        self.line, self.model_file, self.name = line, model_file, line.model
        self.reader = LineReader(
            store, verifier, line, segment_bytes_max=model_file.checkpoint.max_bytes
        )
        self.state: LineState | None = None
        self.loaded: Loaded | None = None
        self.load_problem: str | None = None
        self._retry_s = _RETRY_FIRST_S
        self._differences: tuple[str, ...] = ()
        self._failed_id: str | None = None
        self._retry_at = 0.0
        self._told: tuple[tuple[object, ...], Standing] | None = None

    @property
    def control(self) -> Control | None:
        """The standing orders."""
        return self.state.control if self.state else None

    @property
    def wanted(self) -> Version | None:
        """What is to be served and is not loaded, and may be tried now."""
        wanted = self.state.serving if self.state else None
        if wanted is None or (self.loaded and self.loaded.version.id == wanted.id):
            return None
        is_due = wanted.id != self._failed_id or time.monotonic() >= self._retry_at
        return wanted if is_due else None

    def standing(self, *, is_store_away: bool) -> Standing:
        """What those that answer are told; the same object while nothing of it has changed."""
        state, loaded = self.state, self.loaded
        of = (state, loaded, self.load_problem, self.reader.refusals, is_store_away)
        if self._told is None or any(a is not b for a, b in zip(self._told[0], of, strict=True)):
            standing = Standing(
                state=_plain(state) if state else None,
                load_problem=self.load_problem,
                version=loaded.version if loaded else None,
                segment=loaded.segment if loaded else None,
                doubts=tuple(map(str, state.problems)) if state else (),
                refusals=self.reader.refusals,
                is_store_away=is_store_away,
            )
            self._told = (of, standing)
        return self._told[1]

    def look(self, position: Position) -> None:
        """Take in where the line stands. Asks the store when something moved."""
        state = self.reader.at(position)
        known = {str(problem) for problem in self.state.problems} if self.state else set()
        for problem in state.problems:
            if str(problem) not in known:
                log.error("%s: not obeyed: %s", self.line, problem)
        for warning in state.warnings:
            log.error("%s: %s", self.line, warning)
        if self.state is None and state.serving is None and not state.problems:
            log.info("%s: no version yet: served as soon as its learner commits one", self.line)
        self.state = state

    def succeed(self, loaded: Loaded) -> None:
        """This answers from now on."""
        if loaded.differences and loaded.differences != self._differences:
            log.warning(
                "%s: %s was learned by another model file and answers as it was learned: %s",
                self.line, loaded.name, "; ".join(loaded.differences),
            )  # fmt: skip
        self._differences = loaded.differences
        self.loaded = loaded
        self.load_problem, self._failed_id, self._retry_s = None, None, _RETRY_FIRST_S

    def fail(self, version: Version, error: BaseException) -> None:
        """What is loaded goes on; try again later."""
        is_again = version.id == self._failed_id
        self._retry_s = min(self._retry_s * 2, _RETRY_MAX_S) if is_again else _RETRY_FIRST_S
        self._failed_id, self._retry_at = version.id, time.monotonic() + self._retry_s
        self.load_problem = f"{type(error).__name__}: {error}"
        old = self.loaded.name if self.loaded else "nothing"
        log.error("%s: not loaded, %s goes on serving: %s", self.line, old, self.load_problem)


class Following:
    """Follows the lines of some models.

    Args:
        models: The lines to serve, and their model files.
        store: Where their versions are.
        verifier: Whose records are believed.
        on_load: Told of every load.
        scratch: A private folder in memory, for learners that load only from a path.
        warm_bytes_max: Of the snapshots that are kept loaded beside what is served.

    Attributes:
        generation: Grows when something was loaded that others should not load themselves.
        ordered: The oldest generation that can obey all that operators have ordered.
        unheard: Why the store has never answered yet.
        is_away: The store did not answer, or did not let us, when it was last asked.
    """

    def __init__(
        self,
        models: Mapping[Line, ModelFile],
        store: Store,
        verifier: Verifier,
        *,
        on_load: OnLoad,
        scratch: Path | None = None,
        warm_bytes_max: int = 0,
    ) -> None:
        self.lines = {
            it.model: FollowedLine(it, file, store, verifier) for it, file in models.items()
        }
        self.generation = self.ordered = 0
        self.unheard: CheckpointError | None = None
        self._store, self._on_load, self._scratch = store, on_load, scratch
        self._warm = Warm(warm_bytes_max)
        self._warmed: dict[str, Control | None] = {}
        self._obeyed: dict[str, int] = {}  # the newest command when the line was last loaded
        self._turns = list(self.lines.values())  # whose turn it is comes first
        self._gave_way: set[str] = set()  # since they were last loaded
        self._dropped: list[Loaded] = []
        self._look_at = self._collected_at = 0.0
        self._complaints = Complaints()
        self.is_away = False

    @property
    def standings(self) -> Standings:
        """Where the lines stand."""
        return {
            line.name: line.standing(is_store_away=self.is_away) for line in self.lines.values()
        }

    @property
    def at_hand(self) -> dict[str, list[Loaded]]:
        """What is in memory, by model: what answers, and what is kept warm."""
        return {
            line.name: [*([line.loaded] if line.loaded else []), *self._warm.kept(line.name)]
            for line in self.lines.values()
        }

    @property
    def has_more(self) -> bool:
        """Whether something is to be loaded that is to be served."""
        return any(line.wanted is not None for line in self.lines.values())

    @property
    def rests_s(self) -> float:
        """Seconds until there is something to do without a hint."""
        return max(0.0, self._look_at - time.monotonic())

    def look(self, *, hinted: bool = False) -> None:
        """Look where the lines stand, if it is time to."""
        if not hinted and self.rests_s > 0:
            return
        try:
            positions = self._store.poll([line.line for line in self.lines.values()])
            for line in self.lines.values():
                line.look(positions[line.line])
        except CheckpointError as error:
            self._heard_nothing(error)
            return
        if self.is_away:
            log.info("the store answers")
        self.is_away, self.unheard = False, None
        self._complaints.ended()
        self._look_at = time.monotonic() + max(LOOK_S, _LOOK_EACH_S * len(self.lines))
        self._ask_for_warm()

    def load(self, meanwhile: Meanwhile) -> bool:
        """Load the next version that is to be served, else one to be kept warm; whether one was.

        Args:
            meanwhile: Called every millisecond or so of a long load. When it finds that operators
                want something else, the load is given up; when that is of another line, only once,
                so that nobody's orders keep those for another line waiting.
        """
        due = self._due()
        if due is not None:
            self._serve(*due, meanwhile)
            return True
        missing = self._warm.missing()
        if missing is not None:
            self._keep_warm(*missing, meanwhile)
        return missing is not None

    def _due(self) -> tuple[FollowedLine, Version] | None:
        """What to serve next: what is ordered or has given way first, else each line in turn."""
        due = [(line, line.wanted) for line in self._turns if line.wanted is not None]
        pressing = [it for it in due if it[0].name in self._gave_way or self._is_ordered(it[0])]
        return next(iter(pressing or due), None)

    def _is_ordered(self, line: FollowedLine) -> bool:
        return _seq(line) != self._obeyed.get(line.name, 0)

    def _serve(self, line: FollowedLine, wanted: Version, meanwhile: Meanwhile) -> None:
        self._turns.remove(line)
        self._turns.append(line)
        try:
            loaded = self._found(line, wanted) or self._load(
                line, wanted, meanwhile, gives_way=line.name not in self._gave_way
            )
        except GivenUp:
            self._gave_way.add(line.name)
            return
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # whatever a learner's own code makes of a snapshot
            line.fail(wanted, error)
            self._gave_way.discard(line.name)
            self._on_load(line.name, "failed")
            return
        old, is_ordered = line.loaded, self._is_ordered(line)
        line.succeed(loaded)
        self._gave_way.discard(line.name)
        self._on_load(line.name, "ok")
        self._warm.offer(line.name, loaded)
        if loaded.segment is None and not (old and old.model_hash == loaded.model_hash):
            self._drop([old] if old else [])
            self._settle(is_urgent=is_ordered)
        if is_ordered:  # what workers have in memory is served as soon as they are told
            self.ordered = max(self.ordered, loaded.generation)
        self._obeyed[line.name] = _seq(line)

    def _settle(self, *, is_urgent: bool) -> None:
        """Put memory in order before it is shared with new processes.

        To free what nobody needs any more takes long while old processes share it, so that waits
        when operators do; and to look for it takes as long for one load as for many. What is frozen
        is left alone by the collector, which would walk through a large model again and again, and
        write into each shared page of it.
        """
        if not is_urgent:
            self._dropped.clear()
            if not self.has_more or time.monotonic() - self._collected_at > _UNCOLLECTED_MAX_S:
                gc.unfreeze()
                gc.collect()
                self._collected_at = time.monotonic()
        gc.freeze()

    def _drop(self, loaded: Iterable[Loaded]) -> None:
        """Nobody needs these any more: free them when there is time, or when there are many."""
        self._dropped.extend(loaded)
        del self._dropped[:-_DROPPED_MAX]

    def rest(self) -> None:
        """There is time: free what was dropped in a hurry."""
        self._dropped.clear()

    def _found(self, line: FollowedLine, wanted: Version) -> Loaded | None:
        """The version, if its model is in memory already."""
        found = self._warm.find(line.name, wanted)
        if line.loaded and line.loaded.model_hash == model_hash(wanted):
            found = line.loaded
        if found is None:
            return None
        as_learned(wanted, line.model_file)
        return found.serving_as(wanted)

    def _load(
        self, line: FollowedLine, version: Version, meanwhile: Meanwhile, *, gives_way: bool
    ) -> Loaded:
        watched = list(self.lines.values()) if gives_way else [line]
        began = {each.name: _seq(each) for each in watched}

        def between() -> None:
            meanwhile()
            # Only for a command: with versions that come faster than they load, none would be.
            for each in watched:
                if _seq(each) != began[each.name] and _is_overtaken(each, line, version):
                    raise GivenUp

        loaded = load(line.reader, version, line.model_file, self._scratch, between)
        if loaded.segment is not None:
            return loaded
        self.generation += 1
        return dataclasses.replace(loaded, generation=self.generation)

    def _keep_warm(self, name: str, version: Version, meanwhile: Meanwhile) -> None:
        try:
            loaded = self._load(self.lines[name], version, meanwhile, gives_way=True)
            self._warm.offer(name, loaded)
            self._settle(is_urgent=False)
        except GivenUp:
            return
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._warm.give_up(name, version, error)

    def _ask_for_warm(self) -> None:
        """Read the orders for what is to be kept warm, where they are new."""
        for line in self.lines.values():
            control = line.control
            if self._warmed.get(line.name) is control:
                continue
            self._warmed[line.name] = control
            found = []
            for pointer in pointers(control):
                try:
                    found.append(line.reader.version_by_id(pointer.id))
                except CheckpointError as error:
                    log.warning("%s: v%d is not kept warm: %s", line.line, pointer.number, error)
            self._drop(self._warm.want(line.name, found))
        for line in self.lines.values():  # orders for one line may make room for another's
            if line.loaded is not None:
                self._warm.offer(line.name, line.loaded)

    def lose_store(self) -> None:
        """The store does not let operators see us: look where the lines stand when it does."""
        self.is_away, self._look_at = True, 0.0

    def _heard_nothing(self, error: CheckpointError) -> None:
        if self._complaints.is_due(error):
            log.warning("%s; what is loaded goes on answering", error)
        if all(line.state is None for line in self.lines.values()):
            self.unheard = error
        self.is_away = True
        self._look_at = time.monotonic() + _AWAY_S


def _plain(state: LineState) -> LineState:
    """Without its errors, which go to other processes as text."""
    return structs.replace(
        state, head_problem=None, control_problem=None, pin_problem=None, warnings=()
    )


def _seq(line: FollowedLine) -> int:
    return line.state.control_seq if line.state else 0


def _is_overtaken(moved: FollowedLine, line: FollowedLine, version: Version) -> bool:
    """Whether the line that has moved needs something else than this load."""
    if moved is line and moved.state is not None:
        serving = moved.state.serving
        return serving is None or model_hash(serving) != model_hash(version)
    return moved.wanted is not None
