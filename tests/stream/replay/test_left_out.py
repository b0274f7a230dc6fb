"""Which records each kind of skip means: by the record alone, whatever it holds."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checkpoints.records.skips import skips_of
from config.model_file import parse_model_file
from stream.replay.in_order import Piece
from stream.replay.left_out import LeftOut, taken_of
from tests.effort import examples

RIVER = "{river: [linear_model.LogisticRegression]}"
MODEL = f"{{name: m, task: binary, learner: {RIVER}}}"
ONE_TOPIC = f"{{name: m, task: binary, learner: {RIVER}, topics: {{labels: m.events}}}}"
ANSWERS = (
    f"{{name: m, task: binary, learner: {RIVER}, "
    "late_labels: {horizon: 1d, features: predictions}}"
)
VW = "{name: m, task: binary, learner: {vw: '--loss_function logistic'}, topics: {format: vw}}"

EVENTS, LABELS = "m.events", "m.labels"
# The time of a record that says nothing else of it: noon of a day.
NOON_MS = 1_700_049_600_000
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=utf-8")]


def a_record(value=b'{"features": {"a": 1}, "label": true}', *, headers=(), offset=7, at=NOON_MS):
    return SimpleNamespace(value=value, headers=list(headers), offset=offset, timestamp=at)


def is_left_out(skip, record, *, topic=EVENTS, partition=0, model=MODEL):
    skips = skips_of([skip] if isinstance(skip, str) else skip)
    left_out = LeftOut(skips, parse_model_file(model))
    (piece,) = left_out.split(Piece(topic, partition, [record]))
    assert piece[:3] == (topic, partition, [record])
    return piece.is_left_out


# By place -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skip", "topic", "partition", "expected"),
    [
        ("0:7-7", EVENTS, 0, True),
        ("0:0-6", EVENTS, 0, False),
        ("0:8-9", EVENTS, 0, False),
        ("1:7-7", EVENTS, 0, False),
        ("0:7-7", LABELS, 0, False),
        ("m.labels/0:7-7", LABELS, 0, True),
        ("m.labels/0:7-7", EVENTS, 0, False),
    ],
)
def test_offsets_are_of_the_events_topic_unless_another_is_named(skip, topic, partition, expected):
    """Both ends are included."""
    record = a_record(b'{"id": "e", "label": true}' if topic == LABELS else b"{}")
    assert is_left_out(skip, record, topic=topic, partition=partition) == expected


@settings(max_examples=examples(200), deadline=None)
@given(
    offsets=st.lists(st.integers(0, 60), unique=True, min_size=1, max_size=40).map(sorted),
    spans=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), max_size=4),
)
def test_a_stretch_is_split_where_something_is_left_out(offsets, spans):
    """Nothing is lost, and the pieces follow each other."""
    skips = skips_of([f"0:{first}-{first + more}" for first, more in spans])
    records = [a_record(offset=at) for at in offsets]
    pieces = taken_of(LeftOut(skips, parse_model_file(MODEL)), [Piece(EVENTS, 0, records)])

    assert [record for piece in pieces for record in piece.records] == records
    assert all(piece.records for piece in pieces)
    for piece in pieces:
        for record in piece.records:
            meant = any(first <= record.offset <= first + more for first, more in spans)
            assert piece.is_left_out == meant
    assert all(piece.is_left_out != following.is_left_out for piece, following in pairwise(pieces))


def test_what_was_left_out_before_stays_so_unasked():
    stretch = Piece(EVENTS, 0, [a_record(None)], is_left_out=True)
    assert taken_of(LeftOut(skips_of([]), parse_model_file(MODEL)), [stretch]) == [stretch]


# By source ----------------------------------------------------------------------------------------

BINARY = [("ce_specversion", b"1.0"), ("ce_id", b"x"), ("ce_source", b"till-3")]
ENVELOPE = (
    b'{"specversion": "1.0", "id": "x", "source": "till-3", "type": "t", '
    b'"time": "2023-11-15T12:00:00Z", "data": {"features": {"a": 1}, "label": true}}'
)


@pytest.mark.parametrize(
    ("value", "headers", "expected"),
    [
        (b"{}", [("weir-source", b"till-3")], True),
        (b"{}", [("Weir-Source", b"till-3")], True),
        (b"{}", [("weir-source", b"till-3#17")], True),
        (b"{}", [("weir-source", b"till-4")], False),
        (b"{}", [("weir-source", b"till-33")], False),
        (b"{}", [("weir-source", None)], False),
        (b"{}", [], False),
        (b"{}", BINARY, True),
        (b"{}", [*BINARY, ("weir-source", b"till-4")], True),
        (b"{}", [("ce_source", b"till-3")], False),
        (b"{}", [("ce_specversion", b"1.0"), ("weir-source", b"till-3")], True),
        (ENVELOPE, STRUCTURED, True),
        (ENVELOPE.replace(b"till-3", b"till-4"), STRUCTURED, False),
        (b"no json", [*STRUCTURED, ("weir-source", b"till-3")], True),
        (None, [("weir-source", b"till-3")], True),
        (None, STRUCTURED, False),
    ],
)
def test_a_source_is_that_of_cloudevents_or_else_of_our_header(value, headers, expected):
    """Of what is no event, too: whoever sent it is told by its headers."""
    assert is_left_out("source:till-3", a_record(value, headers=headers)) == expected


# By id --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "headers", "topic", "model", "expected"),
    [
        (b'{"id": "a", "features": {}, "label": true}', [], EVENTS, MODEL, True),
        (b'{"id": "b", "features": {}, "label": true}', [], EVENTS, MODEL, False),
        (b'{"features": {}, "label": true}', [*BINARY[:1], ("ce_id", b"a")], EVENTS, MODEL, True),
        (b'{"id": "a", "label": true}', [], LABELS, MODEL, True),
        (b'{"id": "a", "label": true}', [], EVENTS, ONE_TOPIC, True),
        (b'{"prediction_id": "a", "features": {}}', [], "m.predictions", ANSWERS, True),
        (b'{"prediction_id": "b", "features": {}}', [], "m.predictions", ANSWERS, False),
        (b"1 'a | x:1", [], EVENTS, VW, True),
        (b"1 'b | x:1", [], EVENTS, VW, False),
        (b'{"id": "a", "features": {}, "weight": "much"}', [], EVENTS, MODEL, False),
        (None, [], EVENTS, MODEL, False),
    ],
)
def test_an_id_means_the_event_and_its_labels(value, headers, topic, model, expected):
    """Wherever they stand; what cannot be decoded gives none."""
    record = a_record(value, headers=headers)
    assert is_left_out("id:a", record, topic=topic, model=model) == expected


@pytest.mark.parametrize("value", [b'{"features": {}, "label": true}', b"no json", None])
def test_what_gives_no_id_has_its_place(value):
    """Whether it can be decoded or not."""
    record = a_record(value)
    assert is_left_out("id:m.events-3-7", record, partition=3)
    assert not is_left_out("id:m.events-3-8", record, partition=3)


# By time ------------------------------------------------------------------------------------------

SPAN = "time:2023-11-15T12:00:00Z/2023-11-15T13:00:00Z"


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        (b'"2023-11-15T12:00:00Z"', True),
        (b'"2023-11-15T11:59:59.999Z"', False),
        (b'"2023-11-15T12:59:59.999Z"', True),
        (b'"2023-11-15T13:00:00Z"', False),
        (b'"2023-11-15T14:30:00+02:00"', True),
        (b'"2023-11-15t12:30:00z"', True),
        (b"1700049600", True),
        (b"1700049599.999", False),
        (b"1700053199.999", True),
        (b"1700053200", False),
    ],
)
def test_a_span_of_time_begins_with_its_first_moment_and_ends_before_its_last(ts, expected):
    """The event's own time counts, and not that of its record."""
    value = b'{"features": {}, "label": true, "ts": %s}' % ts
    assert is_left_out(SPAN, a_record(value, at=0)) == expected


@pytest.mark.parametrize(
    ("value", "headers"),
    [(b'{"features": {}, "label": true}', []), (b"no json", []), (None, []), (ENVELOPE, [])],
)
@pytest.mark.parametrize(("at", "expected"), [(NOON_MS, True), (NOON_MS - 1, False)])
def test_what_gives_no_time_has_that_of_its_record(value, headers, at, expected):
    """Malformed records, too."""
    assert is_left_out(SPAN, a_record(value, headers=headers, at=at)) == expected


def test_the_time_of_an_envelope_is_the_event_s():
    assert is_left_out(SPAN, a_record(ENVELOPE, headers=STRUCTURED, at=0))


def test_several_skips_mean_whatever_any_of_them_means():
    skip = ["id:a", "source:till-3", "1:0-9", SPAN]
    by_id = a_record(b'{"id": "a", "features": {}, "label": true}', at=0)
    by_source = a_record(headers=[("weir-source", b"till-3")], at=0)
    assert is_left_out(skip, by_id)
    assert is_left_out(skip, by_source)
    assert is_left_out(skip, a_record(at=0), partition=1)
    assert is_left_out(skip, a_record())
    assert not is_left_out(skip, a_record(at=0))


@settings(max_examples=examples(300), deadline=None)
@given(
    value=st.none() | st.binary(max_size=200) | st.sampled_from([ENVELOPE, b"null", b"[" * 9_000]),
    headers=st.lists(st.tuples(
        st.sampled_from(["ce_specversion", "content-type", "ce_id", "weir-source", "ce_source"]),
        st.none() | st.binary(max_size=20) | st.just(STRUCTURED[0][1]))),
    topic=st.sampled_from([EVENTS, LABELS, "m.predictions", "another"]),
    model=st.sampled_from([MODEL, ANSWERS, VW, ONE_TOPIC]),
)  # fmt: skip
def test_whatever_a_record_holds_it_is_told(value, headers, topic, model):
    record = a_record(value, headers=headers)
    skip = ["id:a", "source:b", "time:1970-01-01T00:00:00Z/1970-01-02T00:00:00Z"]
    assert is_left_out(skip, record, topic=topic, model=model) in (True, False)
