"""Files are written whole or not at all; a disk without room is named, nothing is left on it."""

import contextlib
import errno
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checkpoints.records.signing import make_keys
from config.files import NoRoomError, mount_point, replace_file
from config.processes.roll_call import Parts, read_parts, write_parts
from stream.commit.version_numbers import VersionNumbers


@contextlib.contextmanager
def no_room(limit_bytes: int = 0) -> Iterator[None]:
    """No file may grow beyond so many bytes, as on a disk that is full (setrlimit(2))."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("limit_bytes", [0, 3])
def test_the_old_file_stays_and_the_error_says_which_disk_and_how_much(
    tmp_path: Path, limit_bytes: int
) -> None:
    """Whether nothing fits, or a part of it; once there is room it is written."""
    path = tmp_path / "dev.json"
    replace_file(path, "old")

    with no_room(limit_bytes), pytest.raises(NoRoomError) as caught:
        replace_file(path, "a new one")

    assert (path.read_text(), list(tmp_path.iterdir())) == ("old", [path])
    told = str(caught.value)
    assert f"no room for {path} on the disk at {mount_point(tmp_path)}: 9 bytes needed" in told
    assert caught.value.exit_code == 5
    replace_file(path, "a new one")
    assert path.read_text() == "a new one"


def test_another_error_of_the_system_is_not_called_a_full_disk(tmp_path: Path) -> None:
    """A folder that is not there, or a name that a folder has."""
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "nowhere" / "file", "text")
    (tmp_path / "folder" / "full").mkdir(parents=True)
    with pytest.raises(OSError, match=r".") as caught:
        replace_file(tmp_path / "folder", "text")
    assert caught.value.errno in {errno.EISDIR, errno.ENOTEMPTY}
    for no_file in (Path(), Path("/")):
        with pytest.raises(IsADirectoryError):
            replace_file(no_file, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def names_parts(folder: Path) -> None:
    write_parts(folder / "parts.json", Parts(pids={"learner:m": os.getpid()}))


def makes_keys(folder: Path) -> None:
    make_keys(folder / "keys")


@pytest.mark.parametrize("write", [names_parts, makes_keys])
def test_what_cannot_be_written_can_be_once_there_is_room(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    """Nothing that was begun is in the way."""
    with no_room(), pytest.raises(NoRoomError):
        write(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]

    write(tmp_path)
    assert read_parts(tmp_path / "parts.json", os.getsid(0)) is not None
    assert [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_version_number_is_remembered_in_memory_and_later_on_disk(tmp_path: Path) -> None:
    """A number is no reason to stop."""
    file = tmp_path / "numbers" / "m-0.json"
    numbers = VersionNumbers(file)
    with no_room():
        numbers.note(7)
    assert (numbers.highest, file.exists()) == (7, False)

    numbers.note(8)
    assert VersionNumbers(file).highest == 8
