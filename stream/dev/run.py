"""`weir dev`: plan, run under the supervisor, say where everything is, and end in order."""

import asyncio
import contextlib
import json
import logging
import shlex
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from checkpoints.errors import StoreUnavailable
from checkpoints.reading.reader import LineReader
from checkpoints.reading.views import model_view
from checkpoints.records.line import Line
from checkpoints.records.manifest import open_version
from checkpoints.records.signing import Verifier, make_keys
from checkpoints.stores.contract import Store
from config.files import NoRoomError
from config.model_file import ModelFile
from config.processes.child import DataDirLock
from config.processes.roll_call import Roll
from config.processes.supervisor import Supervisor
from config.settings import Settings
from config.text.addresses import without_password
from stream.dev.disk_watch import DiskWatch
from stream.dev.plan import DevPlan, DrainCheck, StoreAt, plan, this_program

log = logging.getLogger(__name__)

_DRAIN_LOOK_S = 0.3
_DRAIN_QUIET_S = 2.0
_FULL_AGAIN_S = 2.0
_LOOKS = ("versions", "drifts", "status")  # what a newcomer does next


def run_dev(
    settings: Settings,
    models: Mapping[Line, tuple[Path, ModelFile]],
    *,
    port: int,
    kafka_port: int,
    demo: str | None,
    exit_after_drain: bool,
    store_at: StoreAt,
) -> int:
    """Run until a signal, or until drained; the exit code.

    A learner that ends for good ends alone where others learn. Drained, the code is then its own.

    Args:
        models: The model files with their paths.
        store_at: To see when learners are up, and what is learned.

    Raises:
        ProcessError, JarsError: What to do is in the message.
    """
    with DataDirLock(settings.data_dir):
        found = plan(
            settings,
            {line: path for line, (path, _) in models.items()},
            program=this_program(),
            port=port,
            kafka_port=kafka_port,
            demo=demo,
            store_at=store_at,
        )
        found.file.unlink(missing_ok=True)
        names = ", ".join(spec.name for spec in found.specs)
        _say(f"starting {names} in {found.directory}")
        try:
            topics = {line: file.topics.events for line, (_, file) in models.items()}
            return asyncio.run(_run(found, topics, store_at, exit_after_drain))
        finally:
            found.file.unlink(missing_ok=True)
            _say(f"stopped; state in {found.directory}")


async def _run(
    found: DevPlan,
    topics: Mapping[Line, str],
    store_at: StoreAt,
    exit_after_drain: bool,
) -> int:
    told = _Telling(found, topics)
    supervisor = Supervisor(found.specs, on_change=told, on_lost=found.lose)
    beside = [asyncio.create_task(DiskWatch(found.directory, _say).run())]
    if exit_after_drain:
        drained = _end_when_drained(found, topics, store_at(found.redis), supervisor)
        beside.append(asyncio.create_task(drained))
    try:
        return await supervisor.run()
    finally:
        for task in beside:
            task.cancel()


class _Telling:
    """Tells in `dev.json` how the children stand, and on stdout, once they stand, where they are.

    Where the disk has no room for the file, the old one stays, and it is tried again.
    """

    def __init__(self, found: DevPlan, topics: Mapping[Line, str]) -> None:
        self._found, self._topics = found, topics
        self._is_announced = self._is_full = False
        self._again: asyncio.TimerHandle | None = None

    def __call__(self, roll: Roll) -> None:
        self._write(roll)
        if self._is_announced or roll.starting:
            return
        self._is_announced = True
        _announce(self._found, self._topics, roll.failing)

    def _write(self, roll: Roll) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None
        try:
            self._found.write(roll)
        except NoRoomError as error:
            if not self._is_full:
                _say(f"{error}; commands see what stood in it before, the rest goes on, and it is "
                     f"tried again every {_FULL_AGAIN_S:g} s")  # fmt: skip
            self._is_full = True
            self._again = asyncio.get_running_loop().call_later(_FULL_AGAIN_S, self._write, roll)
            return
        if self._is_full:
            _say(f"there is room again: {self._found.file} is written")
        self._is_full = False


async def _end_when_drained(
    found: DevPlan, topics: Mapping[Line, str], store: Store, supervisor: Supervisor
) -> None:
    """Stop everything when all that was sent is learned, and print where each model stands."""
    heads = _CommittedHeads(store, make_keys(found.directory / "keys").verifier)
    drain = DrainCheck(
        topics,
        committed=lambda line: heads.offsets(line, topics[line]),
        ends=lambda line: _ends(found.kafka, topics[line]),
        lost=found.lost,
        is_sending=lambda: found.producer is not None and not supervisor.is_done(found.producer),
        quiet_s=0.0 if found.demo else _DRAIN_QUIET_S,
    )
    told = None
    while told is None:
        await asyncio.sleep(_DRAIN_LOOK_S)
        if found.file.exists() and not supervisor.roll.starting:
            told = await asyncio.to_thread(_told_if_drained, drain, heads, topics)
    print(told, end="", flush=True)
    supervisor.stop(next(iter(found.lost.values()), 0))


def _told_if_drained(
    drain: DrainCheck, heads: "_CommittedHeads", topics: Mapping[Line, str]
) -> str | None:
    """Once all is learned, a line for each model that has a version."""
    try:
        if not drain.is_done():
            return None
        found = [heads.status(line) for line in topics]
    except (KafkaError, StoreUnavailable, OSError) as error:
        log.warning("cannot tell whether all is learned: %s", error)
        return None
    return "".join(json.dumps(status) + "\n" for status in found if status is not None)


class _CommittedHeads:
    """The committed heads, as the command line tells them."""

    def __init__(self, store: Store, verifier: Verifier) -> None:
        self._store, self._verifier = store, verifier

    def offsets(self, line: Line, topic: str) -> Mapping[str, int]:
        """Next offset of each of the topic's partitions; empty before the first commit."""
        envelope = self._store.head(line)
        if envelope is None:
            return {}
        return open_version(envelope, self._verifier, line).manifest.offsets.get(topic, {})

    def status(self, line: Line) -> Any:
        """What `weir status` prints; None of a model that was never begun."""
        state = LineReader(self._store, self._verifier, line).state()
        if state.head is None:
            return None
        return model_view(state, now_ms=time.time_ns() // 1_000_000)


def _ends(address: str, topic: str) -> Mapping[str, int]:
    """The end offset of each partition."""
    with closing(KafkaAdminClient(bootstrap_servers=address)) as admin:
        described = admin.describe_topics([topic])[0]
        partitions = [p["partition_index"] for p in described["partitions"]]
        specs = {TopicPartition(topic, p): OffsetSpec.LATEST for p in partitions}
        found = admin.list_partition_offsets(specs)
    return {str(key.partition): value.offset for key, value in found.items()}


def _say(what: str) -> None:
    with contextlib.suppress(OSError):  # its reader is gone, or the disk is full
        print(f"weir | {what}", file=sys.stderr, flush=True)


def _announce(found: DevPlan, topics: Mapping[Line, str], failing: Mapping[str, str]) -> None:
    """The links, on stdout: what a newcomer does next."""
    here, folder = Path.cwd(), found.directory
    near = folder.relative_to(here) if folder.is_relative_to(here) else folder
    there = "" if near == Settings().data_dir else f" --data-dir {shlex.quote(str(near))}"
    lines = (
        "",
        "  Weir is up. Ctrl-C stops it; the same command starts it again where it was.",
        "",
        f"  Dashboard   {found.api}/ui",
        f"  API         {found.api}",
        f"  API docs    {found.api}/docs",
        f"  Kafka       {found.kafka}    (events: {', '.join(dict.fromkeys(topics.values()))})",
        f"  Redis       {without_password(found.redis)}",
        f"  data        {found.directory}",
        *(
            f"  NOT LEARNING  {model}: its learner ended with code {code}; its last line says why"
            for model, code in found.lost.items()
        ),
        *(
            f"  NOT LEARNING  {name.partition(':')[2]}: its learner {how}; it is tried again"
            for name, how in failing.items()
        ),
        "",
        *("  " + (" " * 8).join(f"weir {it} {line}{there}" for it in _LOOKS) for line in topics),
        "",
    )
    with contextlib.suppress(OSError):  # its reader is gone, or the disk that it goes to is full
        print("\n".join(lines), flush=True)
