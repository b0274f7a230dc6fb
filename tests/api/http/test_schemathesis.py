"""The API against its own document: examples, coverage, fuzzing, and sequences along its links."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.api.running import phishing, running, until

CONFIG = Path(__file__).with_name("schemathesis.toml")
LIMIT_S = 110


def test_schemathesis_finds_nothing(starts_servers: None, tmp_path: Path) -> None:
    """Deterministic; the learner obeys at once, so that commands are carried out."""
    with running() as api:
        api.learning.learn(phishing(50, start=200))
        version = api.learning.commit()
        api.learning.beat(control_seq=1_000_000)
        until(lambda: api.serves(version))
        program = Path(sys.executable).with_name("st")
        done = subprocess.run(
            [program, "--config-file", CONFIG, "run", "--no-color", f"{api.url}/openapi.json"],
            capture_output=True, text=True, check=False, timeout=LIMIT_S, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip

    assert done.returncode == os.EX_OK, done.stdout[-8000:] + done.stderr[-2000:]
    covered, there_are = _links(done.stdout)
    assert there_are > 15
    assert covered > 1  # which ones depends on its draws; that any is followed does not


def _links(report: str) -> tuple[int, int]:
    """How many links were followed, and how many there are."""
    found = re.search(r"API Links: +(\d+) covered / (\d+) selected", report)
    assert found is not None, report[-2000:]
    return int(found[1]), int(found[2])
