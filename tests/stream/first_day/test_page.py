"""The page "Your own CSV, three tasks, end to end", walked through as it stands there."""

import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.config.processes.waiting import until

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "your-own-csv.md"
PROGRAM = Path(sys.executable).with_name("weir")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# The first block after these words is the file of that name.
_FILES = {"make_files.py": "into `make_files.py`", "market-tree.yaml": "`market-tree.yaml`:",
          "ask.py": "into `ask.py`"}  # fmt: skip
_EVENTS = {"loans": 8000, "approval": 1001, "market": 12_000, "market-tree": 12_000}

pytestmark = pytest.mark.usefixtures("starts_servers")


def files():
    """The files that the reader is told to write."""
    text = PAGE.read_text()
    return {name: _BLOCK.search(text, text.index(words))[2] for name, words in _FILES.items()}


def sections():
    """By the number of its section: the shell commands, and what they are said to print."""
    parts = re.split(r"^## (\d+)\. ", PAGE.read_text(), flags=re.MULTILINE)
    return {
        int(number): [text for kind, text in _BLOCK.findall(body) if kind == "sh"]
        for number, body in zip(parts[1::2], parts[2::2], strict=True)
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

    def has_learned(self, model, count):
        """Whether it is so many events, and no more."""
        found = json.loads(self.types(f"weir status {model} --json"))
        assert (found["learned"] <= count, found["refused"]) == (True, 0)
        return found["learned"] == count

    def types(self, block, code=0):
        """What the commands print; the last one ends with `code`."""
        done = subprocess.run(
            ["bash", "-ec", block], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.mark.timeout(400)
def test_the_page_does_what_it_says(tmp_path):
    """From three files to answers; the ports are other ones."""
    reader, blocks, told = Reader(tmp_path), sections(), ""
    (tried, spoilt) = blocks[3]
    for block in (*blocks[1], *blocks[2], tried):
        told += reader.types(block)
    assert told.count("of the first 500 rows, 500 learned, 500 scored, 0 lost") == 3
    told = reader.types(spoilt, code=2)
    assert "error    spoilt.csv:10: 1 row cannot be sent" in told
    assert "warning  spoilt.csv:20: 1 row would be refused as bad_label" in told

    (side_by_side,) = blocks[4]
    told = reader.types(side_by_side)
    assert re.search(r"^market +0\.8774 .*\nmarket-tree +0\.8423 ", told, re.MULTILINE)
    (run,) = blocks[5]
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
    """With the servers up: send, look, compare, ask."""
    for block in blocks[6]:
        reader.types(block)
    for model, count in _EVENTS.items():
        until(partial(reader.has_learned, model, count), what=f"{model} learns all", limit_s=60)

    told = "".join(map(reader.types, blocks[7]))
    assert "best" in told
    assert "ADWIN" in told
    assert (reader.folder / "market.html").read_text().startswith("<!doctype html>")
    assert (reader.folder / "market-scores.csv").exists()

    told = "".join(map(reader.types, blocks[8]))
    assert "market v" in told
    assert "market-tree v" in told
    assert "Accuracy  lifetime" in told

    ask = reader.folder / "ask.py"
    ask.write_text(ask.read_text().replace("http://127.0.0.1:8000", reader.servers["api"]))
    told = "".join(map(reader.types, blocks[9]))
    assert re.search(r"^(yes|no) {'no': .*, 'yes': .*} by v\d+$", told, re.MULTILINE)
    sent = partial(reader.has_learned, "loans", _EVENTS["loans"] + 1)
    until(sent, what="what the program sent is learned")
