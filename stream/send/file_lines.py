"""The lines of a file that is to be sent: unpacked, numbered, and refused where it is damaged.

A packed file is read twice. Of a flipped bit gzip tells only at the end, when a wrong number may
have been learned long since; so nothing of a damaged file is sent.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, TypeAlias, cast

from stream.errors import SendError
from stream.kafka.client import DEAD_LETTER_BYTES_MAX

# From a file to its lines, each with its number.
Lines: TypeAlias = Callable[[Path], Iterator[tuple[int, bytes]]]

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UNREADABLE = (OSError, EOFError, zlib.error)
# Where unpacking fails, what is in its block is lost: the line named is right to these bytes.
_BLOCK_BYTES = 4096
# Files beyond that, unpacked, are not counted before they are read; gzip packs about so well.
_COUNTED_BYTES_MAX = 1 << 30
_PACKED = 8
_COUNT_BLOCK_BYTES = 1 << 20
# No topic takes a record beyond this.
_LINE_BYTES_MAX = DEAD_LETTER_BYTES_MAX
_GZIP = b"\x1f\x8b"
_NOT_TEXT = {
    _GZIP: "is packed by gzip: let its name end with .gz",
    b"PK\x03\x04": "is a zip archive, or an Excel file: unpack it, or save it as CSV",
    b"PAR1": "is a Parquet file: write it as CSV or NDJSON",
    b"\xff\xfe": "is UTF-16: iconv -f UTF-16 -t UTF-8 makes it UTF-8",
    b"\xfe\xff": "is UTF-16: iconv -f UTF-16 -t UTF-8 makes it UTF-8",
}


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    r"""Each line of a text file with its number, from 1 on, and with the `\n` it ends with.

    Args:
        path: The file; packed by gzip where its name ends with `.gz`. A byte order mark at its
            beginning belongs to no line.

    Raises:
        SendError: It is no text, damaged, or cannot be read on; with file and line.
    """
    if path.suffix == ".gz" and path.is_file():
        _require_sound(path)
    yield from first_lines(path)


def first_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """As `numbered_lines`, for a look at the beginning: what is packed is not read to its end."""
    number = 0
    with _opened(path) as file:
        try:
            while line := file.readline(_LINE_BYTES_MAX + 1):
                number += 1
                if len(line) > _LINE_BYTES_MAX:
                    what = f"a line of more than {_LINE_BYTES_MAX:,} bytes, which no topic takes"
                    raise SendError(f"{path}:{number}: {what}")
                if number == 1:
                    line = line.removeprefix(_BYTE_ORDER_MARK)
                if line:
                    yield number, line
        except _UNREADABLE as error:
            raise SendError(f"{path}:{number + 1}: cannot be read on: {_why(error)}") from error


def count_lines(path: Path) -> int | None:
    """How many lines a file has; None where that takes long to tell, or it is damaged."""
    unpacked = path.stat().st_size * (_PACKED if path.suffix == ".gz" else 1)
    if unpacked > _COUNTED_BYTES_MAX:
        return None
    with _opened(path) as file:
        try:
            return sum(b.count(b"\n") for b in iter(lambda: file.read(_COUNT_BLOCK_BYTES), b""))
        except _UNREADABLE:  # who reads it is told why
            return None


def require_readable(path: Path) -> None:
    """See that there is such a file, and that it is text.

    Raises:
        SendError: It is not; why, and what makes it so.
    """
    _opened(path).close()


def _opened(path: Path) -> IO[bytes]:
    with ExitStack() as held:
        try:
            open_it = gzip.open if path.suffix == ".gz" else open
            file = cast("gzip.GzipFile", held.enter_context(open_it(path, "rb")))
        except OSError as error:
            raise SendError(f"cannot read {path}: {_why(error)}") from error
        try:
            _require_text(path, file.peek(4))
        except _UNREADABLE as error:
            raise SendError(f"{path}:1: cannot be read: {_why(error)}") from error
        held.pop_all()
        return cast("IO[bytes]", file)


def _require_text(path: Path, first: bytes) -> None:
    for magic, what in _NOT_TEXT.items():
        if first.startswith(magic):
            raise SendError(f"{path}:1: {what}")


def _require_sound(path: Path) -> None:
    """Unpack all of it once, for its checksum.

    Raises:
        SendError: It is damaged; with the line from which on nothing is sure.
    """
    line = 1
    with gzip.open(path, "rb") as file:
        try:
            while block := file.read1(_BLOCK_BYTES):
                line += block.count(b"\n")
        except _UNREADABLE as error:
            what = f"the packed file is damaged here or before: {_why(error)}"
            raise SendError(f"{path}:{line}: {what}; pack it again, or copy it again") from error


def _why(error: Exception) -> str:
    """The reason in words for people: the libraries' are for programmers."""
    text = str(error)
    if isinstance(error, EOFError):
        return "it ends too early, as a copy does that was broken off"
    if text.startswith("Not a gzipped file"):
        return f"this is not gzip's ({text}); if the file is not packed, its name is not to say .gz"
    if text.startswith(("CRC check failed", "Incorrect length")):
        return f"its checksum is wrong ({text}): some of its lines are not what was packed"
    return (error.strerror if isinstance(error, OSError) else None) or text


def by_lines(text: str, topic: str, source: str) -> str:
    """The text with the file's lines in place of the offsets that stand for them.

    >>> by_lines("a number since m.events-0-7, m.events-0 at offsets 2 to 9", "m.events", "a.csv")
    'a number since a.csv:7, a.csv at lines 2 to 9'
    """
    by_line = text.replace(f"{topic}-0 at offset", f"{source} at line")
    return by_line.replace(f"{topic}-0-", f"{source}:")
