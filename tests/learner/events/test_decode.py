"""From bytes to an event or a refusal: each kind of bad input by its reason, and never an error."""

import json
import time

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.model_file import parse_model_file
from learner.events.decode import decoder, label_decoder
from learner.values import Event, Reason, Refusal
from tests.effort import examples

JSON_MODEL = "name: a\ntask: binary\nlearner: {river: [linear_model.LogisticRegression]}\n"
VW_MODEL = "name: a\ntask: binary\nlearner: {vw: --quiet}\ntopics: {format: vw}\n"
DECODE = decoder(parse_model_file(JSON_MODEL))
DECODE_VW = decoder(parse_model_file(VW_MODEL))

NINES = b"9" * 5000

POISON: list[tuple[str, bytes | None, Reason]] = [
    ("tombstone", None, Reason.tombstone),
    ("empty", b"", Reason.not_json),
    ("cut short", b'{"features": {}', Reason.not_json),
    ("not UTF-8", b"\xff\xfe", Reason.not_json),
    ("not UTF-8 inside", b'{"features": {"a": "\xff"}}', Reason.not_json),
    ("a raw surrogate", b'{"features": {"a": "\xed\xa0\x80"}}', Reason.not_json),
    ("a byte order mark", b'\xef\xbb\xbf{"features": {}}', Reason.not_json),
    ("UTF-16", '{"features": {}}'.encode("utf-16"), Reason.null_byte),
    ("two documents", b'{"features": {}} {}', Reason.not_json),
    ("a trailing comma", b'{"features": {"a": 1,}}', Reason.not_json),
    ("single quotes", b"{'features': {}}", Reason.not_json),
    ("a raw line feed in a string", b'{"features": {"a": "\n"}}', Reason.not_json),
    ("a leading zero", b'{"features": {"a": 01}}', Reason.not_json),
    ("null", b"null", Reason.wrong_type),
    ("a list", b"[]", Reason.wrong_type),
    ("a number", b"42", Reason.wrong_type),
    ("a string", b'"x"', Reason.wrong_type),
    ("no features", b"{}", Reason.wrong_type),
    ("null features", b'{"features": null}', Reason.wrong_type),
    ("features a number", b'{"features": 3, "label": true}', Reason.wrong_type),
    ("features a list", b'{"features": [], "label": true}', Reason.wrong_type),
    ("a feature a list", b'{"features": {"a": [1, 2]}, "label": true}', Reason.wrong_type),
    ("id a number", b'{"features": {}, "id": 5}', Reason.wrong_type),
    ("key a number", b'{"features": {}, "key": 5}', Reason.wrong_type),
    ("weight a string", b'{"features": {}, "weight": "NaN"}', Reason.wrong_type),
    ("weight a boolean", b'{"features": {}, "weight": true}', Reason.wrong_type),
    ("ts a boolean", b'{"features": {}, "ts": true}', Reason.wrong_type),
    ("ts without zone", b'{"features": {}, "ts": "2024-01-01T00:00:00"}', Reason.wrong_type),
    ("ts a date", b'{"features": {}, "ts": "2024-01-01"}', Reason.wrong_type),
    ("ts of ISO 8601 only", b'{"features": {}, "ts": "20240101T000000Z"}', Reason.wrong_type),
    ("ts in no month", b'{"features": {}, "ts": "2024-13-01T00:00:00Z"}', Reason.wrong_type),
    ("half a surrogate pair", b'{"features": {"a": "\\ud800"}}', Reason.wrong_type),
    ("half a pair in a name", b'{"features": {"\\udc00": 1}}', Reason.wrong_type),
    ("NaN", b'{"features": {"a": NaN}, "label": true}', Reason.not_finite),
    ("Infinity", b'{"features": {"a": Infinity}}', Reason.not_finite),
    ("-Infinity", b'{"features": {"a": -Infinity}}', Reason.not_finite),
    ("1e400", b'{"features": {"a": 1e400}}', Reason.not_finite),
    ("weight 1e400", b'{"features": {}, "weight": 1e400}', Reason.not_finite),
    ("label NaN", b'{"features": {}, "label": NaN}', Reason.not_finite),
    ("5,000 digits", b'{"features": {"a": ' + NINES + b"}}", Reason.out_of_bounds),
    ("a long weight", b'{"features": {}, "weight": ' + NINES + b"}", Reason.out_of_bounds),
    ("10 MB", b'{"features": {"a": "' + b"x" * 10_000_000 + b'"}}', Reason.too_large),
    ("100,000 lists deep", b"[" * 100_000, Reason.too_deep),
    ("100,000 objects deep", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, Reason.too_deep),
    ("three levels", b'{"features": {"a": {"b": {"c": 1}}}}', Reason.too_deep),
    ("a deep label", b'{"features": {}, "label": [[[[]]]]}', Reason.too_deep),
    ("a null byte", b"\x00\x00\x00\x00\x07abc", Reason.null_byte),
    ("a null byte in a string", b'{"features": {"\x00": 1}}', Reason.null_byte),
    ("an escaped null in a name", b'{"features": {"\\u0000": 1}}', Reason.null_byte),
    ("an escaped null in a value", b'{"features": {"a": "x\\u0000"}}', Reason.null_byte),
    ("an escaped null in the id", b'{"features": {}, "id": "\\u0000"}', Reason.null_byte),
    ("an unknown field", b'{"features": {}, "lable": true}', Reason.unknown_field),
    ("another case", b'{"Features": {}}', Reason.unknown_field),
    ("VW text in JSON", b'{"features": {}, "text": "1 | a"}', Reason.unknown_field),
    ("a schema registry's frame", b'\x01\x02{"features": {}}', Reason.not_json),
    ("a label with a weight", b'{"id": "a", "label": true, "weight": 2}', Reason.unknown_field),
    ("a label of no event", b'{"label": true}', Reason.wrong_type),
    ("a label a list", b'{"features": {}, "label": [true]}', Reason.bad_label),
    ("a label an object", b'{"features": {}, "label": {"a": 1}}', Reason.bad_label),
]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "reason"), [(v, r) for _, v, r in POISON], ids=[name for name, *_ in POISON]
)
def test_each_bad_input_has_its_reason(value, reason):
    """As the documents name them, with a detail to read, at the stage where it was noticed."""
    found = DECODE(value, ())

    assert isinstance(found, Refusal)
    assert (reason, "decode") == (found.reason, found.stage)
    assert found.detail
    assert len(found.detail) < 400


@pytest.mark.parametrize(
    "value",
    [
        b'"' + b'\\"' * 500_000,
        b'{"a": "' + b"\\" * 1_000_000,
        b'"a' * 500_000,
        b"[],{}," * 170_000,
        b"{" * 3 + b'"' * 1_000_000,
    ],
    ids=["escapes without end", "backslashes", "quotes", "brackets", "open strings"],
)
def test_a_megabyte_of_poison_is_refused_in_no_time(value):
    """A search that backtracks over it would take hours, and the watchdog would end the learner."""
    started = time.process_time()

    found = DECODE(value, ())

    assert Reason.not_json is found.reason
    assert time.process_time() - started < 2


def test_numbers_keep_their_kind_and_features_their_order():
    """Without fraction and exponent an int, else a float; null stays for the gate to leave out."""
    text = b'{"features": {"z": 1, "a": 1.0, "m": 1e2, "b": -0, "c": -0.0, "t": true, "n": null}}'

    features = DECODE(text, ()).features

    assert list(features) == ["z", "a", "m", "b", "c", "t", "n"]
    assert list(map(repr, features.values())) == ["1", "1.0", "100.0", "0", "-0.0", "True", "None"]


def test_nested_features_stay_nested():
    """One level; flattening is the gate's, as the learner wants it."""
    found = DECODE(b'{"features": {"u": {"a": 1, "b": "x"}, "v": 2}, "label": 1}', ())

    assert found.features == {"u": {"a": 1, "b": "x"}, "v": 2}


def test_of_a_name_given_twice_the_last_counts():
    """As every decoder of JSON here reads it."""
    found = DECODE(b'{"features": {"a": 1, "a": "x"}, "label": 1, "label": 2}', ())

    assert (found.features, found.label) == ({"a": "x"}, 2)


def test_an_integer_of_400_digits_is_left_to_the_gate():
    """The decoder takes it; `limits.value` refuses it."""
    assert int("9" * 400) == DECODE(b'{"features": {"a": ' + b"9" * 400 + b"}}", ()).features["a"]


def test_an_escaped_backslash_before_u0000_is_no_null():
    """The mere bytes look like one."""
    assert DECODE(b'{"features": {"a": "\\\\u0000"}}', ()).features == {"a": "\\u0000"}


@pytest.mark.parametrize(
    "ts",
    [
        '"2024-01-01T00:00:00Z"',
        '"2024-01-01t00:00:00.123456789z"',
        '"2024-01-01 23:59:60+01:30"',
        "1704067200",
        "1704067200.25",
        "null",
    ],
)
def test_a_time_is_rfc_3339_or_epoch_seconds(ts):
    """Leap seconds and nanoseconds included."""
    assert isinstance(DECODE(b'{"features": {}, "ts": ' + ts.encode() + b"}", ()), Event)


def test_the_depth_limit_is_the_model_files():
    """At depth 1 a nested feature passes the decoder, and the gate refuses it."""
    shallow = decoder(parse_model_file(JSON_MODEL + "limits: {depth: 1}"))

    assert isinstance(shallow(b'{"features": {"a": {"b": 1}}}', ()), Event)
    assert Reason.too_deep is shallow(b'{"features": {"a": [[1]]}}', ()).reason


def test_the_record_limit_is_the_model_files():
    """A record of just that size passes."""
    small = decoder(parse_model_file(JSON_MODEL + "limits: {record: 20}"))

    assert isinstance(small(b'{"features":{"a":1}}', ()), Event)
    assert Reason.too_large is small(b'{"features":{"a":12}}', ()).reason


ENVELOPE = {
    "specversion": "1.0", "id": "e-1", "source": "s", "type": "t", "time": "2024-01-01T00:00:00Z",
    "anextension": 5,
}  # fmt: skip
STRUCTURED = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
BINARY = [
    ("ce_specversion", b"1.0"), ("ce_id", b"e-1"), ("ce_source", b"s"), ("ce_type", b"t"),
    ("ce_time", b"2024-01-01T00:00:00Z"), ("content-type", b"application/json"),
]  # fmt: skip


def structured(data, **changed):
    return json.dumps({**ENVELOPE, **changed, "data": data}).encode()


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b'{"features": {"a": 1.5}, "label": true}', BINARY),
        (structured({"features": {"a": 1.5}, "label": True}), STRUCTURED),
    ],
    ids=["binary", "structured"],
)
def test_a_cloudevent_is_the_event_with_the_envelopes_id_and_time(value, headers):
    """Both modes of the Kafka binding."""
    found = DECODE(value, headers)

    assert (found.features, found.label) == ({"a": 1.5}, True)
    assert (found.id, found.ts) == ("e-1", "2024-01-01T00:00:00Z")


def test_the_events_own_id_and_time_win():
    """The envelope only fills in what is left out."""
    found = DECODE(structured({"features": {}, "id": "own", "ts": 5}), STRUCTURED)

    assert (found.id, found.ts) == ("own", 5)


@pytest.mark.parametrize(
    ("value", "headers", "reason"),
    [
        (b'{"features": {}}', STRUCTURED, Reason.wrong_type),
        (b"", STRUCTURED, Reason.not_json),
        (b"[" * 100_000, STRUCTURED, Reason.too_deep),
        (structured(0)[:-2] + b"[" * 100_000 + b"}", STRUCTURED, Reason.too_deep),
        (structured({"features": {"a": float("nan")}}), STRUCTURED, Reason.not_finite),
        (structured({"features": {"a": 1}, "lable": 1}), STRUCTURED, Reason.unknown_field),
        (structured({"features": {"a": "\0"}}), STRUCTURED, Reason.null_byte),
        (structured({"features": {}}, id=5), STRUCTURED, Reason.wrong_type),
        (structured({"features": {}}, time="soon"), STRUCTURED, Reason.wrong_type),
        (structured(None), STRUCTURED, Reason.wrong_type),
        (b'{"features": {"a": NaN}}', BINARY, Reason.not_finite),
        (b'{"features": {}}', [*BINARY[:2], ("ce_time", b"soon")], Reason.wrong_type),
        (None, BINARY, Reason.tombstone),
    ],
)  # fmt: skip
def test_a_bad_cloudevent_has_its_reason(value, headers, reason):
    """The same reasons as without an envelope."""
    found = DECODE(value, headers)

    assert reason is found.reason


@pytest.mark.parametrize(
    "headers",
    [
        [("content-type", None)],
        [("ce_specversion", None), ("ce_id", None), ("ce_time", None)],
        [("ce_specversion", b"1.0"), ("ce_id", b"\xff\xfe")],
        [("", b""), ("traceparent", b"\x00")],
    ],
)
def test_headers_of_any_kind_harm_nothing(headers):
    """A header's value may be null, or no text at all."""
    assert DECODE(b'{"features": {"a": 1}}', headers).features == {"a": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (None, Reason.tombstone),
        (b"", Reason.wrong_type),
        (b"1", Reason.wrong_type),
        (b"1 |f a:nan", Reason.not_finite),
        (b"1 |f a:1e13", Reason.out_of_bounds),
        (b"1 |f a:x", Reason.wrong_type),
        (b"one |f a:1", Reason.bad_label),
        (b"1 |f a\x00:1", Reason.null_byte),
        (b"1 |f a\n1 |f b", Reason.wrong_type),
        (b"1 |f \xff", Reason.wrong_type),
        (b"1 |f " + b"x" * 2_000_000, Reason.too_large),
        (b"1 |f " + b"x" * 900_000, Reason.too_large),
        (b"1 |f " + b"x " * 60_000, Reason.too_many_features),
    ],
)
def test_bad_vw_text_has_its_reason(line, reason):
    """VW itself would read most of these without a word."""
    assert reason is DECODE_VW(line, ()).reason


def test_vw_text_goes_on_as_it_is():
    """Label, importance and tag are read beside it."""
    found = DECODE_VW(b"1 0.5 'order-7|f a:2 b", [("content-type", None)])

    assert found.text == "1 0.5 'order-7|f a:2 b"
    assert (found.label, found.weight, found.id) == (1, 0.5, "order-7")


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
feature_sets = st.dictionaries(texts, scalars | st.dictionaries(texts, scalars, max_size=3))
event_documents = st.fixed_dictionaries(
    {"features": feature_sets},
    optional={
        "id": texts, "key": texts, "label": st.booleans() | numbers | texts, "weight": numbers,
        "ts": st.floats(0, 4e9) | st.integers(0, 2**40),
    },
)  # fmt: skip


def exact(value):
    """Something equal only for equal values of equal types in equal order."""
    if isinstance(value, dict):
        return [(k, exact(v)) for k, v in value.items()]
    return type(value), repr(value)


@given(event_documents)
def test_an_event_reads_back_as_it_was_written(document):
    """Types and order included, whoever wrote the JSON."""
    for text in (json.dumps(document).encode(), msgspec.json.encode(document)):
        found = DECODE(text, ())

        assert isinstance(found, Event)
        for name, value in document.items():
            assert exact(value) == exact(getattr(found, name))


@settings(max_examples=examples(300))
@given(st.binary(max_size=200) | st.none())
def test_any_bytes_are_an_event_or_a_refusal(value):
    """In every format, with and without an envelope; nothing is raised."""
    for decode in (DECODE, DECODE_VW):
        for headers in ((), BINARY, STRUCTURED):
            assert isinstance(decode(value, headers), Event | Refusal)


fragments = st.sampled_from(
    ['{"features":', '"features"', "{", "}", "[", "]", ",", ":", '"', "\\", "NaN", "1e999", "-",
     "1", '"a"', "null", "true", '"label":', '"\\ud800"', "\\u0000", "\x00", "é", " ", '"id":"x",']
)  # fmt: skip


@settings(max_examples=examples(500))
@given(st.lists(fragments, max_size=25))
def test_any_broken_json_is_an_event_or_a_refusal(parts):
    """What looks like an event and is none."""
    value = "".join(parts).encode()

    for headers in ((), BINARY, STRUCTURED):
        found = DECODE(value, headers)

        assert isinstance(found, Event | Refusal)
        if isinstance(found, Event):
            json.loads(value)  # no event is made of what is not JSON


@given(event_documents, st.sampled_from(["id", "label", "weight", "ts", "key", "features"]))
def test_a_field_of_a_wrong_type_is_refused(document, name):
    """Never converted."""
    document[name] = [document.get(name)]

    found = DECODE(json.dumps(document).encode(), ())

    assert isinstance(found, Refusal)
    assert found.reason in {Reason.wrong_type, Reason.bad_label, Reason.too_deep}


@pytest.mark.parametrize(
    ("record", "detail"),
    [
        (b'{"label": true}', "/id: it is missing or null"),
        (b'{"id": null, "label": true}', "/id: it is missing or null"),
        (b'{"id": "a"}', "/label: it is missing or null"),
        (b'{"id": "a", "label": true, "weight": 2}', "/weight: a label on its own has no weight"),
        (b'{"id": "a", "label": true, "ts": "noon"}', "/ts: 'noon' is no RFC 3339 time"),
        (b'{"id": "a", "label": true, "features": {}}', "/features: a label on its own has none"),
    ],
)
def test_what_is_no_label_is_told_by_its_member(record: bytes, detail: str) -> None:
    refusal = label_decoder(parse_model_file(JSON_MODEL))(record)
    assert isinstance(refusal, Refusal)
    assert refusal.detail.startswith(detail)
