"""DuckDB behind its door: what ends it is told in our words."""

import os
import signal
import threading
from contextlib import closing
from pathlib import Path

import pytest

from stream.errors import ExportFailedError
from stream.log_export.database import LogDatabase

LONG = "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range * b.range % 7 = 3"


def test_ctrl_c_ends_a_query(tmp_path: Path) -> None:
    """As it ends all else; DuckDB has an error of its own for it."""
    with closing(LogDatabase(tmp_path)) as database:
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()

        with pytest.raises(KeyboardInterrupt):
            database.run(LONG)
        timer.join()


def test_a_table_without_rows_has_its_columns(tmp_path: Path) -> None:
    """A query of it answers nothing, and is no error."""
    with closing(LogDatabase(tmp_path)) as database:
        database.table("none", {"a b": "BIGINT"}).close()

        assert database.run('SELECT "a b" FROM none') == []


def test_an_error_is_one_line(tmp_path: Path) -> None:
    """With what DuckDB said."""
    with closing(LogDatabase(tmp_path)) as database:
        with pytest.raises(
            ExportFailedError, match="DuckDB cannot write the log: Catalog"
        ) as caught:
            database.run("FROM nowhere")

        assert "\n" not in str(caught.value)
