"""`weir dev` that is told to end before its servers are up."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.config.processes.waiting import until

PROGRAM = Path(sys.executable).with_name("weir")
# While it loads its modules, formats Kafka's folder, starts the servers, waits for them. Both
# signals have one handler, and come in turn.
TERM, INT = (signal.SIGTERM, 0), (signal.SIGINT, 130)
DELAYS_S = [(0.0, *TERM), (0.3, *INT), (0.8, *TERM), (1.2, *INT), (2.0, *TERM), (3.5, *INT)]


pytestmark = pytest.mark.usefixtures("starts_servers")


def catches(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt")]
    return bool(int(mask, 16) >> (number - 1) & 1)


@pytest.mark.parametrize(("delay_s", "number", "code"), DELAYS_S)
def test_it_ends_in_order_however_early(
    tmp_path: Path, delay_s: float, number: signal.Signals, code: int
) -> None:
    """With the code of a later end, without a traceback, and with nothing left behind."""
    command = [str(PROGRAM), "dev", "--demo", "phishing", "--port", "0", "--kafka-port", "0"]
    with (
        (tmp_path / "said").open("wb") as said,
        subprocess.Popen(
            [*command, "--data-dir", str(tmp_path / "data")],
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=said,
            stderr=said,
        ) as process,
    ):
        try:
            until(lambda: catches(process.pid, signal.SIGTERM), what="the command has begun")
            time.sleep(delay_s)
            process.send_signal(number)
            found = process.wait(30)
        finally:
            process.kill()

    text = (tmp_path / "said").read_text()
    assert found == code, text
    assert "Traceback" not in text
    assert not (tmp_path / "data" / "dev.json").exists()
