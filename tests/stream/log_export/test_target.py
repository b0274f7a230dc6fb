"""The file is there whole, or as it was before."""

import errno
from pathlib import Path

import pytest

from stream.errors import ExportDiskFullError, ExportRefusedError
from stream.log_export.target import form_of, replaced


@pytest.mark.parametrize("name", ["log", "log.parquet.gz", "log.ndjson.gz", ".csv", "parquet"])
def test_other_names_are_refused(name: str) -> None:
    """What they would hold is not known."""
    with pytest.raises(ExportRefusedError, match=r"end in \.parquet, \.csv, \.csv\.gz, \.ndjson"):
        form_of(Path(name))


def test_a_draft_takes_the_place_of_the_file(tmp_path: Path) -> None:
    """Until then the old one is there; afterwards nothing else."""
    path = tmp_path / "log.csv"
    path.write_text("old")

    with replaced(path) as draft:
        draft.path.write_text("new")
        (draft.folder / "more").touch()
        assert path.read_text() == "old"

    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """Exit 5: a supervisor may try again. The file is as it was."""
    path = tmp_path / "log.csv"
    path.write_text("old")

    with pytest.raises(ExportDiskFullError, match="make room") as caught, replaced(path):
        raise OSError(errno.ENOSPC, "No space left on device")

    assert caught.value.exit_code == 5
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_where_nothing_can_be_written_is_told(tmp_path: Path) -> None:
    """Before anything is read."""
    with pytest.raises(ExportRefusedError, match=r"nothing can be written in .*gone"):
        replaced(tmp_path / "gone" / "log.csv").__enter__()
    (tmp_path / "log.csv").mkdir()
    with pytest.raises(ExportRefusedError, match="is a folder"):
        replaced(tmp_path / "log.csv").__enter__()
