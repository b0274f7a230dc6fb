"""The server's HTTP protocol, with limits that uvicorn leaves to a proxy in front of it.

A client must send a request's head within 10 s and its body within 30 s more, however slowly it
trickles, and the head must be of a sensible size. Whoever does not keep to it is told so and cut
off. What is said here, before any application is asked, are problem documents as well.

Source: uvicorn 0.54, which keeps a trickled head open for ever.
"""

import asyncio
import logging
import os
import sys
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.http.problem import HttpProblem
from api.processes.handover import Guest, Passage, Rest, copy_of

log = logging.getLogger(__name__)

HEAD_S = 10.0
BODY_S = 30.0
HEAD_BYTES_MAX = 64 << 10
CONNECTIONS_MAX = 2000
_UNCOUNTABLE = "Content-Length overflow"  # so says llhttp, past 64 bits


_LEAVE_AGAIN_S = 0.002


class DeadlineProtocol(HttpToolsProtocol, Guest):
    """One connection. A request that arrives in one piece costs a few comparisons more."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._phase: str | None = None  # what of a request is incomplete: "head" or "body"
        self._timed: str | None = None  # the phase that the timer is for
        self._timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._way_out: Passage | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            detail = f"{CONNECTIONS_MAX} connections are open; try again"
            self._cut(HttpProblem(503, "overloaded", detail))
        else:
            self._set_timer("head")

    def connection_lost(self, exc: Exception | None) -> None:
        self._set_timer(None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._phase == "head":
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                detail = f"the request's head is over {HEAD_BYTES_MAX} bytes"
                self._cut(HttpProblem(431, "too_large", detail))
                return
        waits = self._phase or ("head" if self._is_idle() else None)
        if waits != self._timed:
            self._set_timer(waits)

    def on_message_begin(self) -> None:
        self._phase, self._head_bytes = "head", 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._phase = "body"
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._phase = None
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._way_out is not None and not self.pipeline and not self.transport.is_closing():
            self.transport.pause_reading()  # the next request is for who takes the connection
            self.loop.call_soon(self.leave, self._way_out)

    def leave(self, way_out: Passage) -> None:
        """Go to another process, if nothing is under way here; else when it is done."""
        self._way_out = way_out
        rest = self._rest
        if rest is None:
            return
        if self.transport.get_write_buffer_size():
            self.transport.pause_reading()
            self.loop.call_later(_LEAVE_AGAIN_S, self.leave, way_out)
            return
        copy = copy_of(self.transport)
        try:
            way_out.put(copy, rest)
        except OSError as error:
            log.error("a connection is lost, because no other worker takes it: %s", error)
        finally:
            os.close(copy)
        self.transport.abort()

    def settle(self, rest: Rest) -> None:
        """Go on waiting as in the process that had the connection before."""
        now = self._rest
        if now is None or not now.is_new:  # its next request is here already
            return
        if rest.is_new:
            self._set_timer("head", rest.until_s - self.loop.time())
            return
        self._set_timer(None)
        self.timeout_keep_alive_task = self.loop.call_at(
            rest.until_s, self.timeout_keep_alive_handler
        )

    @property
    def _rest(self) -> Rest | None:
        """What the connection waits for, None while something is under way on it."""
        is_between = self.cycle is None or self.cycle.response_complete
        if self._phase is not None or self.pipeline or not is_between:
            return None
        if self.transport.is_closing():
            return None
        if self.timeout_keep_alive_task is not None:
            return Rest(self.timeout_keep_alive_task.when(), is_new=False)
        return Rest(self._timer.when(), is_new=True) if self._timer is not None else None

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, or announces a body of a size that no parser counts up to."""
        if str(sys.exception()) == _UNCOUNTABLE:
            detail = "content-length is beyond any limit (api.max_body_bytes); send less at once"
            self._cut(HttpProblem(413, "too_large", detail, pointer=""))
        else:
            self._cut(HttpProblem(400, "bad_request", msg))

    def _is_idle(self) -> bool:
        """Bytes came that begin no request, and uvicorn's own timer is off."""
        is_between = self.cycle is None or self.cycle.response_complete
        return is_between and self.timeout_keep_alive_task is None

    def _set_timer(self, phase: str | None, left_s: float | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timed, self._timer = phase, None
        if phase is not None:
            limit_s = HEAD_S if phase == "head" else BODY_S
            delay_s = limit_s if left_s is None else left_s
            self._timer = self.loop.call_later(delay_s, self._too_slow, phase, limit_s)

    def _too_slow(self, phase: str, limit_s: float) -> None:
        detail = f"the request's {phase} did not arrive within {limit_s:g} s"
        self._cut(HttpProblem(408, "bad_request", detail))

    def _cut(self, problem: HttpProblem) -> None:
        """Say why and hang up; say nothing in the middle of another answer."""
        self._set_timer(None)
        self._phase = None
        if self.transport.is_closing():
            return
        cycle = self.cycle
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_raw(problem))
        self.transport.close()


def _raw(problem: HttpProblem) -> bytes:
    answer = problem.answer()
    head = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
        f"content-type: {answer.media.decode()}\r\n"
        f"content-length: {len(answer.content)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + answer.content
