"""The straight path of predictions: from the server to the model, past the framework's layers."""

import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from api.http.guard import Guard, problem_answer
from api.http.problem import Answer
from api.http.requests import ClientGoneError, Headers, Receive, refuse_unknown_parameters
from api.metrics import ApiMetrics
from api.routes.predict import PATH, Predictor
from api.serving.served import ServedLine
from api.traces import RequestTraces

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Straight:
    """Answers `POST …/predict` for the models that are known before the request.

    Args:
        guard: What stands before every handler.
        predictor: What answers.
        metrics: Told how long each answer took.
        models: Their names, by path.
        traces: What of them is traced.
    """

    def __init__(
        self,
        guard: Guard,
        predictor: Predictor,
        metrics: ApiMetrics,
        models: Mapping[str, str],
        traces: RequestTraces,
    ) -> None:
        self._guard, self.predictor, self._metrics = guard, predictor, metrics
        self._traces = traces
        self._seconds = metrics.seconds("POST", PATH)
        self.models = models

    async def answer(self, line: ServedLine, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        began, metrics = time.perf_counter(), self._metrics
        metrics.in_progress += 1
        try:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            if self._traces.wants(headers):
                with self._traces.request("POST", PATH, headers) as span:
                    answer = await self._answered(line, scope, headers, receive)
                    span.answered(answer.status, answer.content)
            else:
                answer = await self._answered(line, scope, headers, receive)
            await self._send(send, answer, headers)
        except ClientGoneError:
            return
        finally:
            metrics.in_progress -= 1
        self._seconds.observe(answer.status, time.perf_counter() - began)

    async def _answered(
        self, line: ServedLine, scope: Scope, headers: Headers, receive: Receive
    ) -> Answer:
        """The prediction, or the problem that came instead."""
        try:
            _, body = await self._guard.admitted(headers, "predict", receive, has_body=True)
            if scope["query_string"]:
                refuse_unknown_parameters(scope["query_string"], ())
            return await self.predictor.answer(line, body)
        except ClientGoneError:
            raise
        except Exception as error:  # the border: each is answered, and a fault of ours logged
            return problem_answer(error, scope["path"])

    async def _send(self, send: Send, answer: Answer, headers: Headers) -> None:
        lines = [
            (b"content-type", answer.media),
            (b"content-length", b"%d" % len(answer.content)),
            *answer.headers,
        ]
        if b"origin" in headers:
            cors = self._guard.cors(headers).items()
            lines += [(name.encode(), value.encode("latin-1")) for name, value in cors]
        await send({"type": "http.response.start", "status": answer.status, "headers": lines})
        await send({"type": "http.response.body", "body": answer.content})
