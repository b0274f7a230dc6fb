"""The file that is written: what its name says, and that it is there whole or as it was before."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from stream.errors import ExportDiskFullError, ExportFailedError, ExportRefusedError

Form: TypeAlias = Literal["parquet", "csv", "csv.gz", "ndjson"]

_ENDINGS: dict[str, Form] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv.gz",
    ".ndjson": "ndjson",
}
_PREFIX = ".weir-log-"


class DraftFile(NamedTuple):
    """A folder beside the file, for all that is needed until it is there.

    Attributes:
        folder: Removed with all that is in it, however the export ends.
        path: What becomes the file.
    """

    folder: Path
    path: Path


def form_of(path: Path) -> Form:
    """What the file is to hold, by its name.

    Raises:
        ExportRefusedError: It ends in nothing that is known here.

    >>> form_of(Path("answers.CSV.gz"))
    'csv.gz'
    """
    for ending, form in _ENDINGS.items():
        if path.name.lower().endswith(ending) and len(path.name) > len(ending):
            return form
    known = ", ".join(_ENDINGS)
    raise ExportRefusedError(f"{path}: its name must say what it is to be, and end in {known}")


@contextmanager
def replaced(path: Path) -> Iterator[DraftFile]:
    """A draft that replaces `path` at the end, on disk and at once, unless an error comes first.

    Raises:
        ExportRefusedError: Nothing can be written there.
        ExportDiskFullError: There is no room.
        ExportFailedError: Whatever else keeps the file from being written.
    """
    if path.is_dir():
        raise ExportRefusedError(f"{path} is a folder: name a file in it")
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=path.parent.resolve()))
    except OSError as error:
        why = error.strerror or error
        raise ExportRefusedError(f"nothing can be written in {path.parent}: {why}") from error
    try:
        draft = DraftFile(folder, folder / "whole")
        yield draft
        _sync(draft.path)
        draft.path.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _not_written(path: Path, error: OSError) -> ExportFailedError:
    why = error.strerror or error
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return ExportDiskFullError(f"{path}: the disk is full ({why}): make room there")
    return ExportFailedError(f"{path} cannot be written: {why}")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
