"""How a server is reached: by its address, its socket or encrypted; and what a connection bears."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis import Redis

from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import BadCommand, StoreForbidden, StoreUnavailable
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.wire import RedisError, Wire, read_url
from config.processes.fork import ended, fork

Opened = Callable[..., RedisConnection]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """`opened(url)`: a connection that tries once."""
    with ExitStack() as stack:

        def make(url: str) -> RedisConnection:
            return stack.enter_context(closing(RedisConnection(url, deadline_s=0.0)))

        yield make


def ask(connection: RedisConnection, *command: object) -> object:
    return connection.ask(*command, doing="answer")


# Ways to a server ------------------------------------------------------------------------------


class Door(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Leads from a socket of its own to a server.

    Args:
        encryption: What its clients must speak; None: nothing but the protocol.
    """

    daemon_threads = True

    def __init__(self, listener: socket.socket, server: str, encryption: object = None) -> None:
        super().__init__(listener.getsockname(), _Passage, bind_and_activate=False)
        self.socket.close()
        self.socket, self.encryption = listener, encryption
        self.behind = (urlsplit(server).hostname, urlsplit(server).port)

    def __enter__(self) -> Door:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Passage(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        client = self.request
        with ExitStack() as stack:
            if self.server.encryption is not None:
                try:
                    client = self.server.encryption.wrap_socket(client, server_side=True)
                except OSError:  # it does not trust us
                    return
            stack.enter_context(client)
            server = stack.enter_context(socket.create_connection(self.server.behind))
            back = threading.Thread(target=_pass, args=(server, client), daemon=True)
            back.start()
            _pass(client, server)
            back.join()


def _pass(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
    except OSError:  # one of the two has gone
        return


def certificate(folder: Path) -> Path:
    """A certificate of 127.0.0.1 that it signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "here.pem"
    path.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, *plain))
    return path


@pytest.fixture
def encrypted(valkey_server: ValkeyServer, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The address of a server that speaks TLS alone, and whom to trust for it."""
    trusted = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted)
    listener = socket.create_server(("127.0.0.1", 0))
    with Door(listener, valkey_server.url, context):
        yield f"rediss://127.0.0.1:{listener.getsockname()[1]}/0", trusted


def test_a_server_that_speaks_tls_is_asked_who_it_is(
    opened: Opened, encrypted: tuple[str, Path]
) -> None:
    url, trusted = encrypted
    assert ask(opened(f"{url}?ssl_ca_certs={trusted}"), "PING") == b"PONG"
    for strange in (url, url.replace("127.0.0.1", "localhost") + f"?ssl_ca_certs={trusted}"):
        with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            ask(opened(strange), "PING")
    named = url.replace("127.0.0.1", "localhost") + f"?ssl_ca_certs={trusted}"
    assert ask(opened(f"{named}&ssl_check_hostname=false"), "PING") == b"PONG"
    assert ask(opened(f"{url}?ssl_cert_reqs=none"), "PING") == b"PONG"


def test_a_server_is_reached_by_its_socket(
    opened: Opened, valkey_server: ValkeyServer, tmp_path: Path
) -> None:
    path = tmp_path / "redis.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    with Door(listener, valkey_server.url):
        assert ask(opened(f"unix://{path}?db=3"), "PING") == b"PONG"
    with pytest.raises(StoreUnavailable, match="No such file"):
        ask(opened(f"unix://{path}-not"), "PING")


def test_each_database_is_its_own(
    opened: Opened, valkey_server: ValkeyServer, unique_name: str
) -> None:
    one, two = (opened(valkey_server.url[:-1] + number) for number in ("0", "3"))
    ask(one, "SET", unique_name, "here")
    assert (ask(one, "GET", unique_name), ask(two, "GET", unique_name)) == (b"here", None)


@pytest.mark.parametrize(
    "url",
    ["http://a", "redis://a:port", "redis://a/b", "redis://a/0?timeout=1", "rediss://a?x=",
     "redis://a?ssl_cert_reqs=none", "rediss://a?ssl_cert_reqs=maybe",
     "rediss://a?ssl_check_hostname=no"],
)  # fmt: skip
def test_what_cannot_be_read_of_an_address_is_refused(url: str) -> None:
    with pytest.raises(BadCommand, match="cannot be read"):
        RedisConnection(url)


def test_what_is_no_redis_is_said(valkey_server: ValkeyServer) -> None:
    """It is not taken for one that is away."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            with closing(listener.accept()[0]) as client:
                client.recv(1 << 10)
                client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        connection = RedisConnection(f"redis://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(StoreUnavailable, match="Protocol error"):
            ask(connection, "PING")
        thread.join()


# What a connection bears -----------------------------------------------------------------------


def test_a_connection_that_ended_while_nobody_used_it_is_opened_anew(
    opened: Opened, valkey_server: ValkeyServer
) -> None:
    """Without another attempt: nothing was lost."""
    connection = opened(valkey_server.url)
    number = ask(connection, "CLIENT", "ID")
    with Redis.from_url(valkey_server.url) as admin:
        admin.client_kill_filter(_id=number)

    assert ask(connection, "CLIENT", "ID") != number


def test_a_forked_process_has_connections_of_its_own(
    opened: Opened, valkey_server: ValkeyServer
) -> None:
    connection = opened(valkey_server.url)
    number = ask(connection, "CLIENT", "ID")

    pid = fork(lambda: int(ask(connection, "CLIENT", "ID") == number))

    assert ended(pid, wait=True) == 0
    assert ask(connection, "CLIENT", "ID") == number


def test_threads_do_not_share_a_connection(opened: Opened, valkey_server: ValkeyServer) -> None:
    """Each has the answers to its own questions."""
    connection, wrong = opened(valkey_server.url), list[str]()

    def work(name: str) -> None:
        wrong.extend(name for _ in range(200) if ask(connection, "ECHO", name) != name.encode())

    threads = [threading.Thread(target=work, args=(f"thread-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_transaction_that_is_refused_does_not_stay_open(
    opened: Opened, valkey_server: ValkeyServer, unique_name: str
) -> None:
    """What comes next over a connection would only be queued."""
    with Redis.from_url(valkey_server.url) as admin:
        admin.execute_command("ACL", "SETUSER", unique_name, "on", ">x", "~*", "+@all", "-exec")
        connection = opened(valkey_server.url.replace("://", f"://{unique_name}:x@"))
        with pytest.raises(StoreForbidden, match="may not run EXEC"):
            connection.ask_all([("GET", "a")], doing="answer", together=True)

        assert ask(connection, "PING") == b"PONG"
        admin.acl_deluser(unique_name)


def test_what_a_server_sends_by_itself_is_waited_for(valkey_server: ValkeyServer) -> None:
    address = read_url(valkey_server.url)
    with closing(Wire(address, timeout_s=5, client_name=f"test-{os.getpid()}")) as wire:
        channel = f"test-{os.getpid()}"
        (number,) = wire.exchange([("CLIENT", "ID")])
        wire.send([("SUBSCRIBE", channel)])
        assert wire.next_within(5.0) == [b"subscribe", channel.encode(), 1]
        assert wire.next_within(0) is None
        with Redis.from_url(valkey_server.url) as admin:
            admin.publish(channel, "now")
        assert wire.next_within(5.0) == [b"message", channel.encode(), b"now"]
        with Redis.from_url(valkey_server.url) as admin:
            admin.client_kill_filter(_id=number)
        with pytest.raises(RedisError, match="closed"):
            wire.next_within(5.0)
