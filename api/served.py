"""The versions that this process answers with, following the store.

One task looks where the lines stand, 20 times a second and in one round trip for all of them.
When another version is to be served it is loaded on a thread beside the old one, and a reference
is swapped. Requests read that reference and nothing else, so Redis may be down for hours.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from api.loading import Loaded, load
from api.problem import Problem
from checkpoints.errors import CheckpointError
from checkpoints.line import Line
from checkpoints.reader import LineReader, LineState
from checkpoints.signing import Verifier
from checkpoints.store import Position, Store
from config.model_file import ModelFile
from config.scratch import private_folder

log = logging.getLogger(__name__)

LOOK_S = 0.05
BEAT_S = 1.0
_BEAT_TTL_S = 3.0
_AWAY_S = 0.5  # between two looks while the store is down
_RETRY_FIRST_S, _RETRY_MAX_S = 0.5, 30.0
_LOADERS_MAX = 4

OnLoad = Callable[[str, str], None]  # model, outcome: "ok" or "failed"


class ServedLine:
    """One model: its file, where its line stands, and the version that answers.

    Attributes:
        state: The newest that was read; None before the first look.
        loaded: What answers; None before the first load.
        problems: What the reader has found and not obeyed, and why the last load failed.
    """

    def __init__(self, model_file: ModelFile, store: Store, verifier: Verifier) -> None:
        self.model_file = model_file
        self.name = model_file.name
        self.line = Line(model_file.name)
        self.state: LineState | None = None
        self.loaded: Loaded | None = None
        self.load_problem: str | None = None
        self.obeyed_seq = 0
        self._reader = LineReader(
            store, verifier, self.line, segment_bytes_max=model_file.checkpoint.max_bytes
        )
        self._retry_s = _RETRY_FIRST_S
        self._failed_id: str | None = None
        self._retry_at = 0.0

    def answering(self) -> Loaded:
        """The version that answers.

        Raises:
            Problem: None is loaded yet.
        """
        if self.loaded is None:
            doubts = self.state.problems if self.state else ()
            doubt = f"what stands there is not believed: {doubts[0]}" if doubts else None
            why = self.load_problem or doubt or "the learner has not committed one yet"
            raise Problem(503, "not_ready", f"{self.name} has no version loaded: {why}")
        return self.loaded

    def known(self) -> LineState:
        """Where the line stands, once it has a version.

        Raises:
            Problem: It has none, or has not been read yet.
        """
        if self.state is None or self.state.head is None:
            if self.state is not None and self.state.problems:
                raise Problem(503, "not_ready", f"{self.name}: {self.state.problems[0]}")
            why = "the store has not answered yet" if self.state is None else "it has no version"
            raise Problem(503, "not_ready", f"{self.name}: {why}; `weir learn --new` begins one")
        return self.state

    def look(self, position: Position) -> None:
        """Take in where the line stands. Blocks on the store when something moved."""
        state = self._reader.at(position)
        known = {str(problem) for problem in self.state.problems} if self.state else set()
        for problem in state.problems:
            if str(problem) not in known:
                log.error("%s: not obeyed: %s", self.line, problem)
        for warning in state.warnings:
            log.error("%s: %s", self.line, warning)
        self.state = state
        self._settle()

    @property
    def refusals(self) -> int:
        """How many different things in the store were not believed, or odd."""
        return self._reader.refusals

    @property
    def wants_load(self) -> bool:
        """Whether another version than the loaded one is to be served, and may be tried now."""
        wanted = self.state.serving if self.state else None
        if wanted is None or (self.loaded and self.loaded.version.id == wanted.id):
            return False
        return wanted.id != self._failed_id or time.monotonic() >= self._retry_at

    def load(self, scratch: Path) -> str:
        """Load what is to be served; on failure keep the old. Runs on a thread of its own.

        Returns:
            The outcome, "ok" or "failed".
        """
        wanted = self.state.serving if self.state else None
        assert wanted is not None
        try:
            self.loaded = load(self._reader, wanted, self.model_file, scratch)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._back_off(wanted.id, error)
            return "failed"
        self.load_problem, self._failed_id, self._retry_s = None, None, _RETRY_FIRST_S
        self._settle()
        return "ok"

    def _back_off(self, version_id: str, error: BaseException) -> None:
        is_again = version_id == self._failed_id
        self._retry_s = min(self._retry_s * 2, _RETRY_MAX_S) if is_again else _RETRY_FIRST_S
        self._failed_id, self._retry_at = version_id, time.monotonic() + self._retry_s
        self.load_problem = f"{type(error).__name__}: {error}"
        old = self.loaded.name if self.loaded else "nothing"
        log.error("%s: not loaded, %s goes on serving: %s", self.line, old, self.load_problem)

    def _settle(self) -> None:
        """Operators wait until we say that we serve what they ordered."""
        state, loaded = self.state, self.loaded
        if state is None or state.serving is None or loaded is None:
            return
        if loaded.version.id == state.serving.id:
            self.obeyed_seq = max(self.obeyed_seq, state.control_seq)


class Served:
    """All lines of this process.

    Args:
        model_files: Of the models to serve.
        store: Where their versions are.
        verifier: Whose records are believed.
        on_load: Told of every load.
        clock_ms: Unix, UTC.

    Attributes:
        is_draining: The process is about to end, and should not be asked any more.
        store_problem: Why the store has never answered yet.
    """

    def __init__(
        self,
        model_files: Iterable[ModelFile],
        store: Store,
        verifier: Verifier,
        *,
        on_load: OnLoad,
        clock_ms: Callable[[], int],
    ) -> None:
        self.store_problem: CheckpointError | None = None
        self.lines = {file.name: ServedLine(file, store, verifier) for file in model_files}
        self.is_draining = False
        self._store, self._on_load, self._clock_ms = store, on_load, clock_ms
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._following: asyncio.Task[None] | None = None
        self._is_away = False
        self._beaten_at = 0.0
        self._beaten: dict[str, object] = {}

    def line(self, name: str) -> ServedLine:
        """The line of model `name`.

        Raises:
            Problem: This process does not serve it.
        """
        found = self.lines.get(name)
        if found is None:
            known = ", ".join(sorted(self.lines))
            raise Problem(404, "not_found", f"no model {name[:100]!r} is served here, but {known}")
        return found

    @property
    def not_ready(self) -> Sequence[str]:
        """Models that cannot answer yet."""
        return [line.name for line in self.lines.values() if line.loaded is None]

    @property
    def failure(self) -> BaseException | None:
        """The fault of ours that ended following, if one did: this process should end, too."""
        task = self._following
        return task.exception() if task and task.done() and not task.cancelled() else None

    @contextlib.asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Follow the store while the body runs."""
        with (
            ThreadPoolExecutor(1, thread_name_prefix="look") as looker,
            ThreadPoolExecutor(_LOADERS_MAX, thread_name_prefix="load") as loaders,
            private_folder(None) as scratch,
        ):
            self._following = asyncio.create_task(self._follow(looker, loaders, scratch))
            try:
                yield
            finally:
                self._following.cancel()
                await asyncio.gather(
                    self._following, *self._loading.values(), return_exceptions=True
                )
                with contextlib.suppress(CheckpointError):
                    await asyncio.get_running_loop().run_in_executor(looker, self._say_goodbye)

    async def _follow(
        self, looker: ThreadPoolExecutor, loaders: ThreadPoolExecutor, scratch: Path
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(looker, self._look)
            except CheckpointError as error:
                self._heard_nothing(error)
                await asyncio.sleep(_AWAY_S)
                continue
            if self._is_away:
                log.info("the store answers")
            self._is_away, self.store_problem = False, None
            for line in self.lines.values():
                if line.name not in self._loading and line.wants_load:
                    self._loading[line.name] = loop.create_task(self._load(line, loaders, scratch))
            await asyncio.sleep(LOOK_S)

    async def _load(self, line: ServedLine, loaders: ThreadPoolExecutor, scratch: Path) -> None:
        loop = asyncio.get_running_loop()
        try:
            outcome = await loop.run_in_executor(loaders, line.load, scratch)
            self._on_load(line.name, outcome)
        finally:
            del self._loading[line.name]

    def _heard_nothing(self, error: CheckpointError) -> None:
        log.warning("%s; what is loaded goes on answering", error)
        if all(line.state is None for line in self.lines.values()):
            self.store_problem = error
        self._is_away = True

    def _look(self) -> None:
        """One look at the store, and a word to those who wait for us."""
        positions = self._store.poll([line.line for line in self.lines.values()])
        for line in self.lines.values():
            line.look(positions[line.line])
        is_due = time.monotonic() - self._beaten_at >= BEAT_S
        for line in self.lines.values():
            place = (line.obeyed_seq, line.loaded and line.loaded.version.id)
            if is_due or self._beaten.get(line.name) != place:
                self._beat(line, state="serving")
                self._beaten[line.name] = place
        if is_due:
            self._beaten_at = time.monotonic()

    def _beat(self, line: ServedLine, *, state: str, ttl_s: float = _BEAT_TTL_S) -> None:
        loaded = line.loaded
        payload = {
            "state": state,
            "control_seq": line.obeyed_seq,
            "serving": loaded.version.number if loaded else None,
            "at_ms": self._clock_ms(),
            "pid": os.getpid(),
        }
        serving = loaded.version.id if loaded and state == "serving" else None
        self._store.beat(
            line.line, role="api", name=self._name, payload=payload, ttl_s=ttl_s, serving=serving
        )

    def _say_goodbye(self) -> None:
        for line in self.lines.values():
            self._beat(line, state="stopped", ttl_s=1.0)
