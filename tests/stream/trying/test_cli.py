"""`weir try` and `weir search` as they are typed: what they print, and what they end with."""

import csv
import json
import re
import signal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from config.model_file import load_model_file
from tests.stream.trying.runs import LOGISTIC, TREE, begun, ended

EXPERIMENT = """
model: logistic.yaml
data: {from: "river:Phishing"}
space: {learner.river.LogisticRegression.l2: [0.0, 0.1, 1.0]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("logistic", LOGISTIC), ("tree", TREE), ("experiment", EXPERIMENT)):
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def test_rows_as_a_table_as_json_as_csv_and_as_a_plot(folder: Path) -> None:
    """The same in all of them."""
    words = ("try", "logistic.yaml", "tree.yaml", "--from", "river:Phishing")

    code, table, err = ended(folder, *words, "--csv", "rows.csv", "--plot", "rolling.svg")
    _, text, _ = ended(folder, *words, "--json", "--plot", "rolling.html")

    assert code == 0, err
    rows = json.loads(text)["rows"]
    written = [*csv.DictReader((folder / "rows.csv").read_text().splitlines())]
    assert (
        [row["model"] for row in rows] == [row["model"] for row in written] == ["logistic", "tree"]
    )
    for row, line in zip(rows, written, strict=True):
        score = row["metrics"]["Accuracy"]
        assert {"lifetime", "rolling", "baseline", "no_change", "majority"} <= score.keys()
        assert float(line["Accuracy.lifetime"]) == score["lifetime"]
        assert f"{score['lifetime']:.4f}" in table
        assert (row["learned"], row["refused"], row["set"]) == (1250, 0, {})
        assert row["bytes"] > 500
        assert row["events_per_second"] > 0
    assert "(majority)" in table
    image = (folder / "rolling.svg").read_text()
    assert ElementTree.fromstring(image).tag.endswith("svg")
    assert ">logistic<" in image
    assert ">tree<" in image
    page = (folder / "rolling.html").read_text()
    assert all(f"{name}, rolling" in page for name in rows[0]["metrics"])
    assert not re.search(r"(?:src|href)=", page), "it needs no other file"


def test_values_are_set_by_path_and_make_a_grid(folder: Path) -> None:
    """Of several paths every combination, the first row that which others are compared with."""
    code, out, err = ended(
        folder, "try", "logistic.yaml", "--from", "river:Phishing", "--json", "--limit", "500",
        "--set", "learner.river.LogisticRegression.l2=0,0.1",
        "--set", "learner.river.LogisticRegression.optimizer={optim.SGD: [0.01]},optim.Adam",
    )  # fmt: skip

    rows = json.loads(out)["rows"]
    assert code == 0, err
    assert [[*row["set"].values()] for row in rows] == [
        [0, {"optim.SGD": [0.01]}], [0, "optim.Adam"],
        [0.1, {"optim.SGD": [0.01]}], [0.1, "optim.Adam"],
    ]  # fmt: skip
    assert "difference" not in rows[0]["metrics"]["Accuracy"]
    assert all(r["metrics"]["Accuracy"]["difference"]["events"] == 500 for r in rows[1:])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("logistic.yaml",), 2, "give either --from SOURCE, or --kafka"),
        (("logistic.yaml", "--from", "no.csv"), 2, "cannot read no.csv"),
        (("logistic.yaml", "--from", "river:Phishng"), 2, 'did you mean "Phishing"'),
        (("logistic.yaml", "--from", "river:Phishing", "--end", "v3"), 2, "perhaps with --end vN"),
        (("logistic.yaml", "--from", "river:Phishing", "--set", "task"), 2, "write PATH=VALUE"),
        (
            (
                "logistic.yaml",
                "tree.yaml",
                "--from",
                "river:Phishing",
                "--set",
                "learner.river.LogisticRegression.l2=0,0.1",
            ),
            2,
            "learner.river.LogisticRegression.l2: in tree.yaml there is no 'LogisticRegression.l2'",
        ),
        (
            ("logistic.yaml", "--from", "river:Phishing", "--set", "metrics=[Acuracy],[F1]"),
            2,
            'River has no metric "Acuracy" (did you mean "Accuracy"?) (with metrics=[Acuracy])',
        ),
        (
            ("logistic.yaml", "--from", "river:Phishing", "--plot", "a.png"),
            2,
            "a picture is FILE.svg or FILE.html",
        ),
        (
            ("logistic.yaml", "--from", "river:Phishing", "--csv", "no/such.csv"),
            2,
            "cannot write no/such.csv: No such file or directory",
        ),
        (
            ("logistic.yaml", "--from", "river:Phishing", "--csv", "."),
            2,
            "cannot write .: Is a directory",
        ),
        (("experiment.yaml", "--from", "river:Phishing"), 2, "experiment.yaml"),
    ],
)
def test_a_mistake_is_told_with_what_mends_it(
    folder: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    """Before anything is tried."""
    found, out, err = ended(folder, "try", *words)

    assert (found, out) == (code, "")
    assert told in " ".join(err.split())


def test_where_the_winner_cannot_be_written_no_search_is_begun(folder: Path) -> None:
    """It would be lost at the end."""
    code, out, err = ended(folder, "search", "experiment.yaml", "-o", "no/such.yaml")

    assert (code, out) == (2, "")
    assert err == "weir: cannot write no/such.yaml: No such file or directory\n"


def test_a_hold_out_is_scored_alone_and_said(folder: Path) -> None:
    """By table and JSON; one that begins behind the end scores nothing."""
    words = ("try", "logistic.yaml", "--from", "river:Phishing")

    _, whole, _ = ended(folder, *words)
    code, table, err = ended(folder, *words, "--scores-from", "1000")
    _, body, _ = ended(folder, *words, "--scores-from", "1000", "--json")
    beyond, _, told = ended(folder, *words, "--scores-from", "1250")

    assert code == 0, err
    assert table.splitlines()[-1] == "scores: of what comes after 1,000 records"
    assert table.splitlines()[1] != whole.splitlines()[1]
    assert json.loads(body)["scores_from"] == 1_000
    assert json.loads(body)["rows"][0]["scored"] == 250
    assert beyond == 2
    assert "--scores-from 1250: there are 1,250 records: nothing is scored" in told


def test_a_file_that_breaks_midway_leaves_the_rows_and_the_mistake(folder: Path) -> None:
    """With file and line; the exit code is the mistake's."""
    lines = [f"{n % 5},{n % 2}" for n in range(250)]
    (folder / "rows.csv").write_text("\n".join(["a,label", *lines, "1,2,3"]) + "\n")

    code, out, err = ended(folder, "try", "logistic.yaml", "--from", "rows.csv", "--label", "label")

    assert code == 2
    assert "200" in out
    assert "rows.csv:252: 3 cells, but the header names 2 columns" in err


@pytest.mark.parametrize("command", ["try", "search"])
def test_ctrl_c_prints_the_rows_so_far(folder: Path, command: str) -> None:
    """And ends with 130."""
    (folder / "experiment.yaml").write_text(
        EXPERIMENT.replace('"river:Phishing"', '"river:SEA", limit: 100000') + "method: halving\n"
    )
    words = {
        "try": ("logistic.yaml", "--from", "river:SEA", "--limit", "10000000"),
        "search": ("experiment.yaml", "-o", "won.yaml"),
    }
    process = begun(folder, command, *words[command])
    begun_at = {"try": "records", "search": "2 of 3 trials go on"}[command]
    told = []
    assert process.stderr is not None
    while not told or re.search(begun_at, told[-1]) is None:
        told.append(process.stderr.readline())
        assert told[-1], told

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert process.returncode == 130, err
    assert "Accuracy" in out
    assert "so far" in err
    assert not (folder / "won.yaml").exists()


def test_a_search_writes_its_winner_as_a_model_file(folder: Path) -> None:
    """With how it was found, and what it found: what `weir try` says of it."""
    code, out, err = ended(
        folder, "search", "experiment.yaml", "-o", "won.yaml", "--json", "--csv", "rows.csv"
    )
    found = json.loads(out)
    _, tried, _ = ended(folder, "try", "won.yaml", "--from", "river:Phishing", "--json")

    assert code == 0, err
    assert found["winner"] == found["rows"][0]["set"]
    assert (found["records"], found["steps"], found["steps_of_grid"]) == (1250, 3750, 3750)
    best = max(row["metrics"]["Accuracy"]["lifetime"] for row in found["rows"])
    assert json.loads(tried)["rows"][0]["metrics"]["Accuracy"]["lifetime"] == best
    text = (folder / "won.yaml").read_text()
    assert text.startswith(
        "# Found by `weir search experiment.yaml`: method grid, seed 42, 3 trials"
    )
    assert load_model_file(folder / "won.yaml").metrics == ("Accuracy", "LogLoss", "F1")


def test_a_search_replaces_what_a_search_wrote_and_nothing_else(folder: Path) -> None:
    """Without --force: a model file that was written by hand is work."""
    words = ("search", "experiment.yaml", "-o")

    refused, out, err = ended(folder, *words, "tree.yaml")
    first, _, _ = ended(folder, *words, "won.yaml")
    again, _, _ = ended(folder, *words, "won.yaml")
    forced, _, _ = ended(folder, *words, "tree.yaml", "--force")

    assert (refused, out) == (2, "")
    assert "tree.yaml is there already, and no search has written it" in " ".join(err.split())
    assert (first, again, forced) == (0, 0, 0)
    assert (folder / "tree.yaml").read_text().startswith("# Found by `weir search")


def test_a_search_says_what_decided_and_where_a_value_lies_at_the_edge(folder: Path) -> None:
    """The score was not named; 0.05, the smallest offered, is best on Phishing."""
    text = EXPERIMENT.replace("[0.0, 0.1, 1.0]", "[0.05, 0.5, 1.0]")
    (folder / "experiment.yaml").write_text(text)

    _, table, err = ended(folder, "search", "experiment.yaml")
    _, body, _ = ended(folder, "search", "experiment.yaml", "--json")
    (folder / "experiment.yaml").write_text(text + "metric: F1\n")
    _, named, _ = ended(folder, "search", "experiment.yaml")

    assert "compared by Accuracy, the model file's first score" in table
    assert named.splitlines()[-1] == "compared by F1"
    assert "to the first" in table
    assert "weir: l2=0.05 is the smallest offered, or nearly: try smaller ones" in err
    found = json.loads(body)
    assert found["edges"] == {"learner.river.LogisticRegression.l2": "smallest"}
    assert found["winner"] == {"learner.river.LogisticRegression.l2": 0.05}
    assert all(row["metrics"]["Accuracy"]["difference"]["mean"] < 0 for row in found["rows"][1:])


def test_trials_that_were_let_go_stand_apart(folder: Path) -> None:
    """Of fewer records their scores are no scores beside the others'."""
    text = EXPERIMENT.replace("river:Phishing", "river:Bananas")
    (folder / "experiment.yaml").write_text(text + "method: halving\nworkers: 2\n")

    _, table, _ = ended(folder, "search", "experiment.yaml")

    lines = table.splitlines()
    at = lines.index("let go at 2,700 records:")
    assert all("5,300" in line for line in lines[1:at])
    assert "2,700" in lines[at + 1]


def test_random_draws_are_the_same_each_time(folder: Path) -> None:
    """The seed decides them."""
    text = EXPERIMENT.replace("[0.0, 0.1, 1.0]", "{log: [0.0001, 1.0]}")
    (folder / "experiment.yaml").write_text(text + "method: random\ntrials: 3\nworkers: 2\n")

    bodies: list[dict[str, Any]] = [
        json.loads(ended(folder, "search", "experiment.yaml", "--json")[1]) for _ in range(2)
    ]

    one, other = ([row["set"] for row in body["rows"]] for body in bodies)
    assert one == other
    assert len({str(each) for each in one}) == 3
