"""Messages between the loader and a worker, over a socket that neither of them ever waits for.

Both are one program of one user, so what comes over it is as trusted as the program's own memory.
"""

import socket
import struct
from multiprocessing.reduction import ForkingPickler
from typing import Any

_LENGTH = struct.Struct("!I")
_PENDING_MAX = 256 << 20  # bytes that the other side has not taken
_PART = 1 << 18


class LinkLostError(Exception):
    """The other side has gone, or takes nothing any more."""


class Link:
    """One end.

    >>> ours, theirs = link_pair()
    >>> ours.post({"a": 1}); ours.post("b"); theirs.read()
    [{'a': 1}, 'b']
    >>> ours.close(); theirs.read()
    Traceback (most recent call last):
    api.link.LinkLostError: the other side has ended
    >>> theirs.close()
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._out, self._in = bytearray(), bytearray()

    def fileno(self) -> int:
        """Readable when there is a message, or nobody on the other side."""
        return self._end.fileno()

    @property
    def is_pending(self) -> bool:
        """Whether something is still to be sent: call `flush` when the socket is writable."""
        return bool(self._out)

    def post(self, message: Any) -> None:
        """Send `message`, now or by a later `flush`.

        Raises:
            LinkLostError: Nobody takes it.
        """
        content = bytes(ForkingPickler.dumps(message))
        self._out += _LENGTH.pack(len(content)) + content
        if len(self._out) > _PENDING_MAX:
            raise LinkLostError("the other side takes nothing")
        self.flush()

    def flush(self) -> None:
        """Send what the socket takes.

        Raises:
            LinkLostError: Nobody takes it.
        """
        while self._out:
            try:
                sent = self._end.send(self._out)
            except BlockingIOError:
                return
            except OSError as error:
                raise LinkLostError(f"the other side is lost: {error}") from error
            del self._out[:sent]

    def read(self) -> list[Any]:
        """The messages that have arrived whole.

        Raises:
            LinkLostError: The other side has ended, and all that it said was read before.
        """
        has_ended = self._fill()
        found = []
        while len(self._in) >= _LENGTH.size:
            end = _LENGTH.size + _LENGTH.unpack_from(self._in)[0]
            if len(self._in) < end:
                break
            found.append(ForkingPickler.loads(bytes(self._in[_LENGTH.size : end])))
            del self._in[:end]
        if has_ended and not found:
            raise LinkLostError("the other side has ended")
        return found

    def close(self) -> None:
        """End it; the other side notices."""
        self._end.close()

    def _fill(self) -> bool:
        """Take in what has arrived; whether the other side has ended."""
        while True:
            try:
                part = self._end.recv(_PART)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                return True
            if not part:
                return True
            self._in += part


def link_pair() -> tuple[Link, Link]:
    """Two ends of one link."""
    ours, theirs = socket.socketpair()
    return Link(ours), Link(theirs)
