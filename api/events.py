"""Events by HTTP: decoded as the learner decodes them, published as written, acknowledged.

What an event's content is worth is for the learner's gate to say; what can be no event at all is
refused here, so that the client is told at once.
"""

import asyncio
from collections.abc import Iterator
from typing import Protocol

from api import answers
from api.bodies import EventBody, EventsBody, read_events
from api.operation import Call, Operation, json_answer
from api.problem import Answer, Problem, problem_of
from api.served import Served
from config.model_file import ModelFile
from learner.events.decode import decoder
from learner.values import Event

EVENTS_MAX = 10_000
_BATCH = 500  # records on their way at once

_EVENT = {"id": "order-1", "features": {"https": 1.0, "age_of_domain": 1}, "label": True}


class Published(Protocol):
    """Where Kafka keeps an acknowledged record."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...


class Publisher(Protocol):
    """Brings records to Kafka; `stream.producer.Publisher` is one, and `weir.py` hands it in.

    Until its first use it holds no thread and no connection, so that it can be forked.
    """

    async def publish(self, topic: str, key: bytes | None, value: bytes) -> Published:
        """Publish a record and wait until it is acknowledged; calls keep their order.

        Raises:
            Exception: With the `exit_code` of CONTRACT.md: 5 where Kafka does not answer.
        """
        ...

    def close(self) -> None:
        """Deliver what was taken, and give connections and threads back."""
        ...


class Events:
    """Answers `POST …/events`, and `POST …/labels` by 501.

    Args:
        served: The models, whose topics are published to.
        publisher: None: this process has no Kafka.
    """

    def __init__(self, served: Served, publisher: Publisher | None) -> None:
        self._served, self._publisher = served, publisher
        self._decode = {name: decoder(each.model_file) for name, each in served.lines.items()}

    async def publish(self, call: Call) -> Answer:
        """Publish one event or several, in order; 202 when Kafka has acknowledged all.

        Raises:
            Problem: 400, 422: an event is malformed, and none was published; 503: Kafka did not
                acknowledge all, and some may be there (an `id` lets the learner refuse repeats).
        """
        line = self._served.line(call.path["model"])
        _check_format(line.model_file)
        events = read_events(call.body, self._decode[line.name])
        _check_count(events)
        publisher = self._publisher
        if publisher is None:
            raise Problem(503, "unavailable", "this API was given no Kafka to publish to")
        topic = line.model_file.topics.events
        found = await _publish_all(publisher, topic, events)
        items = []
        for (_, event), place in zip(events, found, strict=True):
            own_id = f"{place.topic}-{place.partition}-{place.offset}"
            items.append(
                {
                    "id": event.id if event.id is not None else own_id,
                    "topic": place.topic,
                    "partition": place.partition,
                    "offset": place.offset,
                }
            )
        return json_answer({"items": items}, status=202)

    async def labels(self, call: Call) -> Answer:
        """Say that labels which come later are not joined yet.

        Raises:
            Problem: 501.
        """
        self._served.line(call.path["model"])
        detail = "labels that come later come with a later release; send the label in its event"
        raise Problem(501, "not_built", detail)

    def operations(self) -> list[Operation]:
        """The routes and their descriptions."""
        path = "/v1/models/{model}"
        example = {"id": "order-1", "topic": "phishing.events", "partition": 0, "offset": 1250}
        return [
            Operation(
                id="publishEvents",
                method="POST",
                path=f"{path}/events",
                tag="producers",
                summary="Publish events",
                what="One event, or several in `events`, to the model's Kafka topic, byte for "
                "byte. The answer comes when Kafka has acknowledged them. What the learner's gate "
                "refuses later is on the topic `dlq.TOPIC`.",
                scope="write",
                answer=self.publish,
                body=EventBody | EventsBody,
                bodies={"one": _EVENT, "several": {"events": [_EVENT, {**_EVENT, "id": "o-2"}]}},
                result=answers.PublishedEvents,
                example={"items": [example]},
                status=202,
                problems=(400, 404, 413, 415, 422, 503),
            ),
            Operation(
                id="publishLabels",
                method="POST",
                path=f"{path}/labels",
                tag="producers",
                summary="Publish labels that come later (not in this release)",
                scope="write",
                answer=self.labels,
                status=501,
                problems=(404, 413, 415, 501),
            ),
        ]


async def _publish_all(
    publisher: Publisher, topic: str, events: list[tuple[bytes, Event]]
) -> list[Published]:
    """Publish in order, the first alone: one record finds out that Kafka is away, not thousands.

    Raises:
        Problem: One was not acknowledged; what comes after its batch was not tried.
    """
    done: list[Published] = []
    for first, end in _batches(len(events)):
        tried = await asyncio.gather(
            *(publisher.publish(topic, _key(event), text) for text, event in events[first:end]),
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
        raise Problem(422, "wrong_format", detail)


def _check_count(events: list[tuple[bytes, Event]]) -> None:
    if not 0 < len(events) <= EVENTS_MAX:
        detail = f"/events: {len(events)} of them, from 1 to {EVENTS_MAX} are taken at once"
        raise Problem(422, "bad_value", detail, pointer="/events")


def _key(event: Event) -> bytes | None:
    key = event.key if event.key is not None else event.id
    return None if key is None else key.encode()


def _not_acknowledged(error: BaseException, done: int, count: int) -> Problem:
    problem = problem_of(error) if isinstance(error, Exception) else None
    if problem is None:
        raise error
    if count > 1:
        problem.detail = f"{done} of {count} events were acknowledged: {problem.detail}"
    return problem
