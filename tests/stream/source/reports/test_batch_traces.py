"""Which batches are traced, what their spans are linked to, and which commit has them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from checkpoints.records.line import Line
from config.traces.context import TraceContext
from learner.values import Reason, Refusal
from stream.between.messages import Took
from stream.kafka.batches.record_batches import Record
from stream.source.in_flight import InFlight, Taken
from stream.source.reports import batch_traces
from stream.source.reports.batch_traces import BatchTraces
from tests.checkpoints.builders import a_manifest


@dataclass
class Made:
    """A span that ended at once."""

    name: str
    links: list[TraceContext]
    context: TraceContext
    attributes: dict[str, Any] = field(default_factory=dict)

    def end(self, attributes: Mapping[str, Any]) -> None:
        self.attributes = dict(attributes)


@dataclass
class Making:
    """Keeps spans, in the place of what sends them."""

    spans: list[Made] = field(default_factory=list)

    def begin(
        self, name: str, kind: str, *, links: Iterable[TraceContext], at_ns: int | None = None
    ) -> Made:
        assert kind == ("internal" if name == "commit" else "consumer")
        self.spans.append(Made(name, list(links), _context(1000 + len(self.spans))))
        return self.spans[-1]


def _context(number: int) -> TraceContext:
    return TraceContext(f"{number:032x}", f"{number:016x}")


def _record(offset: int, *, traced: int | None = None, flags: bytes = b"01") -> Record:
    header = _context(traced).header[:-2] + flags if traced is not None else b""
    headers = (("other", None), ("traceparent", header)) if traced is not None else ()
    return Record("t", 0, offset, 0, None, b"{}", headers)


def _taken(
    records: list[Record], ids: list[str | None] | None = None, refused: Iterable[int] = ()
) -> Taken:
    refusal = Refusal(Reason.not_json, "not JSON", "decode")
    batch = InFlight("t", 0, records, [(place, refusal) for place in refused], 0, ids=ids)
    return Taken(batch, len(records), [(records[place], refusal) for place in refused])


TOOK = Took(1, [], [("ADWIN", "worse")], 0.01)


@pytest.fixture
def making() -> Making:
    return Making()


@pytest.fixture
def traces(making: Making) -> BatchTraces:
    return BatchTraces(making, "m")  # type: ignore[arg-type]


def test_a_batch_without_a_traced_record_is_none(traces: BatchTraces, making: Making) -> None:
    traces.took(_taken([_record(0), _record(1, traced=1, flags=b"00")], ["a", "b"]), TOOK)
    assert making.spans == []


def test_a_batch_is_linked_to_each_of_its_traced_records(
    traces: BatchTraces, making: Making
) -> None:
    records = [_record(7), _record(8, traced=1), _record(9, traced=2), _record(10, traced=1)]
    traces.took(_taken(records, refused=[0]), TOOK)

    (span,) = making.spans
    assert span.name == "process t"
    assert span.links == [_context(1), _context(2)]
    assert span.attributes == {
        "weir.model": "m",
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": "t",
        "messaging.destination.partition.id": "0",
        "messaging.kafka.offset": 7,
        "messaging.batch.message_count": 4,
        "weir.learned": 4,
        "weir.refused": 1,
        "weir.drifts": 1,
    }


def test_a_label_that_nobody_traced_is_linked_to_its_traced_event(
    traces: BatchTraces, making: Making
) -> None:
    """Ids are those of the records that the screen admitted."""
    traces.took(_taken([_record(0), _record(1, traced=5)], ["e-1"], refused=[0]), TOOK)
    traces.took(_taken([_record(2), _record(3)], ["other", "e-1"]), TOOK)
    traces.took(_taken([_record(4)], ["other"]), TOOK)

    assert [span.links for span in making.spans] == [[_context(5)], [_context(5)]]


def test_events_are_remembered_up_to_a_bound(
    traces: BatchTraces, making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_traces, "IDS_MAX", 2)
    for number in range(3):
        traces.took(_taken([_record(number, traced=number + 1)], [f"e-{number}"]), TOOK)
    making.spans.clear()
    for number in range(3):
        traces.took(_taken([_record(10 + number)], [f"e-{number}"]), TOOK)
    assert [span.links for span in making.spans] == [[_context(2)], [_context(3)]]


def test_a_commit_is_linked_to_the_batches_that_it_has_and_no_others(
    traces: BatchTraces, making: Making
) -> None:
    for number in range(4):
        traces.took(_taken([_record(number, traced=number + 1)]), TOOK)
    batches = [span.context for span in making.spans]
    making.spans.clear()
    for number, following in enumerate((2, 2, 4), 1):
        traces.committed(a_manifest(Line("m"), number=number, offsets={"t": {"0": following}}))

    first, second = making.spans
    assert (first.name, first.links) == ("commit", batches[:2])
    assert first.attributes == {"weir.model": "m", "weir.version": "v1", "weir.learned": 10}
    assert second.links == batches[2:]
