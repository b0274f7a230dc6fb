"""Dead letters over HTTP: what was refused, byte for byte, and why."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Query
from pydantic import BeforeValidator

from api.http.lines import Line
from api.http.paging import digits
from api.http.problem import HttpProblem
from api.http.threads import Threads
from api.openapi import seen
from api.openapi.details import Json, told
from api.openapi.problem_examples import NO_KAFKA
from checkpoints.reading.views import timestamp
from config.model_file import ModelFile
from learner.values import Reason

_LIMIT_USUAL, _LIMIT_MAX = 20, 100

ReasonAsked = Annotated[Reason | None, Query(description="Only those refused for this reason.")]
LimitAsked = Annotated[
    int,
    Query(ge=1, le=_LIMIT_MAX, description="How many letters at most."),
    BeforeValidator(digits),
]


class DeadLetter(Protocol):
    """A record that was refused; `stream.kafka.letters.LetterFound` says what is what."""

    @property
    def id(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def reason(self) -> str: ...
    @property
    def stage(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes: ...


class Letters(Protocol):
    """Finds letters; `stream.kafka.letters.LetterReader` does, and `weir.py` hands it in."""

    def last(
        self, topics: Sequence[str], *, model: str, reason: str | None, limit: int
    ) -> Sequence[DeadLetter]:
        """The newest of a model, newest first."""
        ...


class LetterBox:
    """Answers `GET …/dead-letters`.

    Args:
        model_files: Of the models, whose topics have letters.
        letters: None: this process has no Kafka.
        threads: Where Kafka is waited for.
    """

    def __init__(
        self, model_files: Iterable[ModelFile], letters: Letters | None, threads: Threads
    ) -> None:
        self._topics = {it.name: _topics(it) for it in model_files}
        self._letters, self._threads = letters, threads

    async def last(
        self, line: Line, reason: ReasonAsked = None, limit: LimitAsked = _LIMIT_USUAL
    ) -> Json:
        """The newest letters of the model."""
        if self._letters is None:
            raise HttpProblem(503, "unavailable", "this API was given no Kafka to read from")
        found = await self._threads.run(
            self._letters.last,
            self._topics[line.name],
            model=line.name,
            reason=None if reason is None else reason.value,
            limit=limit,
        )
        return Json({"items": [_item(letter) for letter in found], "next": None})

    def add_to(self, router: APIRouter) -> None:
        """The route."""
        router.get(
            "/v1/models/{model}/dead-letters",
            operation_id="listDeadLetters",
            summary="What was refused, newest first",
            description="Of each partition the last 1,000 letters are looked at, for five seconds. "
            "`value` is the first KiB of the record, as text where it is UTF-8, else in base64. "
            "A letter that was written twice, after a crash, has the same `id`.",
            response_model=seen.DeadLetterList,
            responses=told(_EXAMPLE, NO_KAFKA),
        )(self.last)


def _topics(model_file: ModelFile) -> list[str]:
    topics = model_file.topics
    return list(dict.fromkeys((topics.events, topics.labels, topics.predictions)))


def _item(letter: DeadLetter) -> Mapping[str, Any]:
    value, encoding = _shown(letter.value, is_cut=letter.size > len(letter.value))
    return {
        "id": letter.id,
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "reason": letter.reason,
        "stage": letter.stage,
        "detail": letter.detail,
        "at": timestamp(max(0, letter.at_ms)),
        "key": None if letter.key is None else letter.key.decode("utf-8", "backslashreplace"),
        "size": letter.size,
        "encoding": encoding,
        "value": value,
    }


def _shown(value: bytes, *, is_cut: bool) -> tuple[str, str]:
    """The bytes as text, or in base64. A character that the cut went through is left out.

    >>> _shown(b"{}", is_cut=False), _shown(b"\\xff", is_cut=False), _shown(b"ab\\xc3", is_cut=True)
    (('{}', 'text'), ('/w==', 'base64'), ('ab', 'text'))
    """
    for left_out in range(4 if is_cut else 1):
        try:
            return value[: len(value) - left_out].decode("utf-8"), "text"
        except UnicodeDecodeError:
            continue
    return base64.b64encode(value).decode("ascii"), "base64"


_EXAMPLE: dict[str, Any] = {
    "items": [
        {
            "id": "phishing.events-0-4127", "topic": "phishing.events", "partition": 0,
            "offset": 4127, "reason": "bad_label", "stage": "gate",
            "detail": "the label 'maybe' is none of true, false", "at": "2026-11-20T12:00:00.000Z",
            "key": "order-7", "size": 48, "encoding": "text",
            "value": '{"features": {"https": 1.0}, "label": "maybe"}',
        }
    ],
    "next": None,
}  # fmt: skip
