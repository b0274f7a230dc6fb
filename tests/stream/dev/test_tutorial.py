"""The tutorial, walked through: its files, its commands in their order, and what they tell."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.config.processes.waiting import until

PAGE = Path(__file__).resolve().parents[3] / "docs" / "tutorial.md"
PROGRAM = Path(sys.executable).with_name("weir")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# The first text after these words is the file of that name.
_FILES = {"returns.yaml": "Put this into `returns.yaml`", "orders.csv": "orders into `orders.csv`",
          "bad.ndjson": "Put this line into `bad.ndjson`"}  # fmt: skip

pytestmark = pytest.mark.usefixtures("starts_servers")


def files():
    """The files that the reader is told to write."""
    text = PAGE.read_text()
    return {name: _BLOCK.search(text, text.index(words))[2] for name, words in _FILES.items()}


def sections():
    """The shell commands of each numbered section."""
    parts = re.split(r"^## (\d+)\. ", PAGE.read_text(), flags=re.MULTILINE)
    return {
        int(number): [block for kind, block in _BLOCK.findall(text) if kind == "sh"]
        for number, text in zip(parts[1::2], parts[2::2], strict=True)
    }


class Reader:
    """Somebody who types what the page says, in a folder of his own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
        for name, text in files().items():
            (folder / name).write_text(text)

    @property
    def servers(self):
        """`dev.json`, when all are ready."""
        path = self.folder / ".weir" / "dev.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        return found if found and not found.get("starting") else None

    def types(self, block):
        """The commands' output."""
        text = block.replace("http://127.0.0.1:8000", self.servers["api"])
        done = subprocess.run(
            ["bash", "-ec", text], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def status(self):
        """The model's, as it is now."""
        return json.loads(self.types("weir status returns --json"))


def test_the_tutorial_does_what_it_says(tmp_path):
    """Up to the rollback; the ports are other ones."""
    reader, blocks = Reader(tmp_path), sections()
    (run,) = blocks[2]
    command = f"{run.strip()} --port 0 --kafka-port 0"
    with subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=tmp_path, env=reader.environment,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as dev:  # fmt: skip
        try:
            until(lambda: reader.servers, what="all are ready", limit_s=100)
            walk(reader, blocks)
            dev.send_signal(signal.SIGTERM)
            assert dev.wait(30) == 0
        finally:
            dev.kill()


def walk(reader, blocks):
    """Sections 3 to 7."""
    sent, status = blocks[3]
    assert "orders.csv: of 4 sent, 4 learned, 0 refused" in reader.types(sent)
    reader.types(status)
    assert (reader.status()["learned"], reader.status()["scored"]) == (4, 4)

    (bad,) = blocks[4]
    reader.types(bad)
    assert reader.status()["refused_by"] == {"out_of_bounds": 1}

    (ask,) = blocks[5]
    assert json.loads(reader.types(ask).splitlines()[-1])["learned"] == 4

    act, look = blocks[6]
    assert '"prediction_id":"order-6"' in reader.types(act)
    until(lambda: reader.status()["learned"] == 5, what="the answer is learned")
    told = reader.types(look)
    assert '"matched":1' in told
    assert '"served":{"lifetime":' in told

    (back,) = blocks[7]
    reader.types(back)
    assert (reader.status()["learned"], reader.status()["refused"]) == (0, 1)
    assert reader.status()["forgotten"] == 5
