"""A program's way to the API: ask, send, say later what was true. Light: no library of its own.

What is sent may be repeated: an event or a question without an id gets one, by which the learner
knows it again. So whatever fails on the way is tried again, for as long as the caller waits.
Features are taken as `weir.load` takes them, and what they may not be is told by their name.
"""

import http.client
import json
import random
import time
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, NotRequired, Self, TypedDict, cast
from urllib.parse import quote, urlsplit

from api.client_bodies import Features, as_json, parts, taken, taken_event, taken_rows

_PAUSE_S, _PAUSE_MAX_S = 0.1, 5.0
_TRY_AGAIN = frozenset({None, 502, 503, 504})
_KINDS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class AnswerBody(TypedDict):
    """A prediction, None while the model has none, and which version made it."""

    prediction: bool | int | float | str | None
    probabilities: NotRequired[dict[str, float | None]]
    prediction_id: str
    model: str
    version: str
    version_id: str
    learned: int
    age_seconds: float


class RequestError(Exception):
    """The API refused a request, or did not answer it in time.

    Attributes:
        status: HTTP's; None: no answer came.
        code: The problem's, such as `wrong_type` (docs/reference/http.md); empty without one.
        errors: Each field that is wrong: `{"pointer", "message"}`.
    """

    def __init__(self, what: str, *, status: int | None, problem: Mapping[str, Any]) -> None:
        super().__init__(what)
        self.status = status
        self.code: str = problem.get("code", "")
        self.errors: list[dict[str, str]] = problem.get("errors", [])


class Client:
    """Talks to one API, from any thread.

    Args:
        url: Where it answers, as `weir dev` prints it.
        key: `ID.SECRET`, where the API asks for a key.
        timeout_s: Seconds after which no try is begun, and that any wait for the server may take.

    >>> from weir import Client
    >>> with Client(url) as weir:  # doctest: +SKIP
    ...     answer = weir.predict("phishing", {"https": 1.0, "age_of_domain": 1})
    ...     place = weir.label("phishing", answer["prediction_id"], True)
    ...     weir.status("phishing")["learned"]
    200
    """

    def __init__(self, url: str, key: str | None = None, *, timeout_s: float = 10.0) -> None:
        if not (key or "").isascii():
            raise ValueError("a key is ID.SECRET, in letters and digits of ASCII")
        self._scheme, self._host, self._port, self._base = _address(url)
        self._timeout_s = timeout_s
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._headers = {"content-type": "application/json", "accept": "application/json"}
        if key is not None:
            self._headers["authorization"] = f"Bearer {key}"

    def predict(self, model: str, features: Features, *, event_id: str = "") -> AnswerBody:
        """One prediction.

        Args:
            event_id: Under which its label will come; by default a new one, `prediction_id`.

        Raises:
            RowRefusedError: A feature is what JSON does not have. Nothing was sent.
            RequestError: Refused, or not answered in time; so it is with all that follow.
        """
        body = as_json({"features": taken(features), "id": event_id or str(uuid.uuid4())})
        return cast("AnswerBody", self._ask("POST", model, "/predict", body))

    def predict_many(self, model: str, rows: Any) -> list[AnswerBody]:
        """A prediction for each row, in order; all of one request (500 KB) by one version.

        Args:
            rows: Mappings, or a frame of pandas, whose NaN, NaT and NA are absent features.
        """
        bodies = (f'{{"instances":{part}}}' for part in parts(taken_rows(rows)))
        asked = (self._ask("POST", model, "/predict", body) for body in bodies)
        return [answer for each in asked for answer in each["predictions"]]

    def send(self, model: str, events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Publish events, each `{"features", "label"?, "id"?, "ts"?, "weight"?, "key"?}`, in order.

        Where Kafka keeps each: `{"id", "topic", "partition", "offset"}`. Of more than one request
        (500 KB) those before a refused one were taken.
        """
        named = ({**each, "id": _id_of(each)} for each in map(taken_event, events))
        bodies = (f'{{"events":{part}}}' for part in parts(named))
        asked = (self._ask("POST", model, "/events", body) for body in bodies)
        return [place for each in asked for place in each["items"]]

    def label(self, model: str, event_id: str, label: bool | float | str) -> dict[str, Any]:
        """Say what was true of the event, or of the prediction, with this id."""
        body = as_json({"id": event_id, "label": label})
        return dict(self._ask("POST", model, "/labels", body)["items"][0])

    def status(self, model: str) -> dict[str, Any]:
        """Where the model stands: the body of `GET /v1/models/{model}`."""
        return dict(self._ask("GET", model))

    def close(self) -> None:
        """Give the connections back; a later call opens one anew."""
        while self._idle:
            self._idle.pop().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, method: str, model: str, path: str = "", body: str | None = None) -> Any:
        """The answer's JSON, after as many tries as there is time for."""
        where = f"{self._base.rstrip('/')}/v1/models/{quote(model, safe='')}{path}"
        end = time.monotonic() + self._timeout_s
        tries = 0
        while True:
            tries += 1
            status, wait_s, found = self._once(method, where, body, end)
            if status is not None and 200 <= status < 300 and isinstance(found, dict):
                return found
            pause_s = max(wait_s, min(_PAUSE_MAX_S, _PAUSE_S * 2**tries) * random.uniform(0.5, 1))
            if status not in _TRY_AGAIN or time.monotonic() + pause_s > end:
                problem = found if isinstance(found, dict) else {"detail": f"not Weir's: {found}"}
                told = f"{method} {where}: {problem.get('detail', found)} (tried {tries} times)"
                raise RequestError(told, status=status, problem=problem)
            time.sleep(pause_s)

    def _once(
        self, method: str, where: str, body: str | None, end: float
    ) -> tuple[int | None, float, Any]:
        """Status (None: no answer came), seconds to wait before another try, and the body."""
        connection = self._connection(max(0.001, end - time.monotonic()))
        try:
            connection.request(method, where, body=body, headers=self._headers)
            answer = connection.getresponse()
            text, wait = answer.read(), answer.headers.get("retry-after", "0")
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self.close()  # the others are as old
            return None, 0.0, {"detail": f"no answer: {type(error).__name__}: {error}"}
        self._idle.append(connection)
        try:
            found = json.loads(text)
        except ValueError:  # not the API's own: a proxy's, in front of it
            found = text[:200].decode("utf-8", "replace")
        return answer.status, float(wait) if wait.isdecimal() else 0.0, found

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        """One that is idle, which is kept open between calls, or a new one."""
        try:
            found = self._idle.pop()
        except IndexError:
            found = _KINDS[self._scheme](self._host, self._port)
        found.timeout = timeout_s
        if found.sock is not None:
            found.sock.settimeout(timeout_s)
        return found


def _address(url: str) -> tuple[str, str, int | None, str]:
    """Scheme, host, port and path."""
    what = f"{url!r} is no address such as http://127.0.0.1:8000"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{what}: {error}") from error
    if parts.scheme not in _KINDS or not parts.hostname:
        raise ValueError(what)
    return parts.scheme, parts.hostname, port, parts.path


def _id_of(event: Mapping[str, Any]) -> Any:
    """Its own, or a new one: one that is null would be another event each time it is sent."""
    own = event.get("id")
    return str(uuid.uuid4()) if own is None else own
