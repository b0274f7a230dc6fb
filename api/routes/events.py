"""Events by HTTP: decoded as the learner decodes them, published as written, acknowledged.

What an event's content is worth is for the learner's gate to say; what can be no event at all is
refused here, so that the client is told at once.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from fastapi import APIRouter

from api.http.bodies import read_events, read_labels
from api.http.guard import RawBody
from api.http.lines import Line
from api.http.problem import HttpProblem, problem_of
from api.openapi import answers
from api.openapi.details import Json, raw_body, told
from api.openapi.problem_examples import BAD_EVENT, BAD_LABEL, NO_KAFKA
from api.openapi.questions import EVENTS_MAX, EventBody, EventsBody, LabelBody, LabelsBody
from api.traces import RecordHeaders, RequestTraces
from config.model_file import ModelFile
from learner.events.decode import decoder
from learner.values import Event

_BATCH = 500  # records on their way at once

_EVENT = {"id": "order-1", "features": {"https": 1.0, "age_of_domain": 1}, "label": True}
_ITEM = {"id": "order-1", "topic": "phishing.events", "partition": 0, "offset": 1250}
_LABEL = {"id": "order-1", "label": True, "ts": "2026-11-20T12:00:00Z"}


class Published(Protocol):
    """Where Kafka keeps an acknowledged record."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...


class Publisher(Protocol):
    """Brings records to Kafka; `stream.kafka.producer.Publisher` is one, and `weir.py` hands it in.

    Until its first use it holds no thread and no connection, so that it can be forked.
    """

    async def publish(
        self, topic: str, key: bytes | None, value: bytes, headers: RecordHeaders = ()
    ) -> Published:
        """Publish a record and wait until it is acknowledged; calls keep their order.

        Raises:
            Exception: With the program's `exit_code`: 5 where Kafka does not answer.
        """
        ...

    def close(self) -> None:
        """Deliver what was taken, and give connections and threads back."""
        ...


class Events:
    """Answers `POST …/events` and `POST …/labels`.

    Args:
        model_files: Of the models, whose topics are published to.
        publisher: None: this process has no Kafka.
        traces: Whose spans go with the records.
    """

    def __init__(
        self,
        model_files: Iterable[ModelFile],
        publisher: Publisher | None,
        traces: RequestTraces,
    ) -> None:
        self._publisher, self._traces = publisher, traces
        self._decode = {each.name: decoder(each) for each in model_files}

    async def publish(self, line: Line, body: RawBody) -> Json:
        """Publish one event or several, in order; 202 when Kafka has acknowledged all.

        Raises:
            HttpProblem: 400, 422: an event is malformed, and none was published; 503: Kafka did not
                acknowledge all, and some may be there (an `id` lets the learner refuse repeats).
        """
        _check_format(line.model_file)
        events = read_events(body, self._decode[line.name])
        return await self._published(line.model_file.topics.events, events, "/events")

    async def labels(self, line: Line, body: RawBody) -> Json:
        """Publish the labels of events that came before; 202 when Kafka has acknowledged all.

        Raises:
            HttpProblem: As `publish`; repeated labels are refused by the learner.
        """
        labels = read_labels(body)
        return await self._published(line.model_file.topics.labels, labels, "/labels")

    async def _published(self, topic: str, events: list[tuple[bytes, Event]], pointer: str) -> Json:
        _check_count(events, pointer)
        publisher = self._publisher
        if publisher is None:
            raise HttpProblem(503, "unavailable", NO_KAFKA.detail)
        with self._traces.sending(topic, len(events)) as headers:
            found = await _publish_all(publisher, topic, events, headers)
        items = [_item(event, place) for (_, event), place in zip(events, found, strict=True)]
        return Json({"items": items}, status_code=202)

    def add_to(self, router: APIRouter) -> None:
        """The routes."""
        router.post(
            "/v1/models/{model}/events",
            operation_id="publishEvents",
            summary="Publish events",
            description="One event, or several in `events`, to the model's Kafka topic, byte for "
            "byte. The answer comes when Kafka has acknowledged them. What the learner's gate "
            "refuses later is on the topic `dlq.TOPIC`.",
            status_code=202,
            response_model=answers.PublishedEvents,
            responses=told({"items": [_ITEM]}, BAD_EVENT, NO_KAFKA, status=202),
            openapi_extra=raw_body(
                EventBody,
                EventsBody,
                one=_EVENT,
                several={"events": [_EVENT, {**_EVENT, "id": "o-2"}]},
            ),
        )(self.publish)
        router.post(
            "/v1/models/{model}/labels",
            operation_id="publishLabels",
            summary="Publish labels that come later",
            description="One label, or several in `labels`, of events that came without: to the "
            "model's labels topic, byte for byte. The event is learned, once, when the learner "
            "reads its label. What it refuses is on the topic `dlq.TOPIC`.",
            status_code=202,
            response_model=answers.PublishedEvents,
            responses=told(
                {"items": [{**_ITEM, "topic": "phishing.labels"}]}, BAD_LABEL, NO_KAFKA, status=202
            ),
            openapi_extra=raw_body(LabelBody, LabelsBody, one=_LABEL, several={"labels": [_LABEL]}),
        )(self.labels)


def _item(event: Event, place: Published) -> dict[str, Any]:
    own_id = f"{place.topic}-{place.partition}-{place.offset}"
    return {
        "id": event.id if event.id is not None else own_id,
        "topic": place.topic,
        "partition": place.partition,
        "offset": place.offset,
    }


async def _publish_all(
    publisher: Publisher, topic: str, events: list[tuple[bytes, Event]], headers: RecordHeaders
) -> list[Published]:
    """Publish in order, the first alone: one record finds out that Kafka is away, not thousands.

    Raises:
        HttpProblem: One was not acknowledged; what comes after its batch was not tried.
    """
    done: list[Published] = []
    for first, end in _batches(len(events)):
        tried = await asyncio.gather(
            *(
                publisher.publish(topic, _key(event), text, headers)
                for text, event in events[first:end]
            ),
            return_exceptions=True,
        )
        done += [place for place in tried if not isinstance(place, BaseException)]
        for error in tried:
            if isinstance(error, BaseException):
                raise _not_acknowledged(error, len(done), len(events)) from error
    return done


def _batches(count: int) -> Iterator[tuple[int, int]]:
    yield 0, 1
    for first in range(1, count, _BATCH):
        yield first, min(first + _BATCH, count)


def _check_format(model_file: ModelFile) -> None:
    if model_file.topics.format != "json":
        topic = model_file.topics.events
        detail = f"{topic} takes lines of Vowpal Wabbit's text: `weir send`, or a Kafka client"
        raise HttpProblem(422, "wrong_format", detail)


def _check_count(events: list[tuple[bytes, Event]], pointer: str) -> None:
    if not 0 < len(events) <= EVENTS_MAX:
        detail = f"{pointer}: {len(events)} of them, from 1 to {EVENTS_MAX} are taken at once"
        raise HttpProblem(422, "bad_value", detail, pointer=pointer)


def _key(event: Event) -> bytes | None:
    key = event.key if event.key is not None else event.id
    return None if key is None else key.encode()


def _not_acknowledged(error: BaseException, done: int, count: int) -> HttpProblem:
    problem = problem_of(error) if isinstance(error, Exception) else None
    if problem is None:
        raise error
    if count > 1:
        problem.detail = f"{done} of {count} events were acknowledged: {problem.detail}"
    return problem
