"""`make compat`: other servers' clients, each in an environment of its own, ask a running Weir.

The environments are under `.venv/compat`, made once from PyPI; none of them is Weir's, whose lock
knows nothing of them. Each client's program asks for 1,000 rows in every way that it has, and
holds the answers to the last bit against those of `/predict`. With `--record` it also keeps what
the clients send for three rows, which the tests ask again: `sent/`.
"""

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from river import datasets

from checkpoints.dev_server import ValkeyServer
from tests import web
from tests.api.compat.relay import Relay
from tests.api.hosting import Host, hosting
from tests.api.running import until

TOP = Path(__file__).resolve().parents[3]
SENT = Path(__file__).with_name("sent")
HOME = TOP / ".venv" / "compat"
PACKAGES = {
    "triton": ["tritonclient[http]==2.73.0", "numpy==2.4.6"],
    "kserve": ["kserve==0.21.0"],
    "mlflow": ["mlflow-skinny==3.17.2", "pandas==3.1.1", "numpy==2.4.6", "scipy==1.17.1"],
}
# The calls that are kept; the others send the same.
KEPT = {
    "triton": ["binary", "in_json", "binary_fp32", "one_table"],
    "kserve": ["second_in_json", "second_binary", "first"],
    "mlflow": ["frame", "records", "array"],
}
DOMAINS = ("com", "org", "bücher.example", "io")
NAMES = list(next(iter(datasets.Phishing()))[0])
MODEL = """
name: {name}
task: binary
labels: ["no", "yes"]
learner: {{river: [tree.HoeffdingTreeClassifier: {{grace_period: 20}}]}}
features: {{FEATURES}}
metrics: [Accuracy]
""".replace("FEATURES", ", ".join(f"{name}: {{{{type: float}}}}" for name in NAMES))


def pairs(count: int) -> list[tuple[dict[str, Any], str]]:
    """Features with a text among them, and labels that are texts."""
    found = []
    for number, (x, y) in zip(range(count), datasets.Phishing(), strict=False):
        found.append(({**x, "domain": DOMAINS[number * 7 % 4]}, "yes" if y else "no"))
    return found


def main() -> int:
    """Make the environments, run every client, print what they found; 1 if one found a fault."""
    rows = [x for x, _ in pairs(1000)]
    failed = []
    with tempfile.TemporaryDirectory() as folder, _weir(Path(folder)) as host:
        for name in PACKAGES:
            python = _environment(name)
            failed += [name] if _run(name, python, host, rows, host.url) else []
            if "--record" in sys.argv:
                _record(name, python, host, rows[:3])
    print(f"failed: {', '.join(failed)}" if failed else "all clients were answered as /predict is")
    return bool(failed)


@contextmanager
def _weir(folder: Path) -> Iterator[Host]:
    """A loader and two workers, whose model has learned all of them."""
    with ValkeyServer(folder) as valkey, hosting(
        valkey.url, "compat", model=MODEL, workers=2, is_begun=False
    ) as host:  # fmt: skip
        host.learning.learn(pairs(1250))
        host.learning.commit()
        host.learning.beat()
        until(host.is_ready)
        yield host


def _environment(name: str) -> Path:
    """The interpreter of a client's environment, which is made where it is not there yet."""
    home, packages = HOME / name, PACKAGES[name]
    python, stamp = home / "bin" / "python", home / "packages.txt"
    if not stamp.exists() or stamp.read_text() != " ".join(packages):
        print(f"{name}: {' '.join(packages)} …", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
        stamp.write_text(" ".join(packages))
    return python


def _run(
    name: str, python: Path, host: Host, rows: list[dict[str, Any]], url: str, *calls: str
) -> int:
    """Run a client's program; its exit code."""
    task = {"url": url, "model": host.name, "rows": rows, "expected": _expected(host, rows)}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({**task, "calls": calls}, file)
        file.flush()
        command = [python, "-m", f"tests.api.compat.clients.with_{name}", file.name]
        done = subprocess.run(
            command, cwd=TOP, stdout=subprocess.PIPE, text=True, check=False, timeout=300
        )
    for line in done.stdout.splitlines():
        print(name, line, flush=True)
    return done.returncode


def _expected(host: Host, rows: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What `/predict` answers for these features, for those that are listed, for FP32's."""
    listed = [{name: row[name] for name in NAMES} for row in rows]
    rounded = [
        {**row, **{name: float(np.float32(row[name])) for name in NAMES}} for row in rows
    ]  # fmt: skip
    return {
        group: web.post(f"{host.path}/predict", json={"instances": each}).json()["predictions"]
        for group, each in (("all", rows), ("listed", listed), ("rounded", rounded))
    }


def _record(name: str, python: Path, host: Host, rows: list[dict[str, Any]]) -> None:
    SENT.mkdir(exist_ok=True)
    for call in KEPT[name]:
        with closing(Relay(int(host.url.rpartition(":")[2]))) as relay:
            assert not _run(name, python, host, rows, f"http://127.0.0.1:{relay.port}", call)
            (request,) = [each for each in relay.requests if each.startswith(b"POST")]
            (SENT / f"{name}.{call}.http").write_bytes(request)


if __name__ == "__main__":
    sys.exit(main())
