"""The one door to DuckDB: takes rows in chunks, each a file of its own, and asks them all together.

It is an extra, `log`. What it joins beyond its memory it keeps in the folder
that it is given, so that a topic of any size fits. Chunks are files because a table of DuckDB
writes its last row group anew with every chunk.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from config.text.extras import extra_missing
from stream.errors import ExportDiskFullError, ExportFailedError, ExportRefusedError

_MEMORY = "512MB"
_THREADS = 1  # each holds a row group of its own, and they would mix the rows
_CHUNK_ROWS = 10_000
_CHUNK_BYTES_MAX = 16 << 20
_LINE_BYTES_MIN = 1 << 20  # how long a line DuckDB is told to expect, at least
_CHUNK = """
COPY (SELECT * FROM read_json({lines},
      format = 'newline_delimited', columns = {columns}, maximum_object_size = {longest}))
TO {file} (FORMAT parquet, COMPRESSION zstd)
"""
_encode = msgspec.json.Encoder().encode


def load_duckdb() -> ModuleType:
    """The package.

    Raises:
        ExportRefusedError: It is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise ExportRefusedError(
            f"a log is written by DuckDB: {extra_missing('DuckDB', 'log')} ({error})"
        ) from error
    return duckdb


class LogDatabase:
    """Tables of rows, in a folder of their own.

    Attributes:
        folder: Where all of it is kept; not removed here.
    """

    def __init__(self, folder: Path) -> None:
        self._duckdb = load_duckdb()
        self.folder = folder
        with self._told():
            self._connection = self._duckdb.connect(
                ":memory:",  # beyond its bounds, in the folder
                config={
                    "memory_limit": _MEMORY,
                    "threads": _THREADS,
                    "preserve_insertion_order": False,  # what it costs is memory
                    "temp_directory": str(folder / "spilled"),
                    "autoinstall_known_extensions": False,
                    "autoload_known_extensions": False,
                },
            )
        self.run("SET enable_progress_bar = false")  # it would go to stdout

    def close(self) -> None:
        """Let go of the files."""
        self._connection.close()

    def table(self, name: str, columns: Mapping[str, str]) -> "Table":
        """A new table of these columns, each with its type."""
        return Table(self, name, columns)

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a statement answers.

        Raises:
            ExportDiskFullError: There is no room for what it needs.
            ExportFailedError: Anything else that DuckDB says.
            KeyboardInterrupt: As it came, while DuckDB was at work.
        """
        with self._told():
            answer: list[tuple[Any, ...]] = self._connection.execute(sql).fetchall()
            return answer

    @contextmanager
    def _told(self) -> Iterator[None]:
        """DuckDB's errors as ours. What interrupts it, it reports as an error of its own."""
        try:
            yield
        except self._duckdb.InterruptException as error:
            raise KeyboardInterrupt from error
        except self._duckdb.Error as error:
            what = str(error).splitlines()[0]
            if "No space left" in what or "max_temp_directory_size" in str(error):
                why = f"the disk of {self.folder.parent} is full ({what}): make room there"
                raise ExportDiskFullError(why) from error
            raise ExportFailedError(f"DuckDB cannot write the log: {what}") from error
        except RuntimeError as error:
            if "interrupted" not in str(error).lower():
                raise
            raise KeyboardInterrupt from error


class Table:
    """Takes rows; when it is closed, SQL finds them under its name.

    Attributes:
        rows: How many it took.
    """

    def __init__(self, database: LogDatabase, name: str, columns: Mapping[str, str]) -> None:
        self._database, self._name, self._columns = database, name, columns
        self.rows = 0
        self._chunks = 0
        self._lines: list[bytes] = []
        self._waiting_bytes = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """A row; columns that it lacks are null."""
        line = _encode(row)
        self._lines.append(line)
        self.rows += 1
        self._waiting_bytes += len(line)
        if self._waiting_bytes >= _CHUNK_BYTES_MAX or len(self._lines) >= _CHUNK_ROWS:
            self._flush()

    def close(self) -> None:
        """That was the last row."""
        self._flush()
        kinds = ", ".join(f"{quoted(name)} {kind}" for name, kind in self._columns.items())
        content = f"TABLE {quoted(self._name)} ({kinds})"
        if self._chunks:
            files = text(_exactly(self._database.folder) + f"/{self._name}-*.parquet")
            content = f"VIEW {quoted(self._name)} AS FROM read_parquet({files})"
        self._database.run(f"CREATE {content}")

    def _flush(self) -> None:
        """Make a file of the rows that wait."""
        if not self._lines:
            return
        path = self._database.folder / "chunk.ndjson"
        path.write_bytes(b"\n".join(self._lines) + b"\n")
        self._chunks += 1
        columns = ", ".join(f"{text(name)}: {text(kind)}" for name, kind in self._columns.items())
        self._database.run(
            _CHUNK.format(
                lines=text(_exactly(path)),
                columns=f"{{{columns}}}",
                longest=max(_LINE_BYTES_MIN, max(map(len, self._lines)) + 1),
                file=text(self._database.folder / f"{self._name}-{self._chunks:09d}.parquet"),
            )
        )
        self._lines, self._waiting_bytes = [], 0


def _exactly(path: Path) -> str:
    """A path to be read, in which nothing stands for anything else."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def quoted(name: str) -> str:
    """A name, as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: object) -> str:
    """A text, as SQL has it."""
    return "'" + str(value).replace("'", "''") + "'"
