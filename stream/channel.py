"""A channel between two processes of ours: whole messages, in order, over a socket pair.

The learner sends little and may wait for the source to read it; the source never waits for the
learner, or the two could wait for each other.
"""

import select
import socket
import struct
from collections import deque

from stream.messages import Message, decode, encode

_LENGTH = struct.Struct("<I")
_READ_BYTES = 1 << 20
_BUFFER_BYTES = 4 << 20


class ChannelClosedError(Exception):
    """The other process is gone."""


class Channel:
    """One end.

    >>> from stream.messages import Cleared
    >>> one, other = pair()
    >>> one.send(Cleared("ab"))
    >>> other.receive(1.0)
    [Cleared(version_id='ab')]
    >>> one.close(), other.close()
    (None, None)
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        end.setblocking(False)
        self._received = bytearray()
        self._unsent: deque[memoryview] = deque()

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

    def send(self, message: Message) -> None:
        """Send, waiting for room as long as it takes.

        Raises:
            ChannelClosedError: The other process is gone.
        """
        self.post(message)
        while self._unsent:
            select.select([], [self._socket], [])
            self.flush()

    def post(self, message: Message) -> None:
        """Send as much as there is room for; `flush` sends the rest."""
        payload = encode(message)
        self._unsent.append(memoryview(_LENGTH.pack(len(payload)) + payload))
        self.flush()

    def flush(self) -> None:
        """Send what waits, as far as there is room."""
        try:
            while self._unsent:
                sent = self._socket.send(self._unsent[0])
                if sent == len(self._unsent[0]):
                    self._unsent.popleft()
                else:
                    self._unsent[0] = self._unsent[0][sent:]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError) as error:
            raise ChannelClosedError from error

    def receive(self, timeout_s: float = 0.0) -> list[Message]:
        """What has come; waits up to `timeout_s` for something.

        Raises:
            ChannelClosedError: The other process is gone, and all it sent was returned before.
        """
        return [decode(payload) for payload in self.payloads(timeout_s)]

    def payloads(self, timeout_s: float = 0.0) -> list[bytes]:
        """The same, for `messages.decode` when each is needed: read long before, what is decoded
        would have left the processor's cache again.
        """
        if timeout_s > 0.0:
            select.select([self._socket], [], [], timeout_s)
        try:
            read = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except ConnectionResetError as error:
            raise ChannelClosedError from error
        if not read:
            raise ChannelClosedError
        self._received += read
        return self._whole()

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


def pair() -> tuple[Channel, Channel]:
    """Both ends of a new channel."""
    one, other = socket.socketpair()
    for end in (one, other):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    return Channel(one), Channel(other)
