"""How to compare and tune: the page's files and commands, in their order, on real servers."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.config.processes.waiting import until

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "compare-and-tune.md"
PROGRAM = Path(sys.executable).with_name("weir")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BLOCKS = _BLOCK.findall(PAGE.read_text())
LOGISTIC, TREE = (text for kind, text in BLOCKS if kind == "yaml")
COMPARED, EXPERIMENT = (text for kind, text in BLOCKS if kind == "text")
COMMANDS = [text for kind, text in BLOCKS if kind == "sh"]
ENVIRONMENT = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files that the page shows."""
    files = {"logistic.yaml": LOGISTIC, "tree.yaml": TREE, "experiment.yaml": EXPERIMENT}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def typed(folder: Path, block: str) -> tuple[str, str]:
    """What the commands print: data, and progress."""
    done = subprocess.run(
        ["bash", "-ec", block], cwd=folder, env=ENVIRONMENT,
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def scores(table: str) -> list[list[str]]:
    """The cells of a table, but for those that depend on the machine."""
    cells = [re.split(r"\s{2,}", line.strip()) for line in table.strip().splitlines()]
    return [[each for each in row if not re.fullmatch(r"[\d.,]+( [kM]?B)?", each)
             or ("." in each and "B" not in each)] for row in cells]  # fmt: skip


def test_the_files_are_compared_as_the_page_shows(folder: Path) -> None:
    """Table, files, values set, the search and its winner: no server."""
    compare, files, grid, _, search, hold_out = COMMANDS

    out, _ = typed(folder, compare)
    as_json, _ = typed(folder, files)
    of_grid, _ = typed(folder, grid)
    of_search, _ = typed(folder, search)
    held_out, _ = typed(folder, hold_out)

    assert scores(out) == scores(COMPARED)
    assert [row["model"] for row in json.loads(as_json)["rows"]] == [
        "logistic", "tree",
    ]  # fmt: skip
    assert (folder / "rows.csv").read_text().count("\n") == 3
    assert "<svg" in (folder / "rolling.html").read_text()
    assert len(re.findall(r"^l2=", of_grid, re.MULTILINE)) == 4
    tuned = (folder / "tuned.yaml").read_text()
    assert tuned.startswith("# Found by `weir search experiment.yaml`: method halving")
    assert "on 4,000 records" in tuned.replace("\n# ", " ")
    assert "tuned.yaml" in of_search
    assert "scores: of what comes after 4,000 records" in held_out


@pytest.fixture
def dev(starts_servers: None, folder: Path) -> Iterator[dict[str, Any]]:
    """`weir dev` with the first model, to which the stream was sent."""
    command = [str(PROGRAM), "dev", "--model", "logistic.yaml", "--port", "0", "--kafka-port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        file = folder / ".weir" / "dev.json"
        try:
            until(lambda: file.exists() and not json.loads(file.read_text())["starting"],
                  what="all are ready", limit_s=100)  # fmt: skip
            typed(folder, "weir send --model logistic.yaml --from river:Bananas")
            yield json.loads(file.read_text())
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def head_of(folder: Path) -> dict[str, Any]:
    """The newest version, when it has learned all."""
    found: list[dict[str, Any]] = []

    def has_learned() -> bool:
        found[:] = json.loads(typed(folder, "weir versions logistic --json")[0])["items"][:1]
        return bool(found) and found[0]["learned"] == 5300

    until(has_learned, what="all is learned", limit_s=60)
    return found[0]


def test_what_was_learned_live_is_learned_again(folder: Path, dev: dict[str, Any]) -> None:
    """Exactly the version's numbers, as the page promises; a Kafka that has gone is told."""
    head = head_of(folder)
    whole, recorded = COMMANDS[3].strip().splitlines()

    typed(folder, whole)
    out, err = typed(folder, f"{recorded} --json".replace("v7", head["version"]))

    row = json.loads(out)["rows"][0]
    told = {name: score["lifetime"] for name, score in row["metrics"].items()}
    assert told == head["metrics"]
    assert f"exactly the scores of {head['version']}, 5,300 learned" in err
    assert dev["kafka"]
