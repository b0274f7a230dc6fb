"""What is said below the table, and what the command ends with."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from stream.trying.beside.verdicts import beaten_by
from stream.trying.rows import RowScore, failed_row
from tests.stream.trying.runs import LOGISTIC, ended

NOISE = (
    "name: slow\ntask: regression\nlearner: {river: [{linear_model.PARegressor: {C: 1.0e-9}}]}\n"
)
STRICT = LOGISTIC + "strict: true\nfeatures: {a: {type: int}}\n"
EXPERIMENT = """
model: model.yaml
data: {from: rows.csv, label: y}
space: {learner.river.LogisticRegression.l2: [0.0, 0.1]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = "".join(f"{n % 7},{n % 5},{n % 2}\n" for n in range(300))
    (tmp_path / "rows.csv").write_text(f"a,b,y\n{rows}")
    (tmp_path / "slow.csv").write_text("a,y\n" + "".join(f"1,{n}\n" for n in range(300)))
    (tmp_path / "model.yaml").write_text(LOGISTIC)
    (tmp_path / "slow.yaml").write_text(NOISE + "metrics: [MAE]\n")
    (tmp_path / "strict.yaml").write_text(STRICT)
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT)
    return tmp_path


def test_no_better_than_a_baseline_is_said_below_the_table_and_in_json(folder: Path) -> None:
    """Of a line that climbs by one, the last label is off by one."""
    words = ("try", "slow.yaml", "--from", "slow.csv", "--label", "y")

    _, table, _ = ended(folder, *words)
    _, body, _ = ended(folder, *words, "--json")

    assert "MAE: no model is better than no_change (1.0000)" in table
    score = json.loads(body)["rows"][0]["metrics"]["MAE"]
    assert (score["beats_baseline"], score["baseline"]) == (False, 1.0)


def test_a_row_that_scored_few_events_says_nothing_of_the_baselines() -> None:
    """It is better than what they scored on those few, and would hide that no other is."""
    few = RowScore(
        lifetime=1.0, rolling=1.0, fading=None, baseline=2.0, mean=2.0, beats_baseline=True
    )
    all_of_them = replace(few, lifetime=9.0, baseline=4.0, mean=4.0, beats_baseline=False)
    whole = failed_row("a", "a.yaml", {}, "")
    whole = replace(whole, failed=None, scored=3_000, metrics={"MAE": all_of_them})
    broken = replace(whole, scored=3, nonfinite=2_997, metrics={"MAE": few})

    assert list(beaten_by([whole, broken])) == [("MAE", "mean", 4.0)]


def test_a_label_that_nobody_names_is_asked_for_before_anything_is_tried(folder: Path) -> None:
    """Its events would wait for one for ever."""
    (folder / "experiment.yaml").write_text(EXPERIMENT.replace(", label: y", ""))

    for words in (("try", "model.yaml", "--from", "rows.csv"), ("search", "experiment.yaml")):
        code, out, err = ended(folder, *words)
        assert (code, out) == (2, "")
        assert "rows.csv: its events carry no label" in err
        assert "name its column with --label" in err


@pytest.mark.parametrize("command", ["try", "search"])
def test_where_all_is_refused_the_code_is_6_and_the_first_reason_is_told(
    folder: Path, command: str
) -> None:
    """The table is printed all the same."""
    (folder / "model.yaml").write_text(STRICT)
    words = {
        "try": ("model.yaml", "--from", "rows.csv", "--label", "y"),
        "search": ("experiment.yaml",),
    }

    code, out, err = ended(folder, command, *words[command])

    assert code == 6
    assert "refused 300 (unknown_field 300)" in out
    assert (
        "weir: nothing was learned: refused unknown_field 300, the first for unknown_field" in err
    )
    assert "'b'" in err


def test_events_that_all_wait_for_their_label_are_no_success(folder: Path) -> None:
    """Of a file whose lines are events it is not known before they are read."""
    (folder / "rows.ndjson").write_text('{"id": "a", "features": {"a": 1}}\n')

    code, out, err = ended(folder, "try", "model.yaml", "--from", "rows.ndjson")

    assert (code, "1 events wait for their label" in out) == (6, True)
    assert "weir: nothing was learned: 1 events wait for their label" in err


def test_events_that_raise_are_named_by_the_files_lines(folder: Path) -> None:
    """As the doctor names them: nobody has a topic here."""
    (folder / "text.csv").write_text("a,y\n" + "".join(f"x{n},{n % 2}\n" for n in range(40)))

    code, out, _ = ended(folder, "try", "model.yaml", "--from", "text.csv", "--label", "y")

    assert code == 1
    assert "text.csv at lines 2 to 21" in out
    assert "offset" not in out
