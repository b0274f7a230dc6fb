"""`weir doctor --data`: what would be refused of a file, why, and which line mends it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from config.findings import exit_code
from stream.errors import SendError
from stream.first_day.checkup import checkup
from stream.send.csv_file import CsvColumns

PROGRAM = Path(sys.executable).with_name("weir")
MODEL = """name: shop
task: binary
learner:
  river:
    - preprocessing.StandardScaler
    - linear_model.LogisticRegression
features:
  price: {type: float, min: 0}
metrics: [Accuracy, LogLoss]
"""
LINES = "".join(f"{n % 9},{n % 4},{n % 2}\n" for n in range(100))


@pytest.fixture
def look(tmp_path, monkeypatch):
    """A function that tries a model on a file: findings, and the numbers."""
    monkeypatch.chdir(tmp_path)

    def run(data, model=MODEL, name="shop.csv", **chosen):
        Path("shop.yaml").write_text(model)
        Path(name).write_text(data)
        if name.endswith(".csv"):
            chosen = {"label": "y", **chosen}
        found, body = checkup(Path("shop.yaml"), name, CsvColumns(**chosen))
        return found, body.get("data")

    return run


def told(found, *levels):
    return [(each.about, each.what, each.mend) for each in found if each.level in levels]


def test_a_file_that_fits_is_told_column_by_column_and_ends_with_the_scores(look):
    """No server is asked."""
    found, data = look("price,items,y\n" + LINES)

    assert exit_code(found) == 0
    assert told(found, "warning", "error") == []
    abouts = [each.about for each in found]
    assert abouts == ["shop.yaml", "kafka, redis, keys", "shop.csv price", "shop.csv items",
                      "shop.csv", "model shop", "model shop"]  # fmt: skip
    assert found[2].what == "float, never absent, such as 0.0, 1.0, 2.0"
    assert found[3].what == "int, by its values, never absent, such as 0, 1, 2"
    assert found[4].what == "of the first 100 rows, 100 learned, 100 scored, 0 lost"
    assert found[5].what.startswith("Accuracy 0.")
    assert "no_change 0" in found[5].what
    assert data["metrics"]["Accuracy"]["majority"] is not None


def test_only_the_first_500_rows_are_looked_at(look):
    """It is an answer in seconds, whatever the file."""
    _, data = look("price,items,y\n" + LINES * 6)

    assert (data["events"], data["learned"]) == (500, 500)


def test_what_the_gate_refuses_is_told_with_both_lines(look):
    """That of the file, and that of the model file."""
    found, data = look("price,items,y\n" + LINES + "-3,1,1\n4,2,1\n-5,1,0\n")
    ((about, what, mend),) = told(found, "warning")

    assert about == "shop.csv:102"
    assert what.startswith("2 rows would be refused as out_of_bounds (lines 102, 104): feature")
    assert mend == "shop.yaml:8: features.price, or mend the row"
    assert [each["line"] for each in data["refused"]] == [102, 104]


def test_a_kind_that_changes_names_the_line_where_it_was_first_seen(look):
    """Not the offset that stands for it."""
    found, _ = look("price,items,y\n" + LINES + "3,many,1\n")
    ((about, what, mend),) = told(found, "warning")

    assert about == "shop.csv:102"
    assert "a number since shop.csv:2, where it was first seen" in what
    assert mend == "shop.yaml:7: features: {items: {type: string}}"


def test_cells_that_weir_send_would_stop_at_are_all_named(look):
    """Not the first alone; with the line that admits them."""
    found, data = look("price,items,y\n" + LINES + "n.a.,1,1\n4,2,1\ncheap,1,0\n?,1,0\n")
    ((about, what, mend),) = told(found, "error")

    assert exit_code(found) == 2
    assert about == "shop.csv:102"
    assert what == "3 rows cannot be sent (lines 102, 104, 105): price: 'n.a.' is no float"
    assert mend == 'shop.yaml:1: missing: ["", NA, n/a, "null", n.a.]'
    assert data["learned"] == 101


def test_a_text_that_reaches_a_step_for_numbers_ends_it_with_the_reason(look):
    """As the learner would end, and which of its lines to change."""
    found, data = look("price,colour,y\n" + "1,red,1\n2,blue,0\n" * 20)
    error, outcome = told(found, "error")

    assert exit_code(found) == 2
    assert "shop.csv at lines 2 to 21" in error[1]
    assert "'colour' is text and reaches StandardScaler: leave it out, or encode it" in error[1]
    assert "shop.yaml:3" in error[2]
    assert outcome[1] == "of the first 40 rows, 0 learned, 0 scored, 0 lost"
    assert data["learned"] == 0


def test_an_event_that_raises_later_is_refused_alone(look):
    """The rest is learned."""
    found, data = look("price,colour,y\n" + "1,,1\n2,,0\n" * 20 + "3,red,1\n4,,0\n")
    ((about, what, _),) = told(found, "warning")

    assert (about, data["learned"]) == ("shop.csv:42", 41)
    assert "1 row would be refused as learn_error (line 42)" in what


def test_a_file_without_labels_says_how_to_name_them(look):
    """They wait, as they would in the topic."""
    found, data = look("price,items,y\n" + LINES, label=None)

    assert data["waiting"] == 100
    assert told(found, "error")[-1][2] == "name the label's column with --label"


def test_a_column_of_numbers_that_begins_with_a_word_for_nothing_is_noticed(look):
    """By its values it would be text, for good."""
    found, _ = look("price,items,y\n" + "1,unknown,1\n" + LINES)
    (first, _) = told(found, "warning")

    assert first[0] == "shop.csv items"
    assert first[2].startswith("features: {items: {type: int}} and missing: [")
    assert first[2].endswith("unknown]")


def test_ndjson_is_tried_as_it_is(look):
    """Every kind of file that can be sent; what is no JSON too."""
    events = [{"features": {"price": n, "at": {"hour": n % 3}}, "label": n % 2} for n in range(30)]
    text = "\n".join(map(json.dumps, events)) + "\nno json\n"
    found, data = look(text, name="shop.ndjson")
    ((about, what, _),) = told(found, "warning")

    assert [each["name"] for each in data["columns"]] == ["price", "at.hour"]
    assert about == "shop.ndjson:31"
    assert what.startswith("1 row would be refused as not_json (line 31)")


def test_vowpal_wabbits_text_is_tried_as_it_is(look):
    """It has no columns."""
    head = "name: clicks\ntask: binary\ntopics: {format: vw}\n"
    model = f"{head}learner: {{vw: --loss_function logistic}}\n"
    found, data = look("1 | a b\n-1 | c\n" * 20, model=model, name="clicks.vw")

    assert exit_code(found) == 0
    assert (data["learned"], data["columns"]) == (40, [])


def test_a_wrong_model_file_is_told_and_the_file_not_read(look):
    """There is nothing to try it with."""
    found, data = look("price,y\n1,0\n", model=MODEL.replace("Logistic", "Logistical"))

    assert (exit_code(found), data) == (2, None)


def test_a_file_that_cannot_be_read_on_is_told_with_its_line(look):
    """What came before it was tried."""
    found, data = look("price,items,y\n" + LINES + "1,2\n3,4,1\n" + '5,"6,1\n')
    errors = told(found, "error")

    assert [each[0] for each in errors] == ["shop.csv:102", "shop.csv"]
    assert "2 cells, but the header names 3 columns" in errors[0][1]
    assert "shop.csv:104: a quote that begins here is not closed" in errors[1][1]
    assert data["learned"] == 101


def test_a_column_that_is_not_there_is_told_with_the_nearest(look):
    """As `weir send` does."""
    found, _ = look("price,items,yes\n1,2,0\n", label="yess")

    assert "no column 'yess' (did you mean \"yes\"?)" in told(found, "error")[0][1]


def test_a_source_that_is_not_there_is_refused(tmp_path):
    """There is nothing to tell of it."""
    model = tmp_path / "shop.yaml"
    model.write_text(MODEL)
    with pytest.raises(SendError, match="cannot read"):
        checkup(model, str(tmp_path / "no.csv"), CsvColumns(label="y"))


@pytest.mark.parametrize(
    ("words", "what"),
    [(["--label", "y"], "weir: --data: --label, --id, --columns"),
     (["--data", "shop.csv", "--label", "y"], "one model is tried at a time")],
)  # fmt: skip
def test_options_that_mean_nothing_are_refused(tmp_path, words, what):
    """By name."""
    (tmp_path / "shop.csv").write_text("a,y\n1,0\n")
    done = subprocess.run([PROGRAM, "doctor", *words], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60, check=False)  # fmt: skip

    assert done.returncode == 2
    assert what in " ".join(done.stderr.split())


def test_as_json_it_is_what_it_was_and_the_numbers(tmp_path):
    """`findings` and `exit_code` as without --data."""
    (tmp_path / "shop.csv").write_text("price,items,y\n" + LINES)
    (tmp_path / "shop.yaml").write_text(MODEL)
    words = ["--model", "shop.yaml", "--data", "shop.csv", "--label", "y", "--json"]
    done = subprocess.run([PROGRAM, "doctor", *words], cwd=tmp_path, capture_output=True, text=True,
                          timeout=60, check=True)  # fmt: skip
    body = json.loads(done.stdout)

    assert body.keys() == {"exit_code", "findings", "data"}
    assert body["data"]["columns"][0] == {
        "name": "price", "type": "float", "absent": 0.0, "sample": ["0.0", "1.0", "2.0"],
    }  # fmt: skip


def test_a_column_that_the_model_file_does_not_list_is_told_of_where_it_lists_the_others(look):
    """It is learned all the same."""
    listed = "  price: {type: float}\n  items: {type: float}\n"
    model = MODEL.replace("  price: {type: float, min: 0}\n", listed)
    rows = "".join(f"{n % 9},{n % 4},{n % 5},{n % 2}\n" for n in range(100))
    found, _ = look("price,items,paid,y\n" + rows, model)
    ((about, what, mend),) = told(found, "warning")

    assert about == "shop.csv paid"
    assert what.endswith("`features:` does not list it, it is learned")
    assert mend.startswith("list it (shop.yaml:7), or leave it out: - compose.Discard: [paid]")


def test_a_column_that_tells_the_label_is_told_of(look):
    """Unless the model leaves it out."""
    rows = "".join(f"{n % 9},{n % 4},{(n * 7 % 11 > 5) * 3 + n % 3 / 9},{n * 7 % 11 > 5:d}\n"
                   for n in range(400))  # fmt: skip
    found, data = look("price,items,after,y\n" + rows)
    ((about, what, mend),) = told(found, "warning")
    without = MODEL.replace("  river:\n", "  river:\n    - compose.Discard: [after]\n")

    assert about == "shop.csv after"
    assert what.startswith("alone it tells 100.0 % of the labels")
    assert "- compose.Discard: [after]" in mend
    assert [each["columns"] for each in data["leaks"]] == [["after"]]
    assert told(look("price,items,after,y\n" + rows, without)[0], "warning") == []


def test_a_label_beyond_the_limit_is_mended_by_the_limit(look):
    """Not by the features."""
    model = MODEL.replace("binary", "regression").replace("LogisticR", "LinearR")
    model = model.replace("[Accuracy, LogLoss]", "[MAE]")
    found, _ = look("price,y\n" + "1,2.5e14\n2,3\n" * 20, model)
    ((_, what, mend),) = told(found, "warning")

    assert what.endswith("the label is beyond limits.value 1e+12")
    assert mend == "shop.yaml:1: limits: {value: 1.0e+15}"


def test_columns_that_these_rows_do_not_have_are_named(look):
    """Whether the model leaves them out, too."""
    model = MODEL.replace("  river:\n", "  river:\n    - compose.Discard: [tail]\n")
    model = model.replace(
        "features:\n", "features:\n  tail: {type: string}\n  late: {type: float}\n"
    )
    found, _ = look("price,items,tail,late,y\n" + "1,2,,,1\n2,1,,,0\n" * 9, model)

    said = [each.what for each in found if each.what.startswith("absent in all")]
    assert said == [
        "absent in all of these rows: late",
        "absent in all of these rows, and left out by the model: tail",
    ]
