"""A channel between two processes of one program: whole messages, in order, over a socket pair.

Both ends are of one user and one fork, so what comes over it is as trusted as the program's own
memory. Where two processes send to each other, one of them must `post` and never `send`, or the two
could wait for each other.
"""

import select
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

M = TypeVar("M")

_LENGTH = struct.Struct("<I")
_READ_BYTES = 1 << 20
_BUFFER_BYTES = 4 << 20
# A process that takes nothing any more is as good as gone.
_UNSENT_BYTES_MAX = 1 << 30


class ChannelClosedError(Exception):
    """The other process is gone, or takes nothing any more."""


class Channel(Generic[M]):
    """One end.

    Args:
        encode: The bytes of a message.
        decode: The message of these bytes.

    >>> one, other = pair(str.encode, bytes.decode)
    >>> one.send("first"); one.post("second"); other.receive(1.0)
    ['first', 'second']
    >>> one.close(); other.receive(1.0)
    Traceback (most recent call last):
    config.processes.channel.ChannelClosedError: the other process has ended
    >>> other.close()
    """

    def __init__(
        self, end: socket.socket, encode: Callable[[M], bytes], decode: Callable[[bytes], M]
    ) -> None:
        self._socket, self._encode, self._decode = end, encode, decode
        end.setblocking(False)
        self._received = bytearray()
        self._unsent: deque[memoryview] = deque()
        self._unsent_bytes = 0

    def fileno(self) -> int:
        """For `select`."""
        return self._socket.fileno()

    def close(self) -> None:
        """The other end then raises ChannelClosedError once it has read what was sent."""
        self._socket.close()

    @property
    def has_unsent(self) -> bool:
        """Whether `post`ed bytes still wait for room."""
        return bool(self._unsent)

    def send(self, message: M) -> None:
        """Send, waiting for room as long as it takes.

        Raises:
            ChannelClosedError: The other process is gone.
        """
        self.post(message)
        while self._unsent:
            self._wait(select.POLLOUT)
            self.flush()

    def post(self, message: M) -> None:
        """Send as much as there is room for; `flush` sends the rest.

        Raises:
            ChannelClosedError: The other process is gone, or has let a gibibyte pile up.
        """
        payload = self._encode(message)
        self._unsent.append(memoryview(_LENGTH.pack(len(payload)) + payload))
        self._unsent_bytes += len(self._unsent[-1])
        if self._unsent_bytes > _UNSENT_BYTES_MAX:
            raise ChannelClosedError("the other process takes nothing")
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent[0])
                self._unsent_bytes -= sent
                if sent == len(self._unsent[0]):
                    self._unsent.popleft()
                else:
                    self._unsent[0] = self._unsent[0][sent:]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ChannelClosedError(f"the other process is lost: {error}") from error

    def receive(self, timeout_s: float = 0.0) -> list[M]:
        """What has come; waits up to `timeout_s` for something.

        Raises:
            ChannelClosedError: The other process is gone, and all it sent was returned before.
        """
        return [self._decode(payload) for payload in self.payloads(timeout_s)]

    def payloads(self, timeout_s: float = 0.0) -> list[bytes]:
        """The same, to be decoded when each is needed: read long before, what is decoded would have
        left the processor's cache again.
        """
        if timeout_s > 0.0:
            self._wait(select.POLLIN, timeout_s * 1_000)
        try:
            read = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except ConnectionResetError as error:
            raise ChannelClosedError(f"the other process is lost: {error}") from error
        if not read:
            raise ChannelClosedError("the other process has ended")
        self._received += read
        return self._whole()

    def _wait(self, until: int, timeout_ms: float | None = None) -> None:
        """Wait until it is ready: by select(2) no file beyond the 1,024th could be waited for."""
        poll = select.poll()
        poll.register(self._socket, until)
        poll.poll(timeout_ms)

    def _whole(self) -> list[bytes]:
        """The messages that are complete."""
        buffer, at, found = self._received, 0, []
        while len(buffer) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(buffer, at)
            end = at + _LENGTH.size + length
            if end > len(buffer):
                break
            found.append(bytes(memoryview(buffer)[at + _LENGTH.size : end]))
            at = end
        if at:
            del buffer[:at]
        return found


def pair(
    encode: Callable[[M], bytes], decode: Callable[[bytes], M]
) -> tuple[Channel[M], Channel[M]]:
    """Both ends of a new channel."""
    one, other = socket.socketpair()
    for end in (one, other):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    return Channel(one, encode, decode), Channel(other, encode, decode)
