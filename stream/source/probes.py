"""What the learner's metrics port answers beside `/metrics`: `/livez`, `/readyz`, else 404.

They ask memory alone, neither Kafka nor Redis: who is alive while a server is away says so.
"""

import json
from collections.abc import Iterable
from http import HTTPStatus
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from stream.source.reports.heartbeat import Status

_AT_WORK = frozenset({"learning", "rewinding", "idle", "frozen"})


class LearnerProbes:
    """Tells those who watch over a learner whether it lives and whether it learns.

    Args:
        status: Of this life of the learner.
        hung_s: Seconds without a turn after which a loop counts as hung: the keeper's own limit.
    """

    def __init__(self, status: Status, *, hung_s: float) -> None:
        self._status, self._hung_s = status, hung_s

    def why_not_live(self) -> str:
        """Which loop hangs; empty: none. To build or restore a model may take any time."""
        board = self._status.board
        for name, quiet_s in board.quiet_s().items():
            if board.has_begun(name) and quiet_s > self._hung_s:
                return f"the {name}'s loop has not turned for {quiet_s:.0f} s"
        return ""

    def why_not_ready(self) -> str:
        """What is missing until it learns, or obeys a freeze; empty: nothing.

        Ready is who holds the line, has its model, and knows from Kafka how far the log goes.
        """
        status = self._status
        if status.board.stop:
            return "it is about to end"
        if status.told_state not in _AT_WORK:
            return ": ".join(filter(None, (status.told_state, status.trouble.what)))
        if status.lag is None:
            return "Kafka has not told how far the log goes"
        return self.why_not_live()

    def beside(self, metrics: WSGIApplication) -> WSGIApplication:
        """The port's application: the probes, with `metrics` at its own path."""
        probes = {"/livez": ("live", self.why_not_live), "/readyz": ("ready", self.why_not_ready)}

        def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            if path == "/metrics":
                return metrics(environ, start)
            if path not in probes:
                return _problem(start, HTTPStatus.NOT_FOUND, "see /metrics, /livez and /readyz")
            name, why_not = probes[path]
            if why := why_not():
                return _problem(start, HTTPStatus.SERVICE_UNAVAILABLE, why)
            return _json(start, HTTPStatus.OK, "application/json", {"status": name})

        return answer


def _problem(start: StartResponse, status: HTTPStatus, detail: str) -> Iterable[bytes]:
    """Source: RFC 9457; without a `type` the status says all, and the title is its phrase."""
    body: dict[str, object] = {"title": status.phrase, "status": status.value, "detail": detail}
    return _json(start, status, "application/problem+json", body)


def _json(
    start: StartResponse, status: HTTPStatus, media: str, body: dict[str, object]
) -> Iterable[bytes]:
    start(f"{status.value} {status.phrase}", [("Content-Type", media)])
    return [json.dumps(body).encode()]
