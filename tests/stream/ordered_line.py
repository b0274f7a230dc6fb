"""A line of numbered events and its operator: what rewinds and new beginnings are tried on."""

from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import msgspec
from kafka import KafkaProducer

from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from checkpoints.reading.going_back import AskLog
from checkpoints.records.manifest import Version
from config.processes.scratch import private_folder
from tests.stream.rewind_truth import apart, learned, read_log
from tests.stream.rig import Rig, events

NOON_S = 1_700_049_600  # 2023-11-15T12:00:00Z; a second for each event
SLOW = "tests.stream.recorder:PatientRecorder"


@dataclass(slots=True)
class Line:
    """A model line and its operator."""

    at: Rig
    sent: int = 0

    def send(self, count: int, *, bad: Iterable[int] = ()) -> None:
        """So many numbered events, each a second later; those that are bad have a wrong label."""
        made, wrong = events(self.sent + count, seed=1), set(bad)
        topic = self.at.model_file.topics.events
        with closing(KafkaProducer(bootstrap_servers=self.at.kafka, linger_ms=5)) as producer:
            for n in range(self.sent, self.sent + count):
                told = {"id": f"e-{n}", "ts": NOON_S + n, **made[n]}
                told["label"] = told["label"] != (n in wrong)
                source = b"till-3" if n in wrong else b"till-1"
                headers = [("weir-source", source)]
                producer.send(topic, value=msgspec.json.encode(told), headers=headers)
            producer.flush()
        self.sent += count

    def learns(self, count: int, **how: Any) -> Version:
        """Send so many, as `send` does; the head when all is learned."""
        self.send(count, **how)
        return self.settle()

    def settle(self) -> Version:
        """The head, when all that was sent is learned and no rewind is under way."""
        self.at.until(self.is_settled, "all is learned")
        return self.head

    def is_settled(self) -> bool:
        return self.at.consumed() == self.sent and self.at.reader().checked().rewinding is None

    @property
    def head(self) -> Version:
        found = self.at.head()
        assert found is not None
        return found

    @property
    def candidate(self) -> Version | None:
        """How far a rewind has come."""
        return self.at.candidate()

    def order(self, command: str, *, ask_log: AskLog | None = None, **more: Any) -> dict[str, Any]:
        """Carried out, and waited for."""
        operator = Operator(
            self.at.store, self.at.keys.signer("operator"), self.at.keys.verifier, who="ann",
            ask_log=ask_log,
        )  # fmt: skip
        return operator.run(self.at.line, Order(command=command, reason="test", **more))

    def rewind(self, to: Version, *skip: str, **more: Any) -> dict[str, Any]:
        return self.order("rollback", to=to.manifest.name, mode="rewind", skip=skip, **more)

    def learned(self) -> list[int]:
        """The numbers that the head has learned, in order."""
        return list(self.at.payload()["estimator"].learned)

    def apart(self, left_out: Iterable[int]) -> list[str]:
        """In what the head is not what learns the log without these offsets."""
        log = read_log(self.at, self.head.manifest.offsets)
        topic = self.at.model_file.topics.events
        order = [(topic, 0, n) for n in range(self.sent) if n not in set(left_out)]
        with private_folder(None) as scratch:
            truth, met = learned(self.at, log, order, scratch)
            return apart(self.at, self.head, truth, met, scratch)


def kept(place: dict[str, Any]) -> dict[str, Any]:
    """The place, with a model of which retention drops nothing meanwhile."""
    every, text = "every_seconds: 0.05", place["model_text"]
    return {**place, "model_text": text.replace(every, f"{every}, keep: {{last: 500}}")}


def slow(place: dict[str, Any]) -> dict[str, Any]:
    """The same, with a learner that takes its time."""
    return {**kept(place), "model_text": kept(place)["model_text"].replace(
        "tests.stream.recorder:Recorder", SLOW
    )}  # fmt: skip


def has_come_beyond(line: Line, offset: int) -> Callable[[], bool]:
    def has() -> bool:
        found = line.candidate
        return found is not None and place_of(found) > offset

    return has


def place_of(version: Version) -> int:
    """The next offset of the events."""
    return version.manifest.offsets[f"{version.manifest.model}.events"]["0"]
