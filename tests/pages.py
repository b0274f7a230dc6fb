"""A page of the documentation, and somebody who types what stands there."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.config.processes.waiting import until

PROGRAM = Path(sys.executable).with_name("weir")
_DOCS = Path(__file__).resolve().parents[1] / "docs"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_USUAL_API = "http://127.0.0.1:8000"


class Page:
    """One page.

    Args:
        name: Below `docs/`.
        after: Only what stands behind these words.
    """

    def __init__(self, name: str, *, after: str = "") -> None:
        whole = (_DOCS / name).read_text()
        self.text = whole.split(after, 1)[1] if after else whole

    def blocks(self, kind: str) -> list[str]:
        """The blocks of this kind, in order."""
        return [text for found, text in _BLOCK.findall(self.text) if found == kind]

    def first_after(self, words: str) -> str:
        """The first block after these words, of whatever kind."""
        found = _BLOCK.search(self.text, self.text.index(words))
        assert found is not None, f"no block after {words!r}"
        return found[2]

    def sections(self) -> dict[int, list[str]]:
        """The shell commands of each numbered section."""
        parts = re.split(r"^## (\d+)\. ", self.text, flags=re.MULTILINE)
        return {
            int(number): [text for kind, text in _BLOCK.findall(body) if kind == "sh"]
            for number, body in zip(parts[1::2], parts[2::2], strict=True)
        }


class Reader:
    """Somebody who types what the page says, in a folder of their own.

    Args:
        files: Those that the page has them write, by name.
    """

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
        for name, text in files.items():
            (folder / name).write_text(text)

    @property
    def servers(self) -> dict[str, Any] | None:
        """`dev.json`, when all are ready."""
        path = self.folder / ".weir" / "dev.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        return found if found and not found.get("starting") else None

    def types(self, block: str, *, code: int = 0) -> str:
        """What the commands print; the last one ends with `code`."""
        text = block.replace(_USUAL_API, self.servers["api"]) if self.servers else block
        done = subprocess.run(
            ["bash", "-ec", text], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self, model: str) -> dict[str, Any]:
        """The model's, as it is now."""
        found: dict[str, Any] = json.loads(self.types(f"weir status {model} --json"))
        return found

    @contextmanager
    def runs(self, command: str) -> Iterator[None]:
        """With everything up that this `weir dev` starts, on other ports; it ends in order.

        What it says goes to `dev.log` in the folder.
        """
        program = f"exec {command.strip()} --port 0 --kafka-port 0"
        with (
            (self.folder / "dev.log").open("wb") as said,
            subprocess.Popen(
                ["bash", "-c", program], cwd=self.folder, env=self.environment,
                stdout=said, stderr=said,
            ) as dev,
        ):  # fmt: skip
            try:
                until(lambda: self.servers is not None, what="all are ready", limit_s=100)
                yield
                dev.send_signal(signal.SIGTERM)
                assert dev.wait(40) == 0
            finally:
                dev.kill()
