"""Who may call: without keys only this machine's own programs, with keys whoever holds one."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.http.access import ApiKeys, access_of
from config.errors import SettingsError
from tests.api.running import Running, running, settings_of, until

MODEL = "/v1/models/phishing"
SCOPES = ["predict", "write", "operate", "read"]
ROUTES: list[tuple[str, str, Any, str]] = [
    ("POST", f"{MODEL}/predict", {"features": {}}, "predict"),
    ("POST", f"{MODEL}:predict", {"instances": [{}]}, "predict"),
    ("POST", "/invocations", {"instances": [{}]}, "predict"),
    (
        "POST",
        "/v2/models/phishing/infer",
        {"inputs": [{"name": "https", "datatype": "FP64", "shape": [1], "data": [1]}]},
        "predict",
    ),
    ("GET", "/v2/models/phishing", None, "predict"),
    ("GET", "/v2", None, "predict"),
    ("POST", f"{MODEL}/explain", {"features": {}}, "predict"),
    ("POST", f"{MODEL}/events", {"features": {}, "label": True}, "write"),
    ("POST", f"{MODEL}/tag", {"tag": "a", "to": "v1", "reason": "x"}, "operate"),
    ("GET", "/v1/models", None, "read"),
    ("GET", MODEL, None, "read"),
    ("GET", f"{MODEL}/metrics", None, "read"),
    ("GET", f"{MODEL}/calibration", None, "read"),
    ("GET", f"{MODEL}/importance", None, "read"),
    ("GET", f"{MODEL}/drifts", None, "read"),
    ("GET", f"{MODEL}/history", None, "read"),
    ("GET", f"{MODEL}/features", None, "read"),
    ("GET", f"{MODEL}/versions", None, "read"),
    ("GET", f"{MODEL}/versions/v1", None, "read"),
    ("GET", f"{MODEL}/audit", None, "read"),
]


def _key(key_id: str, secret: str, scopes: list[str], **more: Any) -> dict[str, Any]:
    return {
        "id": key_id,
        "sha256": hashlib.sha256(secret.encode()).hexdigest(),
        "scopes": scopes,
        **more,
    }


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "keys.yaml"
    keys = [_key(scope, "secret", [scope], who=f"{scope}-app") for scope in SCOPES]
    path.write_text(json.dumps(keys))
    return path


@pytest.fixture(scope="module")
def locked(keys_file: Path) -> Iterator[Running]:
    with running(keys_file=keys_file) as found:
        yield found


def _ask(api: Running, route: tuple[str, str, Any, str], **headers: str) -> httpx.Response:
    method, path, body, _ = route
    if method == "GET":
        return api.get(path, headers=headers)
    return api.post(path, body, headers=headers)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example"])
@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/livez", "/docs", "/nowhere", "/"])
def test_a_request_for_another_host_is_refused(api: Running, host: str, path: str) -> None:
    answer = api.get(path, headers={"host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_host")


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "LOCALHOST", "[::1]:8000"])
def test_a_request_for_this_machine_passes(api: Running, host: str) -> None:
    assert api.get("/v1/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:1"])
@pytest.mark.parametrize("route", ROUTES[:4])
def test_another_sites_page_is_refused(api: Running, origin: str, route: Any) -> None:
    answer = _ask(api, route, origin=origin)
    assert (answer.status_code, answer.json()["code"]) == (403, "foreign_origin")


def test_a_page_of_our_own_passes(api: Running) -> None:
    assert api.get("/v1/models", headers={"origin": api.url}).status_code == 200


def test_hosts_and_origins_that_are_listed_pass_and_may_read() -> None:
    shop = "https://shop.example"
    with running(allow_hosts=("weir.internal",), allow_origins=(shop,)) as api:
        assert api.get("/v1/models", headers={"host": "weir.internal:80"}).status_code == 200
        answer = api.get("/v1/models", headers={"origin": shop})
        assert answer.headers["access-control-allow-origin"] == shop
        asked = {"origin": shop, "access-control-request-method": "POST"}
        preflight = api.client.options(f"{MODEL}/predict", headers=asked)
        assert preflight.status_code == 204
        assert "content-type" in preflight.headers["access-control-allow-headers"]
        stranger = {**asked, "origin": "https://evil.example"}
        assert api.client.options(f"{MODEL}/predict", headers=stranger).status_code == 403


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "", None])
@pytest.mark.parametrize("route", ROUTES[:3])
def test_what_a_page_may_send_unasked_is_no_json(api: Running, media: Any, route: Any) -> None:
    headers = {} if media is None else {"content-type": media}
    answer = api.client.post(route[1], content=json.dumps(route[2]).encode(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "not_json_media")


def test_json_may_name_its_charset(api: Running) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert api.post(f"{MODEL}/predict", {"features": {}}, headers=headers).status_code == 200


def test_without_keys_other_machines_cannot_be_let_in() -> None:
    for host in ("0.0.0.0", "::", "10.0.0.1", "weir.example"):
        with pytest.raises(SettingsError, match="keys_file"):
            access_of(settings_of(host=host).api)


@pytest.mark.parametrize("route", ROUTES)
def test_each_route_needs_a_key_of_its_scope(locked: Running, route: Any) -> None:
    until(lambda: locked.get("/readyz").status_code == 200)
    for scope in SCOPES:
        answer = _ask(locked, route, authorization=f"Bearer {scope}.secret")
        if scope == route[3]:
            assert answer.status_code in (200, 202), answer.text
        else:
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    answer = _ask(locked, route)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer read.wrong",
        "Bearer nobody.secret",
        "Bearer read",
        "Bearer",
        "Basic cmVhZDpz",
        "\xff",
    ],
)
def test_a_wrong_key_opens_nothing(locked: Running, authorization: str) -> None:
    headers = [(b"authorization", authorization.encode("latin-1"))]
    answer = locked.client.get("/v1/models", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "no_key")


def test_probes_and_metrics_need_no_key(locked: Running) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert locked.get(path, headers={"host": "weir.example"}).status_code == 200


def test_the_audit_names_the_holder_of_the_key(locked: Running) -> None:
    body = {"tag": "named", "to": "v1", "reason": "x"}
    locked.post(f"{MODEL}/tag", body, headers={"authorization": "Bearer operate.secret"})
    headers = {"authorization": "Bearer read.secret"}
    items = locked.get(f"{MODEL}/audit", headers=headers).json()["items"]
    assert items[0]["who"] == "operate-app"


def test_a_changed_file_of_keys_is_taken_in_and_a_broken_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(json.dumps([_key("a", "1", ["read"])]))
    keys = ApiKeys(path)
    assert keys.holder({b"authorization": b"Bearer a.1"}).who == "a"

    _rewrite(path, json.dumps([_key("b", "2", ["read"])]))
    keys.refresh()
    assert keys.holder({b"authorization": b"Bearer b.2"}).id == "b"

    _rewrite(path, "[{id: c}")
    keys.refresh()
    assert keys.holder({b"authorization": b"Bearer b.2"}).id == "b"


def _rewrite(path: Path, text: str) -> None:
    staged = path.with_suffix(".new")
    staged.write_text(text)
    staged.replace(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "must hold a list"),
        ("- 3", "must be a mapping"),
        ("- {id: a, sha256: abc, scopes: [read]}", "64 hexadecimal"),
        ("- {id: a.b, sha256: abc, scopes: [read]}", "letters, digits"),
        ("- {id: a, sha256: abc, scopes: [admin]}", "some of predict"),
        ("- {id: a, sha: abc, scopes: [read]}", 'did you mean "sha256"'),
        ("- [", "1"),
    ],
)
def test_a_wrong_file_of_keys_is_told_by_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        access_of(settings_of(keys_file=path).api)


def test_a_missing_file_of_keys_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        access_of(settings_of(keys_file=tmp_path / "none.yaml").api)
