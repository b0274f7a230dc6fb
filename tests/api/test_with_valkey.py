"""The API on a real server, which may go away."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from checkpoints.dev_server import ValkeyServer
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from tests.api.running import Running, phishing, running, until

MODEL = "/v1/models/phishing"


@pytest.fixture
def server(starts_servers: None, tmp_path: Path) -> Iterator[ValkeyServer]:
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


def _up(api: Running) -> bool:
    shown = api.get("/metrics").text
    return 'weir_dependency_up{dependency="redis",model="phishing"} 1.0' in shown


@pytest.mark.parametrize("rules", [["-getrange"], ["resetkeys"], [">another", "<secret"]])
def test_a_right_that_is_taken_away_is_shown_and_predictions_go_on(
    server: ValkeyServer, rules: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with Redis.from_url(server.url) as admin:
        admin.execute_command("ACL", "SETUSER", "weir", "on", ">secret", "~*", "&*", "+@all")
        url = server.url.replace("://", "://weir:secret@")
        with running(store=RedisStore(RedisConnection(url, deadline_s=0.5))) as api:
            until(lambda: _up(api))
            admin.execute_command("ACL", "SETUSER", "weir", *rules)
            admin.execute_command("CLIENT", "KILL", "USER", "weir")
            until(lambda: not _up(api))
            assert _served(api) == "v1"
            assert api.get(f"{MODEL}/versions").status_code in (200, 503)
            admin.execute_command(
                "ACL", "SETUSER", "weir", "resetpass", ">secret", "~*", "+@all"
            )  # fmt: skip
            until(lambda: _up(api))
            api.store.close()
    assert "secret" not in caplog.text


def test_an_idle_api_asks_the_store_for_little(api: Running, server: ValkeyServer) -> None:
    """Ten proofs a second that nothing has moved, a look and a heartbeat."""
    with Redis.from_url(server.url) as admin:
        time.sleep(1.0)
        before, began = admin.info("stats")["total_commands_processed"], time.monotonic()
        time.sleep(3.0)
        after, ended = admin.info("stats")["total_commands_processed"], time.monotonic()
    assert (after - before) / (ended - began) < 22
