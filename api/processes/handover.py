"""Where connections come from, and where those go that a worker cannot keep.

The listening socket and the *passage* belong to all workers of a host. A worker that is to end
puts its open connections into the passage, each as soon as no request is under way on it, and
another takes them out: their clients notice nothing, and are not answered by an old version.
"""

import asyncio
import logging
import os
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger(__name__)

_LABEL = struct.Struct("!d?")
_PASSAGE_WAIT_S = 2.0
_BACKLOG = 2048
_PAUSE_S = 0.2


class AddressTakenError(Exception):
    """The API cannot listen where it should.

    Operator: choose another port (WEIR_API__PORT), or end what listens there.
    """

    exit_code = 1

    def __init__(self, host: str, port: int, cause: OSError) -> None:
        super().__init__(
            f"cannot listen on {host}:{port} ({cause.strerror}): choose another WEIR_API__PORT, or "
            "end what listens there"
        )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0: any free one.

    Raises:
        PortTakenError: It cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((host, port))
        door.listen(_BACKLOG)
    except OSError as error:
        door.close()
        raise AddressTakenError(host, port, error) from error
    door.setblocking(False)
    return door


@dataclass(frozen=True, slots=True)
class Rest:
    """What a connection waits for: a first or a next request, and until when (monotonic)."""

    until_s: float
    is_new: bool


class Guest(asyncio.Protocol, ABC):
    """A connection's protocol, as far as the door knows it."""

    @abstractmethod
    def settle(self, rest: Rest) -> None:
        """The connection was another process's before."""


class Passage:
    """A pair of sockets by which connections change from one process to another."""

    def __init__(self) -> None:
        self._way_in, self._way_out = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._way_in.settimeout(_PASSAGE_WAIT_S)
        self._way_out.setblocking(False)

    def fileno(self) -> int:
        """Readable when a connection waits to be taken."""
        return self._way_out.fileno()

    def put(self, connection: int, rest: Rest) -> None:
        """Hand over a copy of the connection.

        Raises:
            OSError: Nobody takes it.
        """
        socket.send_fds(self._way_in, [_LABEL.pack(rest.until_s, rest.is_new)], [connection])

    def take(self) -> tuple[socket.socket, Rest]:
        """The next.

        Raises:
            BlockingIOError: Another process was faster.
        """
        label, found, _, _ = socket.recv_fds(self._way_out, _LABEL.size, 1)
        return socket.socket(fileno=found[0]), Rest(*_LABEL.unpack(label))

    def close(self) -> None:
        """What is still in it is lost."""
        self._way_in.close()
        self._way_out.close()


class Reception:
    """Lets connections in, one at each turn of the loop, so that workers share them evenly.

    Args:
        make: Makes the protocol of a connection.
    """

    def __init__(
        self, door: socket.socket, passage: Passage | None, make: Callable[[], Guest]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._door, self._passage, self._make = door, passage, make
        self._arriving: set[asyncio.Task[None]] = set()
        self._is_open = True
        self._open_door()
        if passage is not None:
            self._loop.add_reader(passage.fileno(), self._take, passage)

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is on the way in."""
        return not self._is_open and not self._arriving

    async def quiet(self) -> None:
        """Wait for those that are on the way in."""
        if self._arriving:
            await asyncio.wait(self._arriving)

    def close(self) -> None:
        """Let nobody in any more."""
        self._is_open = False
        self._loop.remove_reader(self._door.fileno())
        if self._passage is not None:
            self._loop.remove_reader(self._passage.fileno())

    def _open_door(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._door.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._door.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:  # too many open files: those that wait will be let in later
            log.warning("no connection can be accepted: %s", error)
            self._loop.remove_reader(self._door.fileno())
            self._loop.call_later(_PAUSE_S, self._open_door)
            return
        self._let_in(connection, None)

    def _take(self, passage: Passage) -> None:
        try:
            connection, rest = passage.take()
        except BlockingIOError:
            return
        self._let_in(connection, rest)

    def _let_in(self, connection: socket.socket, rest: Rest | None) -> None:
        task = self._loop.create_task(self._meet(connection, rest))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _meet(self, connection: socket.socket, rest: Rest | None) -> None:
        connection.setblocking(False)
        _, guest = await self._loop.connect_accepted_socket(self._make, connection)
        if rest is not None:
            guest.settle(rest)


def copy_of(transport: asyncio.BaseTransport) -> int:
    """A descriptor of the connection that stays open when the transport is closed."""
    return os.dup(transport.get_extra_info("socket").fileno())
