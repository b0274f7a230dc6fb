"""A private folder in memory, for learners that save to a path, and load from one, only."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_SHARED_MEMORY = Path("/dev/shm")


@contextlib.contextmanager
def private_folder(base: Path | None) -> Iterator[Path]:
    """A folder that nobody else can read and that goes when we end.

    A process that is killed leaves its folder; the next one of the same user clears it away.

    Args:
        base: Where to make it; None: in shared memory, else the system's temporary folder.
    """
    parent = parent_of(base)
    _clear_the_dead(parent)
    folder = Path(tempfile.mkdtemp(prefix=f"weir-{os.getpid()}-", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def parent_of(base: Path | None) -> Path:
    """Where private folders are made; `base` as for `private_folder`."""
    return base or (_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else Path(tempfile.gettempdir()))


def _clear_the_dead(parent: Path) -> None:
    for folder in parent.glob("weir-*-*"):
        pid = folder.name.split("-")[1]
        with contextlib.suppress(FileNotFoundError):  # another process was quicker
            is_ours = folder.stat().st_uid == os.getuid()
            if is_ours and pid.isdecimal() and not _is_alive(int(pid)):
                shutil.rmtree(folder, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
