"""What was measured so far, kept line by line, so that a run that was cut short can go on."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.machine import commit, load, machine


class Journal:
    """A file of finished parts. The first line says of which commit, on which machine.

    Args:
        path: The file; where it is of another commit, machine or choice it is begun anew.
        choice: Whatever else must be the same for two parts to belong together.
    """

    def __init__(self, path: Path, choice: str = "") -> None:
        self._path = path
        self.origin = {"commit": commit(), "machine": machine(), "choice": choice}
        self.is_new = True
        self.parts: list[dict[str, Any]] = []
        if path.exists():
            self._go_on()
        if self.is_new:
            path.write_text(json.dumps(self.origin) + "\n")

    def _go_on(self) -> None:
        origin, *parts = list(self._lines())
        changed = [name for name, value in self.origin.items() if origin.get(name) != value]
        if changed:
            say(f"another {' and '.join(changed)} than in {self._path.name}: beginning anew")
            return
        self.is_new, self.parts = False, parts
        # Without the line that was cut short, if there is one.
        whole = "".join(json.dumps(each) + "\n" for each in (origin, *parts))
        self._path.write_text(whole)
        say(f"going on: {len(parts)} parts are measured already ({self._path})")

    def _lines(self) -> Iterator[dict[str, Any]]:
        """The lines that were written whole."""
        for line in self._path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)

    def has(self, **key: Any) -> bool:
        """Whether a part with these entries is there."""
        return any(key.items() <= part.items() for part in self.parts)

    def add(self, **part: Any) -> None:
        """Keep a finished part, at once."""
        self.parts.append({**part, "load_after": load()})
        with self._path.open("a") as file:
            file.write(json.dumps(self.parts[-1]) + "\n")

    def end(self) -> None:
        """All is measured: the next run begins anew."""
        self._path.unlink()


def say(what: str) -> None:
    """Progress, on stderr."""
    print(what, file=sys.stderr, flush=True)
