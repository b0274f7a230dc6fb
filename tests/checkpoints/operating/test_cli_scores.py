"""`weir versions`, `weir scores` and `weir compare`, as they are typed."""

import csv
import json
from pathlib import Path

import pytest

from checkpoints.operating.cli_scores import scores
from checkpoints.operating.connection import Connection
from checkpoints.reading.reader import LineReader
from checkpoints.records.line import Line
from checkpoints.records.manifest import Counts
from checkpoints.records.signing import Keys
from checkpoints.stores.in_memory.store import MemoryStore
from tests.checkpoints.builders import LEARNER, OPERATOR, VERIFIER, committed, damage, granted
from tests.checkpoints.operators import LINE, command_line

ROLLING = (0.5, 0.9, 0.875)


@pytest.fixture
def store():
    """Three versions of `phishing`, two of `tree`, which read the same events."""
    store = MemoryStore()
    _commit(store, LINE, ROLLING)
    _commit(store, Line("tree"), ROLLING[:2])
    return store


def _commit(store, line, rolling):
    token, parent = granted(store, line).token, None
    for number, value in enumerate(rolling, 1):
        score = {"lifetime": value / 2, "rolling": value, "fading": None, "majority": 0.25}
        parent = committed(
            store, line, token, number=number, parent=parent, model=b"%d" % number,
            counts=Counts(learned=1000 * number, scored=1000 * number),
            metrics={"Accuracy": score, "LogLoss": {"lifetime": 0.5, "rolling": 0.25}},
        )  # fmt: skip


def test_versions_show_each_score_and_mark_the_best(store):
    """Over the life, rolling, and how that changed."""
    code, told = command_line(store)("versions", "phishing")
    header, third, second, first = told.splitlines()

    assert code == 0
    assert header.split()[-6:] == ["Accuracy", "rolling", "change", "LogLoss", "rolling", "change"]
    assert third.split()[-6:] == ["0.4375", "0.875", "-0.025", "0.5", "0.25", "0"]
    assert second.split()[-7:-3] == ["best", "0.45", "0.9", "+0.4"]
    assert first.split()[-4] == "-"


def test_versions_as_json_grow_by_scores_and_best(store):
    """What was there before is as it was."""
    _, told = command_line(store)("versions", "phishing", "--json")
    newest = json.loads(told)["items"][0]

    assert newest["metrics"] == {"Accuracy": 0.4375, "LogLoss": 0.5}
    assert newest["scores"]["Accuracy"]["rolling"] == 0.875
    assert newest["best"] is False


def test_scores_are_told_oldest_first_and_beside_what(store):
    """A line a version, and the newest one's baselines."""
    code, told = command_line(store)("scores", "phishing")

    assert code == 0
    assert [line.split() for line in told.splitlines()] == [
        ["version", "learned", "scored", "Accuracy", "rolling", "LogLoss", "rolling"],
        ["v1", "1000", "1000", "0.25", "0.5", "0.5", "0.25"],
        ["v2", "2000", "2000", "best", "0.45", "0.9", "0.5", "0.25"],
        ["v3", "3000", "3000", "0.4375", "0.875", "0.5", "0.25"],
        ["Accuracy", "of", "majority", "0.25"],
    ]


def test_scores_go_to_a_table_and_a_picture(store, tmp_path):
    """Every score in full; the picture has a line for each window and baseline."""
    table, picture = tmp_path / "s.csv", tmp_path / "s.svg"
    words = ("--csv", str(table), "--plot", str(picture))
    code, _ = command_line(store)("scores", "phishing", *words)
    rows = list(csv.DictReader(table.read_text().splitlines()))

    assert code == 0
    assert [row["Accuracy.rolling"] for row in rows] == ["0.5", "0.9", "0.875"]
    assert [row["Accuracy.fading"] for row in rows] == ["", "", ""]
    assert picture.read_text().count('class="line"') == 5
    assert "phishing: scores by version" in picture.read_text()


@pytest.mark.parametrize(
    ("options", "what"),
    [({"plot": Path("s.png")}, "a picture is"),
     ({"csv_file": Path("no/such/s.csv")}, "cannot write no/such/s.csv: No such file")],
    ids=["plot", "csv"],
)  # fmt: skip
def test_a_file_that_cannot_be_written_is_said(store, tmp_path, monkeypatch, options, what):
    """Exit code 2, and nothing is left of it."""
    monkeypatch.chdir(tmp_path)
    keys = Keys(learner=LEARNER, operator=OPERATOR, verifier=VERIFIER)
    with pytest.raises((ValueError, OSError), match=what) as caught:
        scores(Connection(store=store, keys=keys, who="ann"), "phishing", **options)

    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_version_is_left_out(store):
    """The others are shown."""
    damage(store, LineReader(store, VERIFIER, LINE).version(2))
    code, told = command_line(store)("scores", "phishing")

    assert code == 0
    assert [line.split()[0] for line in told.splitlines()[1:3]] == ["v1", "v3"]


def test_models_are_compared_at_the_same_count(store):
    """The one that is ahead by its version of then."""
    code, told = command_line(store)("compare", "phishing", "tree")

    assert code == 0
    assert told.splitlines()[:2] == [
        "phishing v2: 20 records of events read, 2,000 learned, 2,000 scored",
        "tree v2: 20 records of events read, 2,000 learned, 2,000 scored",
    ]
    assert told.splitlines()[3].split() == ["Accuracy", "lifetime", "0.45", "0.45", "0"]


def test_a_comparison_with_what_is_not_there_is_refused(store):
    """As of any command."""
    code, told = command_line(store)("compare", "phishing", "tre")

    assert code == 3
    assert "tree" in told
