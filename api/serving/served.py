"""The versions that a process answers with, held in memory.

Who follows the store (`api.serving.follow`) says where each line stands and what is to answer;
requests read that and nothing else, so Redis may be down for hours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from api.http.problem import HttpProblem
from api.serving.load import Loaded, model_hash, opened
from checkpoints.reading.reader import LineState
from checkpoints.reading.views import words_of_learner
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version
from config.model_file import ModelFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a process that answers is told of one line.

    Attributes:
        state: The newest that was read; None before the first look.
        load_problem: Why what is to be served could not be loaded; None where it was.
        version: What is to answer; None before the first load.
        segment: Its model, where it is loaded faster than another process is made.
        doubts: What stands there and is not believed.
        refusals: How many different things were not believed, or odd, so far.
        is_store_away: It does not answer now, or does not let us.
    """

    state: LineState | None
    load_problem: str | None
    version: Version | None
    segment: bytes | None
    doubts: tuple[str, ...] = ()
    refusals: int = 0
    is_store_away: bool = False


Standings = Mapping[str, Standing]


@dataclass(frozen=True, slots=True)
class ServedPosition:
    """How far a process has come: the newest command that it obeys, and the version it serves."""

    control_seq: int
    number: int | None
    version_id: str | None


class ServedLine:
    """One model: its file, where its line stands, and the version that answers.

    Attributes:
        state: The newest that was read; None before the first look.
        loaded: What answers; None before the first load.
        load_problem: Why the last load failed.
        obeyed_seq: The newest command that is in force here.
        doubts: What stands there and is not believed.
        refusals: How many different things were not believed, or odd, so far.
        is_store_away: It does not answer now, or does not let us.
    """

    def __init__(self, line: Line, model_file: ModelFile, at_hand: Sequence[Loaded] = ()) -> None:
        self.line, self.model_file, self.name = line, model_file, line.model
        self.state: LineState | None = None
        self.loaded: Loaded | None = None
        # Never let go: other processes have that memory too, and to free it would copy it first.
        self._at_hand = {each.model_hash: each for each in at_hand}
        self.load_problem: str | None = None
        self.obeyed_seq = 0
        self.doubts: tuple[str, ...] = ()
        self.refusals = 0
        self.is_store_away = False

    def answering(self) -> Loaded:
        """The version that answers.

        Raises:
            HttpProblem: None is loaded yet.
        """
        if self.loaded is None:
            why = f"{self.name} has no version loaded: {self.why_none}"
            raise HttpProblem(503, "not_ready", why)
        return self.loaded

    @property
    def why_none(self) -> str:
        """Why no version answers, if none does."""
        if self.state is None:
            return "the store has not answered yet"
        doubt = f"what stands there is not believed: {self.doubts[0]}" if self.doubts else None
        wanted = self.state.serving if self.state else None
        coming = f"v{wanted.number} is being loaded" if wanted else None
        told = words_of_learner(self.state.learner) or "the learner has not committed one yet"
        return self.load_problem or doubt or coming or told

    def known(self) -> LineState:
        """Where the line stands, once it has a version.

        Raises:
            HttpProblem: It has none, or has not been read yet.
        """
        if self.state is None or self.state.head is None:
            if self.doubts:
                raise HttpProblem(503, "not_ready", f"{self.name}: {self.doubts[0]}")
            raise HttpProblem(503, "not_ready", f"{self.name}: {self._why_unknown}")
        return self.state

    @property
    def _why_unknown(self) -> str:
        if self.state is None:
            return "the store has not answered yet"
        words = words_of_learner(self.state.learner) or "`weir learn --new` begins one"
        return f"it has no version; {words}"

    @property
    def place(self) -> ServedPosition:
        """How far this process has come."""
        serving = self.loaded.version if self.loaded else None
        if serving is None:
            return ServedPosition(self.obeyed_seq, None, None)
        return ServedPosition(self.obeyed_seq, serving.number, serving.id)

    def take(self, standing: Standing, scratch: Path | None) -> None:
        """Go by `standing` from now on. A model that is not light is left to another process."""
        self.state, self.load_problem = standing.state, standing.load_problem
        self.doubts, self.refusals = standing.doubts, standing.refusals
        self.is_store_away = standing.is_store_away
        self._load(standing, scratch)
        wanted = self.state.serving if self.state else None
        if self.state and wanted and self.loaded and self.loaded.version.id == wanted.id:
            self.obeyed_seq = max(self.obeyed_seq, self.state.control_seq)

    def _load(self, standing: Standing, scratch: Path | None) -> None:
        version, loaded = standing.version, self.loaded
        if version is None or (loaded and loaded.version.id == version.id):
            return
        at_hand = self._at_hand.get(model_hash(version), loaded)
        if at_hand and at_hand.model_hash == model_hash(version):
            self.loaded = at_hand.serving_as(version)
        elif standing.segment is not None:
            self.loaded = opened(version, standing.segment, self.model_file, scratch)


class Served:
    """All lines of this process.

    Args:
        models: The lines to serve, and their model files.
        at_hand: Versions that are in memory already, by model.
        scratch: A private folder in memory, for learners that load only from a path.

    Attributes:
        is_draining: The process is about to end, and should not be asked any more.
        awaited: Models that another process behind the same door cannot answer for yet.
    """

    def __init__(
        self,
        models: Mapping[Line, ModelFile],
        at_hand: Mapping[str, Sequence[Loaded]] | None = None,
        scratch: Path | None = None,
    ) -> None:
        found = at_hand or {}
        self.lines = {
            it.model: ServedLine(it, file, found.get(it.model, ())) for it, file in models.items()
        }
        self.is_draining = False
        self.awaited: frozenset[str] = frozenset()
        self._scratch = scratch

    def line(self, name: str) -> ServedLine:
        """The line of model `name`.

        Raises:
            HttpProblem: This process does not serve it.
        """
        found = self.lines.get(name)
        if found is None:
            known = ", ".join(sorted(self.lines))
            raise HttpProblem(
                404, "not_found", f"no model {name[:100]!r} is served here, but {known}"
            )
        return found

    @property
    def not_ready(self) -> Sequence[str]:
        """Models that a request may not be answered for yet, whichever process it comes to."""
        lines = self.lines.values()
        return [each.name for each in lines if each.loaded is None or each.name in self.awaited]

    @property
    def places(self) -> dict[Line, ServedPosition]:
        """How far this process has come with each line."""
        return {line.line: line.place for line in self.lines.values()}

    def take(self, standings: Standings) -> None:
        """Go by these from now on."""
        for name, standing in standings.items():
            self.lines[name].take(standing, self._scratch)
