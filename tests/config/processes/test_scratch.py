"""The private folder in memory: it goes with its process, however that ends."""

import subprocess
import sys
from pathlib import Path

from config.processes.scratch import private_folder

HOLDER = """
import sys
from pathlib import Path
from config.processes.scratch import private_folder

with private_folder(Path(sys.argv[1])) as folder:
    (folder / "model.vw").write_bytes(b"half a mod")
    print(folder, flush=True)
    sys.stdin.read()
"""


def holder(base: Path) -> tuple["subprocess.Popen[str]", Path]:
    """A process that works in a folder below `base`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(base)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_nobody_else_may_look_and_nothing_stays(tmp_path: Path) -> None:
    """Whatever was saved there."""
    with private_folder(tmp_path) as folder:
        (folder / "model.vw").touch()
        assert folder.stat().st_mode & 0o077 == 0
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_cleared_by_the_next(tmp_path: Path) -> None:
    """And what a living one works in is not."""
    killed, left = holder(tmp_path)
    alive, kept = holder(tmp_path)
    (tmp_path / "weir-api-abcd").mkdir()  # somebody else's
    killed.kill()
    killed.communicate()
    assert left.exists()

    with private_folder(tmp_path) as folder:
        found = set(tmp_path.iterdir())

    assert found == {folder, kept, tmp_path / "weir-api-abcd"}
    alive.communicate()
    assert alive.returncode == 0
    assert not kept.exists()
