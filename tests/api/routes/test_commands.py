"""Commands by HTTP: carried out, in force, in the audit; or refused with the field named."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from checkpoints.records.signing import Keys
from tests.api.running import KEYS, Running, phishing, running, until

MODEL = "/v1/models/phishing"
FORGET = {"to": "v1", "mode": "forget", "reason": "x"}
REWIND = {"to": "v1", "mode": "rewind", "reason": "x"}


@pytest.fixture
def api() -> Iterator[Running]:
    """Two versions, v1 of 200 events and v2 of 250, and a learner that obeys at once."""
    with obeyed() as found:
        yield found


@pytest.fixture(scope="module")
def refusing() -> Iterator[Running]:
    """The same, for what changes nothing."""
    with obeyed() as found:
        yield found
        assert found.get(f"{MODEL}/audit").json()["items"] == []


@contextmanager
def obeyed() -> Iterator[Running]:
    with running() as found:
        found.learning.learn(phishing(50, start=200))
        version = found.learning.commit()
        found.learning.beat(control_seq=1000)
        until(lambda: found.serves(version))
        yield found


def test_a_rollback_serves_the_old_version_at_once_as_a_new_one(api: Running) -> None:
    x, _ = phishing(1)[0]
    body = {"to": "v1", "mode": "forget", "reason": "bad labels"}

    answer = api.post(f"{MODEL}/rollback", body)

    assert answer.status_code == 200
    told = answer.json()
    assert (told["from"], told["to"], told["version"]) == ("v2", "v1", "v3")
    assert (told["serving"], told["forgotten"], told["replayed"]) == ("v3", 50, 0)
    prediction = api.post(f"{MODEL}/predict", {"features": x}).json()
    assert (prediction["version"], prediction["learned"]) == ("v3", 200)


def test_a_dry_run_says_what_would_be_and_changes_nothing(api: Running) -> None:
    body = {"to": "v1", "mode": "forget", "reason": "bad labels", "dry_run": True}
    told = api.post(f"{MODEL}/rollback", body).json()
    assert (told["dry_run"], told["forgotten"], told["version"]) == (True, 50, None)
    assert api.get(MODEL).json()["version"] == "v2"
    assert api.get(f"{MODEL}/audit").json()["items"] == []


def test_every_command_is_in_the_audit_newest_first(api: Running) -> None:
    orders: list[tuple[str, dict[str, Any]]] = [
        ("pin", {"to": "v1"}),
        ("unpin", {}),
        ("freeze", {}),
        ("thaw", {}),
        ("tag", {"to": "v1", "tag": "stable"}),
    ]
    for number, (command, body) in enumerate(orders):
        answer = api.post(f"{MODEL}/{command}", {**body, "reason": f"reason {number}"})
        assert answer.status_code == 200, answer.text

    items = api.get(f"{MODEL}/audit").json()["items"]
    assert [item["command"] for item in items] == ["tag", "thaw", "freeze", "unpin", "pin"]
    assert [item["tag"] for item in items] == ["stable", None, None, None, None]
    assert items[-1]["reason"] == "reason 0"
    assert {item["who"] for item in items} == {"api"}
    until(lambda: api.get(MODEL).json()["tags"] == {"stable": "v1"})


@pytest.mark.parametrize(
    ("command", "body", "status", "code", "pointer"),
    [
        ("rollback", {"to": "v1", "mode": "forget"}, 422, "missing_field", "/reason"),
        ("rollback", {"to": "v1", "mode": "forget", "reason": " "}, 422, "bad_value", "/reason"),
        ("rollback", {"to": "v1", "mode": "forget", "reason": ""}, 422, "bad_value", "/reason"),
        ("rollback", {"mode": "forget", "reason": "x"}, 422, "missing_field", "/to"),
        ("rollback", {"to": "v1", "reason": "x"}, 422, "missing_field", "/mode"),
        ("rollback", {"to": "v1", "mode": "forgot", "reason": "x"}, 422, "bad_value", "/mode"),
        ("rollback", {"to": "17", "mode": "forget", "reason": "x"}, 422, "bad_value", "/to"),
        ("rollback", {"to": 1, "mode": "forget", "reason": "x"}, 422, "wrong_type", "/to"),
        ("rollback", {"version": "v1", "reason": "x"}, 422, "unknown_field", "/version"),
        ("pin", {"reason": "x"}, 422, "missing_field", "/to"),
        ("pin", {"to": "v1", "mode": "forget", "reason": "x"}, 422, "unknown_field", "/mode"),
        ("tag", {"to": "v1", "tag": "v7", "reason": "x"}, 422, "bad_value", "/tag"),
        ("pin", {"to": "v1", "skip": ["id:a"], "reason": "x"}, 422, "unknown_field", "/skip"),
        ("pin", {"to": "v1", "tag": "stable", "reason": "x"}, 422, "unknown_field", "/tag"),
        ("pin", {"to": None, "reason": "x"}, 422, "wrong_type", "/to"),
        ("rollback", {**FORGET, "skip": ["id:a"]}, 422, "bad_value", "/skip"),
        ("rollback", {**FORGET, "mode": "x", "skip": ["id:a"]}, 422, "bad_value", "/mode"),
        ("rollback", {**FORGET, "skip": "id:a"}, 422, "wrong_type", "/skip"),
        ("rollback", {**FORGET, "keep_serving": True}, 422, "bad_value", "/keep_serving"),
        ("rollback", {**FORGET, "expect": "2"}, 422, "bad_value", "/expect"),
        ("rollback", {**REWIND, "skip": ["yesterday"]}, 422, "bad_value", "/skip/0"),
        ("rollback", {**REWIND, "skip": ["0:1-2", "0:9-1"]}, 422, "bad_value", "/skip"),
        ("rollback", {**REWIND, "skip": [7]}, 422, "wrong_type", "/skip/0"),
        ("rollback", {**REWIND, "skip": ["id:a"] * 101}, 422, "bad_value", "/skip"),
        ("rollback", {**REWIND, "keep_serving": 1}, 422, "wrong_type", "/keep_serving"),
        (
            "pin",
            {"to": "v1", "keep_serving": True, "reason": "x"},
            422,
            "unknown_field",
            "/keep_serving",
        ),
        ("cancel", {"to": "v1", "reason": "x"}, 422, "unknown_field", "/to"),
        ("cancel", {}, 422, "missing_field", "/reason"),
        *(
            (command, {stray: value, "reason": "x"}, 422, "unknown_field", f"/{stray}")
            for command in ("freeze", "unpin", "thaw")
            for stray, value in (
                ("to", "v1"),
                ("to", ""),
                ("mode", "forget"),
                ("mode", ""),
                ("skip", ["id:a"]),
                ("tag", "stable"),
            )
        ),
        ("freeze", {"reason": "x", "dry_run": "yes"}, 422, "wrong_type", "/dry_run"),
    ],
)
def test_a_command_that_cannot_be_right_names_its_field(
    refusing: Running, command: str, body: Any, status: int, code: str, pointer: str
) -> None:
    answer = refusing.post(f"{MODEL}/{command}", body)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["errors"][0]["pointer"]) == (
        status,
        code,
        pointer,
    )


def test_a_rewind_serves_the_old_version_until_it_is_cancelled(api: Running) -> None:
    """The head stays, and is served again; what is under way is told meanwhile."""
    x, _ = phishing(1)[0]
    skip = ["phishing.events/0:200-209", "source:till-3"]

    told = api.post(f"{MODEL}/rollback", {**REWIND, "skip": skip}).json()

    assert (told["mode"], told["from"], told["to"], told["version"]) == ("rewind", "v2", "v1", None)
    assert (told["serving"], told["forgotten"], told["replayed"]) == ("v1", 10, 40)
    prediction = api.post(f"{MODEL}/predict", {"features": x}).json()
    assert (prediction["version"], prediction["learned"]) == ("v1", 200)
    model = api.get(MODEL).json()
    assert (model["version"], model["serving"]) == ("v2", "v1")
    assert {name: model["rewind"][name] for name in ("to", "skip", "command_id")} == {
        "to": "v1", "skip": skip, "command_id": told["command_id"],
    }  # fmt: skip

    cancelled = api.post(f"{MODEL}/cancel", {"reason": "the wrong version"}).json()

    assert (cancelled["changed"], cancelled["serving"]) == (True, "v2")
    assert api.post(f"{MODEL}/predict", {"features": x}).json()["version"] == "v2"
    assert api.get(MODEL).json()["rewind"] is None
    again = api.post(f"{MODEL}/cancel", {"reason": "the wrong version"}).json()
    assert (again["changed"], again["serving"]) == (False, "v2")


def test_a_rewind_may_leave_the_head_served(api: Running) -> None:
    x, _ = phishing(1)[0]
    told = api.post(f"{MODEL}/rollback", {**REWIND, "keep_serving": True}).json()
    assert told["serving"] == "v2"
    assert api.get(MODEL).json()["rewind"]["to"] == "v1"
    assert api.post(f"{MODEL}/predict", {"features": x}).json()["version"] == "v2"


def test_a_dry_run_of_a_rewind_says_what_would_be_replayed(api: Running) -> None:
    body = {**REWIND, "skip": ["phishing.events/0:200-209"], "dry_run": True}
    told = api.post(f"{MODEL}/rollback", body).json()
    assert (told["dry_run"], told["forgotten"], told["replayed"]) == (True, 10, 40)
    assert (told["would"]["versions"], told["would"]["records"]) == (1, 50)
    assert api.get(MODEL).json()["rewind"] is None


def test_a_version_that_never_was_is_not_found(api: Running) -> None:
    body = {"to": "v999", "mode": "forget", "reason": "x"}
    assert api.post(f"{MODEL}/rollback", body).status_code == 404


def test_what_another_command_has_changed_is_a_conflict(api: Running) -> None:
    api.post(f"{MODEL}/rollback", {"to": "v1", "mode": "forget", "reason": "x"})
    answer = api.post(f"{MODEL}/pin", {"to": "v1", "reason": "x", "expect": "v2"})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


def test_an_idempotency_key_repeats_the_answer_and_not_the_command(api: Running) -> None:
    body = {"to": "v1", "mode": "forget", "reason": "x"}
    headers = {"idempotency-key": "7c1"}
    first = api.post(f"{MODEL}/rollback", body, headers=headers)

    again = api.post(f"{MODEL}/rollback", body, headers=headers)
    other = api.post(f"{MODEL}/rollback", {**body, "to": "v2"}, headers=headers)

    assert (again.status_code, again.json()) == (200, first.json())
    assert (other.status_code, other.json()["code"]) == (422, "conflict")
    assert len(api.get(f"{MODEL}/audit").json()["items"]) == 1
    too_long = api.post(f"{MODEL}/rollback", body, headers={"idempotency-key": "x" * 300})
    assert too_long.status_code == 400


def test_without_the_operators_key_commands_are_not_allowed() -> None:
    keys = Keys(learner=None, operator=None, verifier=KEYS.verifier)
    with running(keys=keys) as api:
        answer = api.post(f"{MODEL}/freeze", {"reason": "x"})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
