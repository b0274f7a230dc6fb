"""Kafka's door and HTTP's take the same events and refuse the same, for the same reason."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.model_file import parse_model_file
from learner.events.decode import FIELDS, decoder
from learner.events.why_malformed import json_pointer
from learner.values import Event, Refusal
from tests.api.running import PHISHING, Running, running
from tests.effort import examples

PATH = "/v1/models/phishing/events"
DECODE = decoder(parse_model_file(PHISHING))

TAKEN = [
    "2026-11-20T12:00:00Z",
    "2026-11-20t12:00:00z",
    "2016-12-31T23:59:60Z",
    "2016-12-31 23:59:60.25+00:00",
    "2024-02-29T00:00:00-23:59",
    "2026-11-20T12:00:00.123456789+05:30",
]
REFUSED = [
    "2026-11-20T12Z",
    "20261120T120000Z",
    "2026-11-20T12:00Z",
    "2026-W47-5T12:00:00Z",
    "2026-11-20T12:00:00+0530",
    "2026-11-20T12:00:00+05",
    "2026-11-20T12:00:00+05:60",
    "2026-11-20T12:60:00Z",
    "2026-11-20T12:00:61Z",
    "2026-11-20T24:00:00Z",
    "2026-11-20T12:00:00,5Z",
    "2025-02-29T12:00:00Z",
    "2026-11-20T12:00:00 Z",
    "٢٠٢٦-11-20T12:00:00Z",
    "2026-11-20T12:00:00",
    "",
]


@pytest.mark.parametrize("ts", TAKEN + REFUSED)
def test_a_time_is_taken_by_both_doors_or_by_neither(api: Running, ts: str) -> None:
    body = json.dumps({"features": {}, "label": True, "ts": ts}).encode()

    assert (
        _by_http(api, body) == _by_kafka(body) == (None if ts in TAKEN else ("wrong_type", "/ts"))
    )


def _by_http(api: Running, body: bytes) -> tuple[str, str] | None:
    """None: answered 202; else the code and the field of the problem."""
    answer = api.post(PATH, body)
    if answer.status_code == 202:
        return None
    problem = answer.json()
    return problem["code"], problem["errors"][0]["pointer"]


def _by_kafka(body: bytes) -> tuple[str, str] | None:
    """None: an event; else the reason and the field of the refusal."""
    found = DECODE(body, ())
    if isinstance(found, Event):
        # A label on its own has a door of its own over HTTP.
        return None if found.features is not None else ("wrong_type", "/features")
    assert isinstance(found, Refusal)
    return found.reason.value, json_pointer(found.path)


_texts = st.text(max_size=8) | st.sampled_from(["\0", "\ud800", "NaN", "a/b~c"])
_numbers = st.integers() | st.floats() | st.sampled_from([10**399, 10**401, -0.0])
_scalars = st.none() | st.booleans() | _numbers | _texts
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=6,
)
_two = st.integers(0, 62).map("{:02d}".format)
_times = st.builds(
    "{}{}-{}{}{}:{}:{}{}{}".format,
    st.sampled_from(["2026-", "2024-", "0000-", "26-", "2026"]),
    _two, _two, st.sampled_from(["T", "t", " ", "", "TT"]), _two, _two, _two,
    st.sampled_from(["", ".5", ",5", ".", ".123456789"]),
    st.sampled_from(["Z", "z", "", "+01:00", "-00:00", "+0100", "+24:00", "+01"]),
)  # fmt: skip
_features = st.dictionaries(_texts, _scalars | st.dictionaries(_texts, _scalars, max_size=2))
_right = st.fixed_dictionaries(
    {"features": _features},
    optional={
        "id": _texts, "key": _texts, "label": _scalars, "weight": _numbers,
        "ts": _times | st.sampled_from(TAKEN + REFUSED) | _numbers,
    },
)  # fmt: skip
_odd = st.dictionaries(st.sampled_from([*FIELDS, "lable", "text"]), _values, max_size=4)
_rights = _right.map(lambda each: json.dumps(each).encode())
_documents = (_right | _odd | _values.filter(lambda each: not isinstance(each, dict))).map(
    lambda each: json.dumps(each).encode()
)
_broken = st.tuples(_documents, st.integers(0, 60), st.binary(max_size=3)).map(
    lambda each: each[0][: each[1]] + each[2] + each[0][each[1] :]
)


@given(body=_documents | _broken | st.binary(max_size=40))
@settings(
    max_examples=examples(400),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_body_is_taken_by_both_doors_or_by_neither(api: Running, body: bytes) -> None:
    assert _by_http(api, body) == _by_kafka(body)


@given(documents=st.lists(_rights, min_size=1, max_size=4))
@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_several_at_once_are_taken_if_each_is(api: Running, documents: list[bytes]) -> None:
    api.publisher.records.clear()
    refusals = [
        (number, found)
        for number, each in enumerate(documents)
        if (found := _by_kafka(each)) is not None
    ]

    answer = _by_http(api, b'{"events": [' + b", ".join(documents) + b"]}")

    if refusals:
        assert answer is not None
        assert api.publisher.records == []
    else:
        assert answer is None
        assert [value for _, _, value in api.publisher.records] == documents


@pytest.mark.parametrize("limits", ["record: 60", "depth: 1", "depth: 3", "string: 5"])
def test_the_models_own_limits_are_both_doors(limits: str) -> None:
    """What the decoder of its topic refuses, HTTP refuses; the gate's limits are the gate's."""
    text = f"{PHISHING}limits: {{{limits}}}\n"
    decode = decoder(parse_model_file(text))
    bodies: list[Any] = [
        {"features": {"a": 1}},
        {"features": {"a": {"b": 1}}},
        {"features": {"a": {"b": {"c": 1}}}},
        {"features": {"a": [[1]]}},
        {"features": {"a": "x" * 60}},
    ]
    with running(text, learned=0) as api:
        for body in bodies:
            written = json.dumps(body).encode()
            found = decode(written, ())
            answer = api.post(PATH, written)
            expected = None if isinstance(found, Event) else found.reason.value
            code = None if answer.status_code == 202 else answer.json()["code"]
            assert code == expected, body
