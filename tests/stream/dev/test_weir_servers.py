"""Kafka and Valkey under the supervisor, as `weir dev` runs them."""

import asyncio
import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import checkpoints.dev_server
import stream.dev.kafka_server
from config.processes.child import ProcessSpec, free_port
from config.processes.roll_call import Roll
from config.processes.supervisor import Supervisor
from stream.dev.jars import fetch_jars, user_cache
from tests.config.processes.waiting import is_running, soon, until

pytestmark = pytest.mark.usefixtures("starts_servers")


def servers(directory: Path) -> list[ProcessSpec]:
    """Both, prepared in `directory`."""
    redis = checkpoints.dev_server.prepare(
        directory / "redis", port=free_port(), server=checkpoints.dev_server.find_server()
    )
    kafka = stream.dev.kafka_server.prepare(
        directory / "kafka",
        port=free_port(),
        jars=fetch_jars(user_cache()),
        java=stream.dev.kafka_server.find_java(),
    )
    return [redis, kafka]


def test_both_come_back_after_kill(tmp_path: Path) -> None:
    """Killed, both serve again, and nothing is left of them after the stop.

    What Valkey says at each start of the machine's memory settings nobody is alarmed with.
    """
    specs = servers(tmp_path)
    told: list[Roll] = []
    output = io.StringIO()
    supervisor = Supervisor(
        specs, on_change=lambda roll: roll.starting or told.append(roll), output=output
    )

    async def during() -> None:
        try:
            await soon(lambda: bool(told), what="both ready")
            for pid in told[0].pids.values():
                os.kill(pid, signal.SIGKILL)
            await soon(lambda: not specs[1].is_ready(), what="down")
            await soon(lambda: all(spec.is_ready() for spec in specs), what="serving again")
        finally:
            supervisor.stop()

    async def both() -> int:
        code, _ = await asyncio.gather(supervisor.run(), during())
        return code

    code = asyncio.run(both())

    assert code == 0
    assert "redis | " in output.getvalue()
    assert "overcommit" not in output.getvalue()
    assert told[0].pids.keys() == told[-1].pids.keys() == {"redis", "kafka"}
    assert not any(is_running(pid) for roll in told for pid in roll.pids.values())


PROGRAM = """
import asyncio, sys
from pathlib import Path
from config.processes.roll_call import Roll
from config.processes.supervisor import Supervisor
from tests.stream.dev.test_weir_servers import servers

told = lambda roll: roll.starting or print(*roll.pids.values(), flush=True)
asyncio.run(Supervisor(servers(Path(sys.argv[1])), on_change=told).run())
"""


def test_kill_of_the_supervisor_leaves_no_server(tmp_path: Path) -> None:
    """And the next supervisor can work with what they left."""
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, str(tmp_path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 2

        process.kill()

        until(lambda pids=pids: not any(map(is_running, pids)), what="both servers gone")
        process.communicate()
