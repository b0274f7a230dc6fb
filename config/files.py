"""Writing files whole or not at all, and saying which disk has no room for them."""

import contextlib
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MIB = 1 << 20


class NoRoomError(OSError):
    """A disk has no room for a file; what stood there before is as it was. Free some, try again."""

    exit_code = 5

    def __init__(self, path: Path, needs: int, what: OSError) -> None:
        self.path, self.needs = path, needs
        super().__init__(what.errno, what.strerror)

    def __str__(self) -> str:
        """Which disk, how much is missing."""
        disk, free = mount_point(self.path), free_bytes(self.path)
        return (
            f"no room for {self.path} on the disk at {disk}: {in_words(self.needs)} needed, "
            f"{in_words(free)} free ({self.strerror}); make room there"
        )


class NotPrintedError(OSError):
    """A disk has no room for what is printed, or kept aside. Make room there, and try again."""

    exit_code = 5

    def __str__(self) -> str:
        return f"no room for what is printed, or for a temporary file: {self.strerror}"


class NotWrittenError(OSError):
    """A file that was asked for cannot be written; what stood there before is as it was.

    Operator: name a place that is there and may be written to.
    """

    exit_code = 2

    def __init__(self, path: Path, why: OSError) -> None:
        super().__init__(why.errno, why.strerror)
        self.path = path

    def __str__(self) -> str:
        return f"cannot write {self.path}: {self.strerror}"


class FileInUseError(ValueError):
    """A file that is to be written is one that is read, or that something else is written to.

    Operator: name another.
    """

    exit_code = 2


def check_asked(*paths: Path | None, reads: Iterable[Path] = ()) -> None:
    """See, before long work is begun, that the files it is to end in can be written.

    Args:
        paths: As a user has named them; None: not asked for.
        reads: Files that are read meanwhile, and were not made to be written over.

    Raises:
        NotWrittenError: There is no such folder, it may not be written to, or it stands there
            itself.
        FileInUseError: It is among `reads`, or is named twice.
    """
    taken = {each.resolve(): "it is read" for each in reads}
    for path in filter(None, paths):
        if why := taken.get(path.resolve()):
            raise FileInUseError(f"cannot write {path}: {why}; name another file")
        taken[path.resolve()] = "something else is written there"
        try:
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            tempfile.TemporaryFile(dir=path.parent).close()
        except OSError as error:
            raise NotWrittenError(path, error) from error


def write_asked(path: Path, content: str | bytes) -> None:
    """Write a file that a user has named, whole; into a device or a pipe, as the shell would.

    Raises:
        NotWrittenError: There is no such folder, or it may not be written to.
        NoRoomError: As `replace_file`.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        where = path.resolve()  # what a link leads to, not the link
        if where.exists() and not where.is_file() and not where.is_dir():
            with room_for(path, len(data)), where.open("wb") as device:
                device.write(data)
        else:
            replace_file(where, data)
    except NoRoomError:
        raise
    except OSError as error:
        raise NotWrittenError(path, error) from error


def replace_file(path: Path, content: str | bytes) -> None:
    """Write a file whole; whoever reads it meanwhile has the old one.

    Args:
        path: In a folder that exists.
        content: Text is written as UTF-8.

    Raises:
        NoRoomError: The old file stays, and nothing is left beside it.
        OSError: It is a folder, or its folder is not there, or may not be written to; likewise.

    >>> import tempfile
    >>> where = Path(tempfile.mkdtemp()) / "pids"
    >>> replace_file(where, "one")
    >>> where.read_text(), len(list(where.parent.iterdir()))
    ('one', 1)
    """
    data = content.encode() if isinstance(content, str) else content
    if not path.name:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with room_for(path, len(data)):
            staged.write_bytes(data)
            staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


@contextlib.contextmanager
def room_for(path: Path, needs: int) -> Iterator[None]:
    """What the system says in the body when a disk is full becomes a NoRoomError about `path`.

    Args:
        needs: Bytes that are to be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM and not isinstance(error, NoRoomError):
            raise NoRoomError(path, needs, error) from error
        raise


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Whatever the body prints is printed at its end, or it is said that there is no room.

    Raises:
        NotPrintedError: The disk behind stdout is full; what is left of it goes nowhere.
    """
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _NO_ROOM or getattr(error, "exit_code", None) is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise NotPrintedError(error.errno, error.strerror) from error


def free_bytes(path: Path) -> int:
    """Bytes that may still be written where `path` is, or would be."""
    return shutil.disk_usage(_nearest(path)).free


def size_bytes(path: Path) -> int:
    """Bytes of the disk where `path` is, or would be, in all."""
    return shutil.disk_usage(_nearest(path)).total


def free_share(path: Path) -> float:
    """The free part of that disk, from 0 to 1; 1 of a disk without a size, as some mounts are.

    >>> 0 <= free_share(Path("/")) <= 1
    True
    """
    size = size_bytes(path)
    return free_bytes(path) / size if size else 1.0


def mount_point(path: Path) -> Path:
    """Where the disk of `path` is mounted.

    >>> mount_point(Path("/"))
    PosixPath('/')
    """
    here = _nearest(path)
    while not os.path.ismount(here):
        here = here.parent
    return here


def in_words(count: int) -> str:
    """Bytes for people.

    >>> in_words(612), in_words(5 * _MIB)
    ('612 bytes', '5.0 MiB')
    """
    return f"{count} bytes" if count < _MIB else f"{count / _MIB:,.1f} MiB"


def _nearest(path: Path) -> Path:
    """`path`, or the folder nearest above it that is there."""
    here = path.absolute()
    while not here.exists():
        here = here.parent
    return here
