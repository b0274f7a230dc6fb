"""The last detections as the API tells them: what was found, where, and in which version."""

from collections import deque
from datetime import UTC, datetime
from typing import TypedDict

import msgspec

from learner.drift.monitor import Detection
from learner.estimator import finite

KEPT = 1_000

# The year 9999, as far as RFC 3339 goes: a producer may write any number as a record's timestamp.
_TIMESTAMP_MS_MAX = 253_402_300_799_999


class DriftRecord(TypedDict):
    """One detection with its place; `version` is None until a version holds it."""

    detector: str
    on: str
    index: int
    version: str | None
    topic: str
    partition: int
    offset: int
    before: float | None
    after: float | None
    direction: str
    episode: int
    at: str


class _Segment(TypedDict):
    total: int
    items: list[DriftRecord]


class DriftLog:
    """The last 1,000 detections, and how many there ever were.

    >>> log = DriftLog()
    >>> told = {"detector": "ADWIN", "on": "error", "direction": "worse", "episode": 1}
    >>> found = Detection(index=9, before=0.1, after=0.4, **told)
    >>> log.add(found, "events", 0, 12, timestamp_ms=1_000)
    >>> log.settle("v2")
    >>> [(each["offset"], each["version"], each["at"]) for each in log.items]
    [(12, 'v2', '1970-01-01T00:00:01.000Z')]
    >>> DriftLog.from_json(log.to_json()).total
    1
    """

    def __init__(self) -> None:
        self.total = 0
        self._records: deque[DriftRecord] = deque(maxlen=KEPT)

    @property
    def items(self) -> list[DriftRecord]:
        """The detections kept, newest first."""
        return list(reversed(self._records))

    def add(
        self, detection: Detection, topic: str, partition: int, offset: int, timestamp_ms: int
    ) -> None:
        """Keep a detection with the place and the time of the record that raised it.

        Args:
            detection: What was found.
            topic: Of the record, as are the next two.
            partition: Kafka's number.
            offset: Of the record itself, not the next.
            timestamp_ms: The record's, Unix epoch, UTC; moved into the years 1970 to 9999.
        """
        record = DriftRecord(
            detector=detection.detector,
            on=detection.on,
            index=detection.index,
            version=None,
            topic=topic,
            partition=partition,
            offset=offset,
            before=finite(detection.before),  # a sum of huge distances may overflow
            after=finite(detection.after),
            direction=detection.direction,
            episode=detection.episode,
            at=_rfc3339(timestamp_ms),
        )
        self._records.append(record)
        self.total += 1

    def settle(self, version: str) -> None:
        """Name the version ("v17") that holds the detections added since the last one did."""
        for record in reversed(self._records):
            if record["version"] is not None:
                return
            record["version"] = version

    def to_json(self) -> bytes:
        """`{"total": n, "items": [newest, …]}`."""
        return msgspec.json.encode(_Segment(total=self.total, items=self.items))

    @classmethod
    def from_json(cls, text: bytes) -> "DriftLog":
        """The log that `to_json` wrote.

        Raises:
            msgspec.ValidationError, msgspec.DecodeError: It is none.
        """
        segment = msgspec.json.decode(text, type=_Segment)
        log = cls()
        log.total = segment["total"]
        log._records.extend(reversed(segment["items"]))
        return log


def within_years(timestamp_ms: int) -> int:
    """The time, moved into the years 1970 to 9999."""
    return min(max(timestamp_ms, 0), _TIMESTAMP_MS_MAX)


def _rfc3339(timestamp_ms: int) -> str:
    seconds, milliseconds = divmod(within_years(timestamp_ms), 1000)
    moment = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{moment}.{milliseconds:03d}Z"
