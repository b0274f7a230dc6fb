"""A load generator: so many connections, each asking again as soon as it is answered."""

import asyncio
import multiprocessing
import time
from dataclasses import dataclass
from typing import cast

import uvloop


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a load found.

    Attributes:
        rate: Answers a second.
        p50_ms: Median latency.
        p99_ms: Latency that one in a hundred exceeded.
        p999_ms: Latency that one in a thousand exceeded.
        failed: Answers other than 2xx.
        client_share: Of a core, that the load itself took; near 1 it is what was measured.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    failed: int
    client_share: float


def drive(
    port: int,
    path: str,
    body: bytes,
    *,
    seconds: float,
    connections: int,
    rate: float | None = None,
) -> Load:
    """POST `body` for some seconds from a process of its own.

    Args:
        connections: Requests under way at once.
        rate: Requests a second in all; None: as many as are answered.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_drive, (port, path, body, seconds, connections, rate))


def _drive(
    port: int, path: str, body: bytes, seconds: float, connections: int, rate: float | None
) -> Load:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    request = head.encode() + body

    async def run() -> list["_Client"]:
        loop = asyncio.get_running_loop()
        until = time.perf_counter() + seconds
        pause_s = connections / rate if rate else 0.0
        clients = []
        for _ in range(connections):
            made = await loop.create_connection(
                lambda: _Client(request, until, pause_s), "127.0.0.1", port
            )
            clients.append(made[1])
        await asyncio.gather(*(client.done for client in clients))
        return clients

    started, used = time.perf_counter(), time.process_time()
    clients = uvloop.run(run())
    took, used = time.perf_counter() - started, time.process_time() - used
    latencies = sorted(each for client in clients for each in client.latencies)
    return Load(
        rate=len(latencies) / took,
        p50_ms=latencies[len(latencies) // 2] * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
        p999_ms=latencies[int(len(latencies) * 0.999)] * 1000,
        failed=sum(client.failed for client in clients),
        client_share=used / took,
    )


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, request: bytes, until: float, pause_s: float) -> None:
        self._request, self._until, self._pause_s = request, until, pause_s
        self._loop = asyncio.get_running_loop()
        self.done: asyncio.Future[None] = self._loop.create_future()
        self.latencies: list[float] = []
        self.failed = 0
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, rest = self._buffer.partition(b"\r\n\r\n")
        if not blank or len(rest) < _content_length(head):
            return
        now = time.perf_counter()
        self.latencies.append(now - self._asked)
        self.failed += not head.startswith(b"HTTP/1.1 2")
        self._buffer = b""
        if now > self._until:
            self._transport.close()
            self.done.set_result(None)
        elif self._pause_s:
            self._loop.call_later(max(0.0, self._pause_s - (now - self._asked)), self._ask)
        else:
            self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._request)


def _content_length(head: bytes) -> int:
    at = head.lower().index(b"content-length:") + 15
    return int(head[at:].split(b"\r\n", 1)[0])
