"""One connection to a server: commands out, replies in, in their order, by hiredis.

A client library does more than is needed here, and takes longer to load than most commands to run.
"""

from __future__ import annotations

import functools
import select
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from hiredis import Reader, pack_command
from msgspec import Struct

if TYPE_CHECKING:
    import ssl

__all__ = ["Command", "ConnectionLost", "ErrorReply", "RedisAddress", "RedisError", "ReplyTimeout",
           "Wire", "read_url", "sound"]  # fmt: skip

T = TypeVar("T")
Command: TypeAlias = tuple[Any, ...]

_NOTHING = object()
_READ_BYTES = 1 << 16
_CONNECT_MAX_S = 2.0
# Of a connection's encryption, and what they may be; a file may be any.
_TLS_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "ssl_ca_certs": (),
    "ssl_cert_reqs": ("required", "none"),
    "ssl_certfile": (),
    "ssl_check_hostname": ("true", "false"),
    "ssl_keyfile": (),
}


class RedisError(Exception):
    """What was asked was not answered, or what was answered makes no sense."""


class ConnectionLost(RedisError):
    """There is no connection, or it has ended. What was asked may have been done."""


class ReplyTimeout(RedisError):
    """No reply came in time. What was asked may have been done."""


class ErrorReply(RedisError):
    """The server refused."""

    @property
    def code(self) -> str:
        """The first word of it, such as NOPERM.

        >>> ErrorReply("NOPERM this user has no permissions to run the 'info' command").code
        'NOPERM'
        """
        return str(self).partition(" ")[0]


class RedisAddress(Struct, frozen=True, kw_only=True, dict=True):
    """Where a server is, and who asks.

    Attributes:
        path: Of its Unix socket; then host and port mean nothing.
        tls: Options of the connection's encryption; None where it has none.
    """

    host: str
    port: int
    path: str | None
    database: int
    user: str
    password: str | None
    tls: Mapping[str, str] | None

    def connect(self, timeout_s: float) -> socket.socket:
        """A new connection."""
        if self.path is not None:
            return _unix_socket(self.path, timeout_s)
        found = socket.create_connection((self.host, self.port), timeout=timeout_s)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self.tls is not None:
            return self._encryption.wrap_socket(found, server_hostname=self.host)
        return found

    def greeting(self, client_name: str) -> list[Command]:
        """What is said first."""
        said: list[Command] = []
        if self.user or self.password is not None:
            names = (self.user,) if self.user else ()
            said.append(("AUTH", *names, self.password or ""))
        said.append(("CLIENT", "SETNAME", client_name))
        if self.database:
            said.append(("SELECT", self.database))
        return said

    @functools.cached_property
    def _encryption(self) -> ssl.SSLContext:
        import ssl  # here: few need it

        given = self.tls or {}
        context = ssl.create_default_context(cafile=given.get("ssl_ca_certs"))
        is_sure = given.get("ssl_cert_reqs", "required") == "required"
        context.check_hostname = is_sure and given.get("ssl_check_hostname", "true") == "true"
        context.verify_mode = ssl.CERT_REQUIRED if is_sure else ssl.CERT_NONE
        if "ssl_certfile" in given:
            context.load_cert_chain(given["ssl_certfile"], given.get("ssl_keyfile"))
        return context


def _unix_socket(path: str, timeout_s: float) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    found.settimeout(timeout_s)
    try:
        found.connect(path)
    except OSError:
        found.close()
        raise
    return found


def read_url(url: str) -> RedisAddress:
    """The address that is written `redis://`, `rediss://` or `unix://`.

    Raises:
        ValueError: It is none.

    >>> found = read_url("redis://me:s%2Fcret@cache/2")
    >>> found.host, found.port, found.database, found.user, found.password
    ('cache', 6379, 2, 'me', 's/cret')
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError(f"no scheme of Redis: {parts.scheme}")
    is_unix, is_tls = parts.scheme == "unix", parts.scheme == "rediss"
    tls = {name: options.pop(name) for name in _TLS_OPTIONS if is_tls and name in options}
    found = RedisAddress(
        host=parts.hostname or "localhost",
        port=parts.port or 6379,
        path=parts.path if is_unix else None,
        database=int(options.pop("db", "" if is_unix else parts.path.strip("/")) or 0),
        user=options.pop("username", unquote(parts.username or "")),
        password=options.pop("password", parts.password and unquote(parts.password)),
        tls=tls if is_tls else None,
    )
    wrong = [name for name in tls if _TLS_OPTIONS[name] and tls[name] not in _TLS_OPTIONS[name]]
    if options or wrong:
        raise ValueError(f"options that are not known, or wrong: {', '.join([*options, *wrong])}")
    return found


class Wire:
    """One connection, for one thread at a time.

    Args:
        timeout_s: Of one read or write.
        client_name: What the server lists it as.

    Raises:
        RedisError: It cannot be made; as every method.
    """

    def __init__(self, address: RedisAddress, *, timeout_s: float, client_name: str) -> None:
        self._reader = Reader(
            protocolError=RedisError, replyError=ErrorReply, notEnoughData=_NOTHING
        )
        self._socket = _told(lambda: address.connect(min(timeout_s, _CONNECT_MAX_S)))
        self._socket.settimeout(timeout_s)
        try:
            for reply in self.exchange(address.greeting(client_name)):
                sound(reply)
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int:
        """Readable when the server has sent something, or has gone."""
        return self._socket.fileno()

    def close(self) -> None:
        """End it. In a forked child only the child's copy is closed."""
        self._socket.close()

    def exchange(self, commands: Sequence[Command]) -> list[Any]:
        """The replies to `commands`, refusals among them as ErrorReply."""
        self.send(commands)
        return [self._receive() for _ in commands]

    def send(self, commands: Sequence[Command]) -> None:
        """Ask, without waiting for the replies."""
        packed = b"".join(map(pack_command, commands))
        _told(lambda: self._socket.sendall(packed))

    def next_within(self, limit_s: float) -> Any | None:
        """The next that the server sends; None where nothing comes in time."""
        while (reply := self._reader.gets()) is _NOTHING:
            if not self.is_readable(limit_s):
                return None
            self._read()
        return reply

    def is_readable(self, limit_s: float) -> bool:
        """Whether there is something to read, or the connection has ended, within the time."""
        readable = select.poll()
        readable.register(self._socket, select.POLLIN)
        return bool(readable.poll(max(0.0, 1000 * limit_s)))

    def _receive(self) -> Any:
        while (reply := self._reader.gets()) is _NOTHING:
            self._read()
        return reply

    def _read(self) -> None:
        found = _told(lambda: self._socket.recv(_READ_BYTES))
        if not found:
            raise ConnectionLost("the server has closed the connection")
        self._reader.feed(found)


def sound(reply: Any) -> Any:
    """The reply, unless it is a refusal.

    Raises:
        ErrorReply: It is one.
    """
    if isinstance(reply, ErrorReply):
        raise reply
    return reply


def _told(call: Callable[[], T]) -> T:
    """What the system says of a socket, in our words."""
    try:
        return call()
    except TimeoutError as problem:
        raise ReplyTimeout("no answer in time") from problem
    except OSError as problem:
        raise ConnectionLost(str(problem)) from problem
