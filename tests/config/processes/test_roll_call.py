"""Pids that a child names itself: told soon, never of a process that is not there."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from config.processes.child import ProcessSpec
from config.processes.roll_call import Parts, Roll, RollCall, read_parts, write_parts
from config.processes.supervisor import Supervisor
from tests.config.processes.waiting import is_running, soon

# Keeps a source and a learner, names them, and starts again what has ended; a file `mute` lets it
# leave an ended one unnamed and unburied.
KEEPER = """
import subprocess, sys, time
from pathlib import Path
from config.processes.roll_call import Parts, write_parts

where, names = Path(sys.argv[1]), sys.argv[2:]
def begin():
    return subprocess.Popen(["sleep", "600"])
kept = {name: begin() for name in names}
while True:
    write_parts(where, Parts(pids={name: process.pid for name, process in kept.items()}))
    while where.with_name("mute").exists() or all(p.poll() is None for p in kept.values()):
        time.sleep(0.01)
    kept = {name: p if p.poll() is None else begin() for name, p in kept.items()}
"""


def keeper(tmp_path: Path, *names: str, name: str = "keeper:m") -> ProcessSpec:
    """A child with children of its own, under these names."""
    where = tmp_path / "parts.json"
    return ProcessSpec(
        name=name,
        argv=(sys.executable, "-c", KEEPER, str(where), *names),
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        cwd=tmp_path,
        ready=where.exists,
        parts=where,
    )


class Run:
    """One supervised child and what was told of it."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.told: list[Mapping[str, int]] = []
        self.output = io.StringIO()
        self.supervisor = Supervisor([spec], on_change=self.tell, output=self.output)

    def tell(self, roll: Roll) -> None:
        pids = roll.pids
        assert all(map(is_running, pids.values())), pids
        self.told.append(pids)

    def __call__(self, during: Callable[[], Awaitable[None]]) -> int:
        async def then_stop() -> None:
            try:
                await soon(lambda: bool(self.told), what="ready")
                await during()
            finally:
                self.supervisor.stop()

        async def both() -> int:
            code, _ = await asyncio.gather(self.supervisor.run(), then_stop())
            return code

        return asyncio.run(both())


def test_parts_are_told_beside_the_child_and_again_when_they_change(tmp_path: Path) -> None:
    """By the file that changed, before the look at those that did not, and without a moment in
    which a name is missing.
    """
    run = Run(keeper(tmp_path, "learner:m", "source:m"))

    async def during() -> None:
        first = run.told[-1]
        assert first.keys() == {"keeper:m", "learner:m", "source:m"}
        os.kill(first["learner:m"], signal.SIGKILL)
        await soon(lambda: named(tmp_path) != first["learner:m"], what="named anew")
        written = time.monotonic()
        await soon(lambda: run.told[-1] != first, what="told anew")
        assert time.monotonic() - written < 0.8
        assert run.told[-1] == {**first, "learner:m": named(tmp_path)}

    assert run(during) == 0
    assert not any(is_running(pid) for pids in run.told for pid in pids.values())


def named(tmp_path: Path) -> Any:
    return json.loads((tmp_path / "parts.json").read_bytes())["pids"]["learner:m"]


def test_a_part_of_the_childs_name_stands_for_it(tmp_path: Path) -> None:
    """One process a name."""
    run = Run(keeper(tmp_path, "learner:m", name="learner:m"))

    async def during() -> None:
        assert run.told[-1] == {"learner:m": named(tmp_path)}

    assert run(during) == 0


def test_a_dead_part_is_not_told_though_its_name_is_written(tmp_path: Path) -> None:
    """Not even while it is a zombie."""
    run = Run(keeper(tmp_path, "learner:m", "source:m"))

    async def during() -> None:
        first = run.told[-1]
        (tmp_path / "mute").touch()
        os.kill(first["source:m"], signal.SIGKILL)
        await soon(lambda: run.told[-1] != first, what="told anew")
        assert run.told[-1] == {name: first[name] for name in ("keeper:m", "learner:m")}

    assert run(during) == 0


def test_parts_go_with_their_child_and_come_back_with_it(tmp_path: Path) -> None:
    """A file of its life before names nobody in the next."""
    run = Run(keeper(tmp_path, "learner:m"))

    async def during() -> None:
        first = run.told[-1]
        os.kill(first["keeper:m"], signal.SIGKILL)
        await soon(lambda: "learner:m" not in run.told[-1], what="dropped")
        await soon(lambda: "learner:m" in run.told[-1], what="told again")
        assert not set(first.values()) & set(run.told[-1].values())

    assert run(during) == 0


def test_a_child_that_writes_no_file_is_told_as_ever(tmp_path: Path) -> None:
    """There need not be any parts."""
    spec = ProcessSpec(
        name="keeper:m",
        argv=("sleep", "600"),
        env={"PATH": os.environ["PATH"]},
        cwd=tmp_path,
        parts=tmp_path / "parts.json",
    )
    run = Run(spec)

    async def during() -> None:
        assert run.told[-1].keys() == {"keeper:m"}

    assert run(during) == 0


def test_a_file_that_cannot_be_right_is_said_once(tmp_path: Path) -> None:
    """And names nobody."""
    run = Run(keeper(tmp_path, "learner:m"))

    async def during() -> None:
        (tmp_path / "parts.json").write_text('{"pids": {"learner:m": "one"}}')
        await soon(lambda: run.told[-1].keys() == {"keeper:m"}, what="told anew")

    assert run(during) == 0
    assert run.output.getvalue().count("its parts are not known") == 1


NO_PARTS = (
    *("", "[]", "3", "{}", '{"a": 7}', '{"pids": 7}'),
    *('{"pids": {"a": true}}', '{"pids": {"a": -1}}', '{"pids": {"a": 1e3}}'),
    *('{"pids": {}, "lost": {"a": 1}}', '{"pids": {}, "failing": {"a": 1}}'),
)


@pytest.mark.parametrize("text", [*NO_PARTS, "\xff"])
def test_what_is_no_list_of_parts_is_refused(tmp_path: Path, text: str) -> None:
    """Whatever a child may have written there."""
    where = tmp_path / "parts.json"
    where.write_text(text, encoding="latin-1")

    with pytest.raises(ValueError, match=r"."):
        read_parts(where, os.getpid())


def test_a_stranger_is_no_part(tmp_path: Path) -> None:
    """A pid that another session has, or nobody."""
    where = tmp_path / "parts.json"
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as leader:
        pids = {"own": leader.pid, "stranger": os.getpid(), "nobody": 2**31 - 1}
        write_parts(where, Parts(pids=pids))
        assert read_parts(where, leader.pid).pids == {"own": leader.pid}
        leader.kill()


def test_a_change_is_told_once_it_stands() -> None:
    """What is gone for one look only is not told of."""
    now, told = {"a": 1}, []
    roll = RollCall(lambda: Roll(pids=dict(now)), lambda it: told.append(it.pids))
    roll.tell()

    now.clear()
    roll.look()
    now["a"] = 2
    roll.look()
    assert told == [{"a": 1}]
    roll.look()
    roll.look()
    assert told == [{"a": 1}, {"a": 2}]
