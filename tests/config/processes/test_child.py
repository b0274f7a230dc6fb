"""Ports, the data directory's lock, and a server run without a supervisor."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config.processes.child import (
    DataDirHeldError,
    DataDirLock,
    NotReadyError,
    PortTakenError,
    ProcessSpec,
    ServerProcess,
    chosen_ports,
    free_port,
    free_ports,
)
from tests.config.processes.waiting import is_running, until

HOLDER = """
import sys
from pathlib import Path
from config.processes.child import DataDirLock

lock = DataDirLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_taken_ports_are_told_together_each_with_its_option() -> None:
    """The whole message is one line that says what to do."""
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        first, second = one.getsockname()[1], two.getsockname()[1]
        with pytest.raises(PortTakenError) as taken:
            chosen_ports({"--port": first, "--kafka-port": second, "--other": 0})

    assert str(taken.value) == (
        f"port {first} is taken: choose another with --port (0: any that is free); "
        f"port {second} is taken: choose another with --kafka-port (0: any that is free)"
    )


def test_a_free_port_is_taken_as_asked() -> None:
    """What was asked for is what is used."""
    port = free_port()

    assert chosen_ports({"--port": port}) == {"--port": port}


def test_one_holder_of_a_data_directory(tmp_path: Path) -> None:
    """A second one is told whose it is; after kill -9 of the first it is free."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"

    with pytest.raises(DataDirHeldError, match=f"{tmp_path} is in use by process {holder.pid}:"):
        DataDirLock(tmp_path)

    holder.kill()
    holder.communicate()
    with DataDirLock(tmp_path):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_a_released_directory_can_be_taken_again(tmp_path: Path) -> None:
    """A made directory is the user's own; the lock goes with `with`."""
    directory = tmp_path / "new" / "deep"
    with DataDirLock(directory), pytest.raises(DataDirHeldError):
        DataDirLock(directory)
    with DataDirLock(directory):
        assert directory.stat().st_mode & 0o777 == 0o700


def _shell(script: str, cwd: Path, ready_file: str = "ready") -> ServerProcess:
    spec = ProcessSpec(
        name="server",
        argv=("/bin/sh", "-c", script),
        env={"PATH": os.environ["PATH"]},
        cwd=cwd,
        ready=(cwd / ready_file).exists,
        still_max_s=0.3,
        stop_timeout_s=0.2,
    )
    return ServerProcess(spec, log=cwd / "log")


def test_a_server_that_ends_early_says_its_last_words(tmp_path: Path) -> None:
    """The error carries what the server said last."""
    server = _shell("echo no room >&2; exit 3", tmp_path)

    with pytest.raises(NotReadyError, match=r"server ended with code 3 .*: no room"):
        server.start()


def test_a_server_that_hangs_is_not_left_behind(tmp_path: Path) -> None:
    """One that does nothing any more is killed."""
    server = _shell("echo $$; exec sleep 60", tmp_path)

    with pytest.raises(NotReadyError, match=r"not ready and stood still for 0\.3 s"):
        server.start()

    assert not is_running(int((tmp_path / "log").read_text()))


def test_stop_kills_who_does_not_listen(tmp_path: Path) -> None:
    """And stopping what does not run is nothing."""
    server = _shell("trap '' TERM; touch ready; while :; do sleep 0.02; done", tmp_path)
    server.start()
    pid = server.pid

    server.stop()
    server.stop()

    assert not is_running(pid)


def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    """A test run that is killed leaves no server."""
    program = (
        "import sys, time; from pathlib import Path\n"
        "from tests.config.processes.test_child import _shell\n"
        "server = _shell('touch ready; exec sleep 60', Path(sys.argv[1])); server.start()\n"
        "print(server.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_running(pid)

    parent.send_signal(signal.SIGKILL)

    until(lambda: not is_running(pid), what="the server is gone")
    parent.communicate()


def test_no_port_is_found_twice() -> None:
    """Nor one of those that stand behind another: who is to have it may not listen yet."""
    found = [free_port() for _ in range(500)]
    first = free_ports(50)
    assert len({*found, *range(first, first + 50)}) == len(found) + 50
