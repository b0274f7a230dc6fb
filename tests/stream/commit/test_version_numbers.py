"""The highest number used, over workers and processes, whatever the store has lost."""

import json
import logging

import pytest

from config.settings import load_settings
from stream.commit.version_numbers import VersionNumbers, numbers_of


def test_the_highest_number_outlives_the_process(tmp_path):
    """Written at once, never lower; no trace of the writing is left."""
    file = tmp_path / "numbers" / "m-0.json"
    numbers = VersionNumbers(file)
    assert numbers.highest == 0
    for number in (3, 7, 5):
        numbers.note(number)

    assert numbers.highest == VersionNumbers(file).highest == 7
    assert json.loads(file.read_text()) == {"version": 7}
    assert list(file.parent.iterdir()) == [file]


def test_without_a_data_directory_the_process_remembers(tmp_path, monkeypatch):
    """None was given: nothing is written where the process happens to stand."""
    monkeypatch.chdir(tmp_path)
    numbers = numbers_of(load_settings(environ={}), "m")
    numbers.note(4)

    assert numbers.highest == 4
    assert list(tmp_path.iterdir()) == []


def test_each_line_has_its_own(tmp_path):
    """In the data directory that was given."""
    settings = load_settings({"data_dir": tmp_path}, environ={})
    numbers_of(settings, "one").note(4)

    assert numbers_of(settings, "one").highest == 4
    assert numbers_of(settings, "two").highest == numbers_of(settings, "one", 1).highest == 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": "many"}', '{"number": 3}'])
def test_what_tells_no_number_is_said(tmp_path, caplog, content):
    """The other witnesses still count."""
    file = tmp_path / "m-0.json"
    file.write_text(content)

    assert VersionNumbers(file).highest == 0
    assert "does not tell" in caplog.text


def test_a_place_that_cannot_be_written_is_said_once(tmp_path, caplog):
    """Learning goes on."""
    (tmp_path / "numbers").write_text("a file, no folder")
    numbers = VersionNumbers(tmp_path / "numbers" / "m-0.json")
    with caplog.at_level(logging.WARNING):
        for number in (1, 2, 3):
            numbers.note(number)

    assert numbers.highest == 3
    assert caplog.text.count("are not remembered") == 1
