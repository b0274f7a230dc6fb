"""Predictions a second of one process, against an empty route of the same server."""

import itertools
import multiprocessing
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from fastapi import FastAPI
from msgspec.structs import replace
from river import datasets
from starlette.responses import Response

from api.processes.loader import run_api
from benchmarks.load import drive
from benchmarks.parity import Servers
from checkpoints.records.line import Line
from checkpoints.records.signing import make_keys
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from config.model_file import parse_model_file
from config.processes.child import free_port
from config.settings import Settings, load_settings
from tests.stream.rig import Rig, rig

_SECONDS = 5.0
_CONNECTIONS = 32

MODEL = """
name: {name}
task: binary
learner: {learner}
trust: [benchmarks]
metrics: [Accuracy]
drift: [{{on: error, detector: ADWIN}}]
"""
LOGISTIC = "{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}"


def prediction_rates(servers: Servers, *, run: int) -> dict[str, float]:
    """Predictions a second of one process, and of an empty FastAPI route of the same server."""
    body = msgspec.json.encode({"features": next(iter(datasets.Phishing()))[0]})
    with _api(servers, MODEL.format(name=f"serve-{run}", learner=LOGISTIC)) as (at, port):
        at.send(_events(2_000))
        at.until(lambda: at.consumed() == 2_000, "all is learned")
        path = f"/v1/models/serve-{run}/predict"
        full = drive(port, path, body, seconds=_SECONDS, connections=_CONNECTIONS)
        half = drive(
            port, path, body, seconds=_SECONDS, connections=_CONNECTIONS, rate=full.rate / 2
        )
    with _forked(_serve_empty) as port:
        empty = drive(port, "/empty", body, seconds=_SECONDS, connections=_CONNECTIONS)
    assert full.failed == half.failed == empty.failed == 0
    return {
        "predictions/s": full.rate,
        "empty route/s": empty.rate,
        "ratio": full.rate / empty.rate,
        "p99 at half load, ms": half.p99_ms,
    }


def _events(count: int) -> list[bytes | None]:
    pairs = itertools.islice(itertools.cycle(datasets.Phishing()), count)
    return [msgspec.json.encode({"features": x, "label": y}) for x, y in pairs]


@contextmanager
def _api(servers: Servers, text: str) -> Iterator[tuple[Rig, int]]:
    """A learner and an API process on one model."""
    with rig(
        kafka=servers.kafka,
        redis=servers.redis,
        folder=servers.folder,
        model_text=text,
        metrics_port=free_port(),
    ) as at:
        at.start()
        at.until(lambda: at.head() is not None, "the line begins")
        with _forked(_serve, _settings(servers), text) as port:
            yield at, port


@contextmanager
def _forked(function: Any, *args: Any) -> Iterator[int]:
    """A server process on a free port, ended afterwards."""
    port = free_port()
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=function, args=(port, *args))
    process.start()
    try:
        _wait_until_open(port)
        yield port
    finally:
        process.terminate()
        process.join()


def _wait_until_open(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _settings(servers: Servers) -> Settings:
    keys = servers.folder / "keys"
    return load_settings(
        {
            "kafka": {"bootstrap_servers": servers.kafka},
            "redis": {"url": servers.redis},
            "signing": {
                "learner_public": (str(keys / "learner.pub"),),
                "operator_key": str(keys / "operator.pem"),
            },
            "log": {"level": "error"},
            "data_dir": servers.folder,
        },
        environ={},
    )


def _serve(port: int, settings: Settings, text: str) -> None:
    settings = replace(settings, api=replace(settings.api, port=port))
    assert settings.redis.url is not None
    store = RedisStore(RedisConnection(settings.redis.url.get_secret_value()))
    keys = make_keys(settings.data_dir / "keys")
    model_file = parse_model_file(text)
    run_api(settings, {Line(model_file.name): model_file}, store, keys, None)


def _serve_empty(port: int) -> None:
    """An empty route under the same server and settings."""
    import socket

    import uvicorn

    from api.processes.server import DeadlineProtocol

    app = FastAPI(openapi_url=None)

    @app.post("/empty")
    async def empty() -> Response:
        return Response(b"{}", media_type="application/json")

    @app.get("/readyz")
    async def readyz() -> Response:
        return Response(b"{}", media_type="application/json")

    door = socket.socket()
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    door.bind(("127.0.0.1", port))
    config = uvicorn.Config(
        app, http=DeadlineProtocol, loop="uvloop", log_config=None, access_log=False
    )
    uvicorn.Server(config).run(sockets=[door])
