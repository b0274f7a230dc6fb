"""The API on a real server, which may go away."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from checkpoints.embedded import ValkeyServer
from checkpoints.redis_connection import RedisConnection
from checkpoints.redis_store import RedisStore
from tests.api.serving import Running, phishing, running, until

MODEL = "/v1/models/phishing"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path) as found:
        yield found


@pytest.fixture
def api(server: ValkeyServer) -> Iterator[Running]:
    with running(store=RedisStore(RedisConnection(server.url, deadline_s=0.5))) as found:
        yield found
    found.store.close()


def _served(api: Running) -> str:
    return str(api.post(f"{MODEL}/predict", {"features": {}}).json()["version"])


def test_a_killed_store_is_not_noticed_by_who_asks_for_predictions(
    api: Running, server: ValkeyServer
) -> None:
    server.kill()

    assert _served(api) == "v1"
    assert api.get(MODEL).json()["learned"] == 200
    listed = api.get(f"{MODEL}/versions")
    assert (listed.status_code, listed.json()["code"]) == (503, "unavailable")
    assert api.post(f"{MODEL}/freeze", {"reason": "x"}).status_code == 503
    assert api.get("/readyz").status_code == 200
    assert _served(api) == "v1"

    server.restart()
    api.learning.learn(phishing(50, start=200))
    version = api.learning.commit()
    until(lambda: api.serves(version))
    assert [item["version"] for item in api.get(f"{MODEL}/versions").json()["items"]] == [
        "v2",
        "v1",
    ]


def test_commands_and_their_audit_are_those_of_the_store(api: Running) -> None:
    api.learning.learn(phishing(50, start=200))
    version = api.learning.commit()
    until(lambda: api.serves(version))

    body = {"to": "v1", "mode": "forget", "reason": "spoilt"}
    told = api.post(f"{MODEL}/rollback", body).json()

    assert (told["version"], told["forgotten"]) == ("v3", 50)
    assert _served(api) == "v3"
    items = api.get(f"{MODEL}/audit").json()["items"]
    assert [(item["command"], item["who"]) for item in items] == [("rollback", "api")]
    assert os.getpid() in [
        beat["pid"] for beat in api.store.beats(api.learning.line, "api").values()
    ]
