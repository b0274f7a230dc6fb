"""The one door to DuckDB: a database on disk that takes rows in chunks, and writes the file.

It is an extra: `pip install 'weir[log]'`. What it sorts and joins beyond its memory it keeps in the
folder that it is given, so that a topic of any size fits.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from stream.errors import ExportDiskFullError, ExportFailedError, ExportRefusedError

_MEMORY = "256MB"
_THREADS = 2
_CHUNK_ROWS = 10_000
_CHUNK_BYTES_MAX = 16 << 20
_LINE_BYTES_MIN = 1 << 20  # how long a line DuckDB is told to expect, at least
# A row group of the file is held in memory until it is whole: by rows, so that it stays in bounds.
_GROUP_BYTES = 24 << 20
_GROUP_ROWS = range(2_048, 122_881)
LOAD = """
INSERT INTO {table} SELECT * FROM read_json({file},
    format = 'newline_delimited', columns = {columns}, maximum_object_size = {longest})
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
            f"DuckDB is needed to write a log, and is not there ({error}): "
            "install it with  pip install 'weir[log]'"
        ) from error
    return duckdb


class LogDatabase:
    """Tables of rows, in a folder of their own.

    Args:
        folder: Where all of it is kept; not removed here.
    """

    def __init__(self, folder: Path) -> None:
        self._duckdb = load_duckdb()
        self._folder = folder
        with self._told():
            self._connection = self._duckdb.connect(
                str(folder / "rows.duckdb"),
                config={
                    "memory_limit": _MEMORY,
                    "threads": _THREADS,
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

    def load(self, sql: str, lines: Sequence[bytes]) -> None:
        """Run `sql`, with the names of `LOAD` in it, on a file of these lines."""
        path = self._folder / "chunk.ndjson"
        path.write_bytes(b"\n".join(lines) + b"\n")
        longest = max(_LINE_BYTES_MIN, max(map(len, lines)) + 1)
        self.run(sql.replace("{longest}", str(longest)).replace("{file}", text(path)))

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
                why = f"the disk of {self._folder.parent} is full ({what}): make room there"
                raise ExportDiskFullError(why) from error
            raise ExportFailedError(f"DuckDB cannot write the log: {what}") from error
        except RuntimeError as error:
            if "interrupted" not in str(error).lower():
                raise
            raise KeyboardInterrupt from error


class Table:
    """Takes rows, and hands them over in chunks.

    Attributes:
        rows: How many it took.
        bytes: What they are long, as lines of JSON.
    """

    def __init__(self, database: LogDatabase, name: str, columns: Mapping[str, str]) -> None:
        self._database = database
        self.rows = self.bytes = 0
        self._lines: list[bytes] = []
        self._waiting_bytes = 0
        kinds = ", ".join(f"{quoted(column)} {kind}" for column, kind in columns.items())
        database.run(f"CREATE TABLE {quoted(name)} ({kinds})")
        read = ", ".join(f"{text(column)}: {text(kind)}" for column, kind in columns.items())
        self._load = LOAD.replace("{table}", quoted(name)).replace("{columns}", f"{{{read}}}")

    def add(self, row: Mapping[str, Any]) -> None:
        """A row; columns that it lacks are null."""
        line = _encode(row)
        self._lines.append(line)
        self.rows += 1
        self._waiting_bytes += len(line)
        if self._waiting_bytes >= _CHUNK_BYTES_MAX or len(self._lines) >= _CHUNK_ROWS:
            self.flush()

    def flush(self) -> None:
        """Hand over what waits."""
        if self._lines:
            self._database.load(self._load, self._lines)
            self.bytes += self._waiting_bytes
            self._lines, self._waiting_bytes = [], 0

    @property
    def group_rows(self) -> int:
        """How many rows of this size a group of the file may have."""
        a_row = self.bytes // self.rows if self.rows else 1
        fits = _GROUP_BYTES // max(1, a_row)
        return min(max(fits, _GROUP_ROWS.start), _GROUP_ROWS.stop - 1)


def quoted(name: str) -> str:
    """A name, as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: object) -> str:
    """A text, as SQL has it."""
    return "'" + str(value).replace("'", "''") + "'"
