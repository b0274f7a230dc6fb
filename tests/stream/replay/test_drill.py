"""The drill of "Going back", walked through as it stands there."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.config.processes.waiting import until

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "going-back.md"
PROGRAM = Path(sys.executable).with_name("weir")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.usefixtures("starts_servers")


def blocks(kind: str) -> list[str]:
    """The drill's blocks of this kind, in order."""
    drill = PAGE.read_text().split("## A drill", 1)[1]
    return [text for found, text in _BLOCK.findall(drill) if found == kind]


class Drilled:
    """Somebody who types what the page says, in a folder of his own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
        (folder / "drill.yaml").write_text(blocks("yaml")[0])
        (folder / "make_drill.py").write_text(blocks("python")[0])

    @property
    def is_up(self) -> bool:
        path = self.folder / ".weir" / "dev.json"
        return path.exists() and not json.loads(path.read_text()).get("starting")

    def types(self, command: str) -> str:
        """What it prints."""
        done = subprocess.run(
            ["bash", "-ec", command], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def versions(self) -> dict[int, str]:
        """The newest version of each count of learned events."""
        items = json.loads(self.types("weir versions drill --json"))["items"]
        return {item["learned"]: item["version"] for item in reversed(items)}

    def has_learned(self, count: int) -> bool:
        api = json.loads((self.folder / ".weir" / "dev.json").read_text())["api"]
        with urlopen(f"{api}/v1/models/drill") as answer:
            found = json.load(answer)
        return (found["learned"], found["state"]) == (count, "idle")


@pytest.mark.timeout(240)
def test_the_drill_does_what_it_says(tmp_path: Path) -> None:
    """The numbers of versions are those of the run; the ports are other ones."""
    who = Drilled(tmp_path)
    (dev, feed, blame, rollback, rebuild) = blocks("sh")
    program = subprocess.Popen(
        ["bash", "-ec", f"exec {dev.strip()} --port 0 --kafka-port 0"],
        cwd=tmp_path, env=who.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: who.is_up, what="all are ready", limit_s=60)
        for line, count in zip(feed.splitlines(), (0, 2000, 2500, 4500, None), strict=True):
            who.types(line)
            if count:
                until(lambda count=count: who.has_learned(count), what=line, limit_s=30)
        good = who.versions()[2000]
        told = who.types(blame.replace("v2", good))
        assert f"last good: {good} " in told
        assert re.search(r"between them: .*drill\.events-0 2000-", told)
        told = who.types(rollback.replace("v2", good))
        assert f"2,000 learned events are replayed after {good}, 500 left out" in told
        until(lambda: who.has_learned(4000), what="rewound", limit_s=30)
        told = who.types(rebuild.replace("v5", who.versions()[4000]))
        assert "from the beginning, 4,000 records: identical" in told
    finally:
        program.send_signal(signal.SIGTERM)
        assert program.wait(40) == 0
