"""`weir dev` on a disk that is full: it says so, keeps what it has, and goes on."""

import asyncio
from pathlib import Path

import pytest

from config.processes.roll_call import Roll
from stream.dev.disk_watch import FULL_BYTES, Level, level_of
from stream.dev.plan import DevPlan
from stream.dev.run import _Telling
from tests.config.processes.waiting import soon
from tests.config.test_files import no_room

GIB = 1 << 30


def plan_in(directory: Path) -> DevPlan:
    return DevPlan(
        directory=directory, api="http://127.0.0.1:1", kafka="127.0.0.1:2",
        redis="redis://127.0.0.1:3/0", metrics={}, specs=(), demo=None,
    )  # fmt: skip


def test_dev_json_is_written_when_there_is_room_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until then the old one stays; what is written is the newest; both are said once."""
    found = plan_in(tmp_path)
    telling = _Telling(found, [])

    async def run() -> None:
        telling(Roll(pids={"api": 1}, starting=("learner:a",)))
        with no_room():
            telling(Roll(pids={"api": 2}, starting=("learner:a",)))
            telling(Roll(pids={"api": 3}, starting=("learner:a",)))
            await asyncio.sleep(0.1)
            assert '"api": 1' in found.file.read_text()
        await soon(lambda: '"api": 3' in found.file.read_text(), what="written")

    asyncio.run(run())
    said = capsys.readouterr()
    first, second = said.err.splitlines()
    assert f"no room for {found.file}" in first
    assert second == f"weir | there is room again: {found.file} is written"
    assert "Weir is up" not in said.out


@pytest.mark.parametrize(
    ("free", "share", "was", "expected"),
    [
        (50 * GIB, 0.5, Level.ROOM, Level.ROOM),
        (50 * GIB, 0.05, Level.ROOM, Level.LOW),
        (FULL_BYTES - 1, 0.5, Level.ROOM, Level.FULL),  # of a small disk
        (FULL_BYTES + 1, 0.01, Level.FULL, Level.FULL),
        (GIB, 0.01, Level.FULL, Level.LOW),
        (GIB, 0.5, Level.FULL, Level.ROOM),
    ],
)
def test_a_disk_is_called_full_before_its_servers_find_out(
    free: int, share: float, was: Level, expected: Level
) -> None:
    """And not called otherwise with each record."""
    assert level_of(free, share, was=was) is expected
