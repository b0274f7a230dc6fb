"""Files are written whole or not at all; a disk without room is named, nothing is left on it."""

import contextlib
import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from checkpoints.records.signing import make_keys
from config.files import (
    FileInUseError,
    NoRoomError,
    check_asked,
    mount_point,
    replace_file,
    write_asked,
)
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


def test_a_file_that_is_asked_for_replaces_no_device_and_no_link(tmp_path: Path) -> None:
    """A pipe and a device are written into; of a link, what it leads to is replaced."""
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    link.symlink_to(file)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_text)
        write_asked(pipe, "rows")
        assert read.result(10) == "rows"
    write_asked(link, "rows")

    assert pipe.is_fifo()
    assert (link.is_symlink(), file.read_text()) == (True, "rows")
    with pytest.raises(NoRoomError):
        write_asked(Path("/dev/full"), "rows")
    assert Path("/dev/full").is_char_device()


def test_what_is_read_is_not_written_over(tmp_path: Path) -> None:
    """By whatever name; nor is one file written twice."""
    data = tmp_path / "data.csv"
    data.write_text("a")
    (tmp_path / "link.csv").symlink_to(data)

    check_asked(tmp_path / "rows.csv", None, tmp_path / "plot.svg", reads=[data])
    with pytest.raises(FileInUseError, match=r"link\.csv: it is read; name another"):
        check_asked(tmp_path / "link.csv", reads=[data])
    with pytest.raises(FileInUseError, match="something else is written there"):
        check_asked(tmp_path / "rows.csv", tmp_path / "." / "rows.csv")


def test_a_full_disk_behind_stdout_is_told_in_a_line() -> None:
    """By whatever command."""
    command = [Path(sys.executable).with_name("weir"), "doctor", "--model", "config/models/vw.yaml"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr.count("\n")) == (5, 1)
    assert done.stderr.startswith("weir: no room for what is printed")
