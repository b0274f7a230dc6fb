"""Whatever is sent, no request is answered 5xx, save 501 and 503; and always as a problem."""

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.openapi.answers import ProblemDocument
from checkpoints.operating.verbs import AT_BOTH_DOORS
from tests.api.running import Running, running
from tests.effort import examples

POSTS = ("predict", "events", "labels", *(verb.name for verb in AT_BOTH_DOORS))

# No event and no question: not JSON, not an object, no features of the contract's types.
SENSELESS = [
    b"{",
    b"null",
    b"[]",
    b"42",
    b'"x"',
    b"\xff\xfe\x00",
    b'{"features": {}',
    b'{"features": 3, "label": true}',
    b'{"features": {"a": NaN}, "label": true}',
    b'{"features": {"a": 1e400}, "label": true}',
    b'{"features": {"a": Infinity}, "label": true}',
    b'{"features": {"a": [1,2]}, "label": true}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"\x00\x00\x00\x00\x07abc",
    b'{"features": {"\x00": 1}, "label": true}',
    b'{"features": null}',
    b'{"instances": [1]}',
    b'{"instances": []}',
]
# Of the right shape; what becomes of them is for the gate to say.
ODD = [
    b'{"features": {"a": "a string"}}',
    b'{"features": {"a": 1}, "label": "maybe"}',
    b'{"features": {"a": 1}, "label": [true]}',
    b'{"features": {"a": "' + b"x" * 900_000 + b'"}}',
    ('{"features": {' + ",".join(f'"f{i}": 1' for i in range(60_000)) + "}}").encode(),
    b'{"features": {"a": 1e308}, "label": true, "weight": -1}',
    b'{"features": {"a": 1}, "weight": "NaN"}',
    b'{"features": {"a": -0.0, "b": 5e-324, "c": 1e12, "": 1, "\\u00e9": true}}',
    b'{"features": {"a": 1}, "features": 3}',
    b'{"instances": [' + b",".join([b"{}"] * 9_999) + b"]}",
    b'{"instances": [' + b",".join([b"{}"] * 20_000) + b"]}",
    b'{"version": "v999999", "mode": "forget", "reason": "x"}',
    b'{"to": "v999999", "mode": "forget", "reason": "x"}',
    b'{"to": "v99999999999999999999", "mode": "forget", "reason": "x"}',
    b'{"to": "", "tag": "", "reason": "x", "expect": "v0"}',
    b'{"to": "v1", "mode": "forget", "reason": "\\ud83d\\ude00", "skip": [""]}',
]


@pytest.fixture(scope="module")
def api() -> Iterator[Running]:
    """A running API of this module's own: what is sent here may change it."""
    with running() as found:
        found.learning.beat(control_seq=1_000_000)
        yield found


@pytest.mark.parametrize("route", POSTS)
@pytest.mark.parametrize("model", ["phishing", "nope"])
def test_poison_is_refused_by_every_route(api: Running, route: str, model: str) -> None:
    for body in SENSELESS + ODD:
        answer = api.post(f"/v1/models/{model}/{route}", body)
        _is_sound(answer)
        if body in SENSELESS and model == "phishing" and route != "labels":
            assert 400 <= answer.status_code < 500, body[:40]
    assert api.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "name", ["%00", "..%2f..", "a" * 5000, "%ff", "{model}", "phishing%20", "%2e%2e", "*"]
)
def test_odd_names_of_models_are_not_found(api: Running, name: str) -> None:
    for path in (f"/v1/models/{name}", f"/v1/models/{name}/versions/v1"):
        _is_sound(api.get(path))
    assert api.post(f"/v1/models/{name}/predict", {"features": {}}).status_code == 404


def _is_sound(answer: Any) -> None:
    status = answer.status_code
    assert status < 500 or status in (501, 503), answer.text
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        problem = ProblemDocument.model_validate_json(answer.content)
        assert problem.status == status
    else:
        json.loads(answer.content, parse_constant=_no_constant)


def _no_constant(text: str) -> float:
    raise AssertionError(f"{text} in an answer")


@pytest.mark.parametrize(
    "body",
    [
        b'{"features": {"a": "' + b"\\" * 1_000_000,
        b'"' * 1_000_000,
        b'{"features": {"a": "' + b'\\"' * 500_000,
        b"[]," * 300_000,
        b'{"features": [' + b"[]," * 300_000 + b"[]]}",
        b'{"features": {"a": NaN, "b": [' + b"1," * 400_000 + b"1]}}",
        b'{"features": {"\\u0000": ' + b'{"b": "' + b"x" * 900_000 + b'"}}}',
        b'{"features": {' + b",".join(b'"%d":{}' % i for i in range(90_000)) + b', "z": []}}',
    ],
)
def test_poison_holds_nobody_up(api: Running, body: bytes) -> None:
    began = time.monotonic()
    for route in ("predict", "events", "pin"):
        _is_sound(api.post(f"/v1/models/phishing/{route}", body))
    assert time.monotonic() - began < 30, "a second or two, where nobody else takes the cores"


_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["v1", "v0", "forget", "rewind", "\0", "NaN"])
)
_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
_fields = st.sampled_from(
    ["features", "instances", "events", "id", "ts", "label", "weight", "key", "to", "mode",
     "skip", "tag", "reason", "expect", "dry_run", "other"]
)  # fmt: skip
_bodies = st.binary(max_size=200) | st.dictionaries(_fields, _values, max_size=6).map(
    lambda body: json.dumps(body).encode()
)


@given(route=st.sampled_from(POSTS), body=_bodies)
@settings(
    max_examples=examples(300),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_body_at_all_is_answered_soundly(api: Running, route: str, body: bytes) -> None:
    _is_sound(api.post(f"/v1/models/phishing/{route}", body))


@given(
    path=st.text(st.characters(codec="ascii", exclude_characters="?#"), max_size=40),
    query=st.text(
        st.characters(codec="ascii", min_codepoint=33, max_codepoint=126, exclude_characters="#"),
        max_size=30,
    ),
)
@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_address_at_all_is_answered_soundly(api: Running, path: str, query: str) -> None:
    where = f"/v1/models/{quote(path)}?{query}"
    _is_sound(api.get(where))
