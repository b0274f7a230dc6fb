"""`weir init`: of whatever file, a model file that the doctor accepts and that learns the file."""

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from river import datasets

from config.findings import exit_code
from config.model_file import load_model_file, parse_model_file
from config.processes.stopping import Stop
from stream.errors import SendError
from stream.first_day.begin import begin
from stream.first_day.checkup import checkup
from stream.send.csv_file import CsvColumns
from stream.trying.candidates import Candidate
from stream.trying.progress import TrialProgress
from stream.trying.side_by_side import SideBySide
from stream.trying.sources import FileSource

PROGRAM = Path(sys.executable).with_name("weir")


def write(folder, text, name="data.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def rows(count, header="a,b,y", line="{i},{r:.3f},{c}"):
    """A plain file: a whole number, a fraction, a label of two."""
    draw = random.Random(7)
    each = (
        line.format(i=draw.randrange(50), r=draw.random(), c=("no", "yes")[i % 3 == 0])
        for i in range(count)
    )
    return "\n".join([header, *each]) + "\n"


def begun(path, label="y", **chosen):
    """The model file that is made."""
    return parse_model_file(begin(path, CsvColumns(label=label, **chosen)).text)


def learns(path, label="y", **chosen):
    """The model file, with which the doctor finds nothing wrong, and what it learned."""
    columns = CsvColumns(label=label, **chosen)
    model = path.with_name("made.yaml")
    model.write_text(begin(path, columns).text)
    found, body = checkup(model, str(path), columns)
    told = [each for each in found if each.level != "ok"]
    assert exit_code(found) == 0, told
    assert body["data"]["refused"] == [], told
    assert body["data"]["learned"] == body["data"]["events"]
    return load_model_file(model), body["data"]


def test_a_plain_file(tmp_path):
    """Types, task, labels, and a pipeline that learns all of it."""
    model, data = learns(write(tmp_path, rows(300)))

    assert (model.name, model.task, model.labels) == ("data", "binary", ("no", "yes"))
    assert {name: spec.type for name, spec in model.features.items()} == {
        "a": "float",
        "b": "float",
    }
    assert (data["learned"], data["scored"]) == (300, 300)
    assert model.metrics == ("Accuracy", "ROCAUC", "LogLoss")


AWKWARD = {
    "a byte order mark": b"\xef\xbb\xbf" + rows(40).encode(),
    "carriage returns": rows(40).replace("\n", "\r\n"),
    "quotes, commas and line ends in cells": "a,y\n" + '"x, ""y""\nz",1\n"b",0\n' * 30,
    "names with every mark": '"a: b, {c} # \'d\' [e]","on",null,"1","é",y\n'
    + "1,2,3,4,5,0\n6,7,8,9,10,1\n" * 20,
    "an empty column": "a,e,y\n" + "1,,0\n2,,1\n" * 20,
    "a constant column": "a,c,y\n" + "1,7,0\n2,7,1\n" * 20,
    "a constant text": "a,c,y\n" + "1,k,0\n2,k,1\n" * 20,
    "true and false": "a,b,y\n" + "true,1,0\nfalse,0,1\nTrue,true,1\n" * 20,
    "question marks among numbers": "a,b,y\n" + "1,?,0\n?,2,1\n3,4,1\n" * 20,
    "NA, null and n/a": "a,b,y\n" + "1,NA,0\nnull,2,1\n3,n/a,1\n" * 20,
    "numbers and texts mixed": "a,b,y\n" + "1,12,0\n2,A7,1\n" * 20,
    "texts alone": "a,b,y\n" + "red,s,0\nblue,m,1\n" * 20,
    "only one column": "a,y\n" + "1,0\n2,1\n" * 20,
    "times": "when,epoch,ms,a,y\n" + "".join(
        f"2024-01-{d:02d} 10:00:00,{1_700_000_000 + d},{1_700_000_000_000 + d},{d % 3},{d % 2}\n"
        for d in range(1, 29)
    ),
    "ids": "id,code,a,y\n" + "".join(f"{n},u-{n * 7919},{n % 5},{n % 2}\n" for n in range(60)),
    "large numbers": "a,b,y\n" + "".join(f"{n}e15,-{n}e13,{n % 2}\n" for n in range(1, 60)),
    "numbers beyond any": "a,b,y\n" + "".join(
        f"{'9' * 350}{n % 3},{n},{n % 2}\n" for n in range(60)
    ),
    "long texts": "t,a,y\n" + "".join(f"{'w' * 3000}{n % 2},{n % 3},{n % 2}\n" for n in range(40)),
    "texts of many values": "t,a,y\n" + "".join(
        f"v{n % 300},{n % 3},{n % 2}\n" for n in range(900)
    ),
    "a label of two numbers": "a,y\n" + "1,-1\n2,1\n" * 20,
    "a label of 1.0 and 2.0": "a,y\n" + "1,1.0\n2,2.0\n" * 20,
    "a label of true and false": "a,y\n" + "1,true\n2,false\n" * 20,
    "a label that is not always there": "a,y\n" + "1,0\n2,1\n" * 20,
    "three classes": "a,y\n" + "1,low\n2,mid\n3,high\n" * 20,
    "classes of numbers": "a,y\n" + "1,1\n2,2\n3,3\n" * 20,
    "classes, numbers and texts mixed": "a,y\n" + "1,1\n2,2\n3,x\n" * 20,
    "amounts": "a,y\n" + "".join(f"{n % 7},{n * 1.5}\n" for n in range(60)),
    "whole amounts": "a,y\n" + "".join(f"{n % 7},{n * 3}\n" for n in range(60)),
    "controls in a cell and in the label": "a,y\n" + "1,a\x07b\n2,c\x85d\n" * 20,
    "one row": "a,b,y\n1,2,0\n",
    "spaces around numbers": "a,b,y\n" + " 1 , 2.5,0\n2, 3 ,1\n" * 20,
    "no end to the last line": "a,y\n" + "1,0\n2,1\n" * 20 + "3,1",
}  # fmt: skip


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD)
def test_an_awkward_file_gets_a_model_that_learns_it(tmp_path, text):
    """Whatever is in it, the doctor has nothing to say against it."""
    learns(write(tmp_path, text))


def test_a_wide_file_gets_a_model_up_to_what_an_event_may_have(tmp_path):
    """Long lists go on in the next line."""
    names = [f"column number {n}" for n in range(400)]
    line = ",".join(("x", "1")[n % 2] + str(n % 3) for n in range(400))
    text = ",".join([*names, "y"]) + "\n" + f"{line},0\n{line},1\n" * 30
    model, _ = learns(write(tmp_path, text))

    assert len(model.features) == 400
    lines = (tmp_path / "made.yaml").read_text().splitlines()
    assert max(len(line) for line in lines if not line.startswith("#")) < 130


def test_packed_files_and_other_marks_are_read(tmp_path):
    """With the options that `weir send` has."""
    learns(write(tmp_path, gzip.compress(rows(50).encode()), "data.csv.gz"))
    text = "a;b;y\n" + "1,5;x;0\n2,5;-;1\n" * 20
    model, _ = learns(write(tmp_path, text), delimiter=";", decimal=",", null="-")

    assert model.features["a"].type == "float"


def test_a_packed_file_is_not_read_to_its_end(tmp_path, monkeypatch):
    """It is a look at the beginning, however long the rest: damage there is for `weir send`."""
    monkeypatch.setattr("stream.first_day.look._ROWS_MAX", 100)
    monkeypatch.setattr("stream.first_day.look._ROWS_MIN", 100)
    packed = bytearray(gzip.compress(rows(60_000).encode()))
    packed[len(packed) // 2] ^= 1
    learns(write(tmp_path, bytes(packed), "data.csv.gz"))


def test_columns_are_chosen(tmp_path):
    """An id is none of them."""
    text = "k,a,b,y\n" + "".join(f"k{n},1,{n % 3},{n % 2}\n" for n in range(40))
    model, _ = learns(write(tmp_path, text), id="k", features=("b",))

    assert model.learner.river[0] == {"compose.Discard": ["a"]}
    assert list(model.features) == ["b", "a"], "what it is called is said of what is left out, too"


REFUSED = {
    "no such label": (rows(9), {"label": "z"}, r"data\.csv:1: no column 'z'"),
    "a label almost named": ("alpha,price,y\n1,2,0\n", {"label": "pirce"}, 'did you mean "price"'),
    "one text": ("a,y\n" + "1,k\n" * 9, {}, "is 'k' in all 9 rows looked at"),
    "one number": ("a,y\n" + "1,7\n" * 9, {}, "is '7' in all 9 rows looked at"),
    "no label at all": ("a,y\n" + "1,\n" * 9, {}, "is empty in all 9 rows"),
    "a label of texts": ("a,y\n" + "".join(f"1,t{n}\n" for n in range(9)), {}, "are no classes"),
    "true and other numbers": ("a,y\n" + "1,true\n2,7\n" * 9, {}, "mixes true and false"),
    "no rows": ("a,y\n", {}, "has no row below"),
    "nothing": ("", {}, "is empty: a CSV file begins"),
    "no other column": ("y\n1\n0\n", {}, "has no column beside"),
    "nothing to learn from": ("id,y\n" + "".join(f"{n},{n % 2}\n" for n in range(40)), {},
                              r"no column can be learned from as it stands \('id': a row number"),
    "another decimal mark": ('a,y\n"1,5",0\n', {}, r"data\.csv:2: a: '1,5' is no number"),
    "rows of other lengths": ("a,y\n1,0\n1,2,3\n", {}, r"data\.csv:3: 3 cells"),
    "10,000 columns": (",".join([*(f"c{n}" for n in range(9_999)), "y"]) + "\n1,0\n",
                       {}, "9,999 columns beside the label, and an event has 1,000 at most"),
    "another delimiter": ("a;b;y\n1;2;0\n", {}, 'say --delimiter ";"'),
}  # fmt: skip


@pytest.mark.parametrize(("text", "chosen", "what"), REFUSED.values(), ids=REFUSED)
def test_what_nothing_can_be_made_of_is_refused_in_words(tmp_path, text, chosen, what):
    """With file and line, and what mends it."""
    with pytest.raises(SendError, match=what) as caught:
        begun(write(tmp_path, text), **chosen)

    assert caught.value.exit_code == 2


def test_true_beside_1_is_one_label(tmp_path):
    """As the learner takes them."""
    text = "a,y\n" + "1,true\n2,0\n3,1\n4,false\n5,0\n" * 8
    one = "a,y\n" + "1,true\n2,1\n" * 8

    both, half = (begin(write(tmp_path, each), CsvColumns(label="y")).text for each in (text, one))

    assert "2 labels: 0 or false 60.0 %, 1 or true 40.0 %" in both
    assert "only one of two labels" in half


def test_a_number_of_another_country_is_told_without_a_model_file(tmp_path):
    """There is none yet."""
    with pytest.raises(SendError) as caught:
        begun(write(tmp_path, 'a,y\n"1,5",0\n2,1\n'))

    assert '--decimal "." makes it text' in str(caught.value)
    assert "type: string" not in str(caught.value)


def test_a_file_that_is_no_csv_is_refused(tmp_path):
    """NDJSON has no columns."""
    with pytest.raises(SendError, match=r"is made of a \.csv or \.csv\.gz file"):
        begun(write(tmp_path, "{}", "data.ndjson"))


def test_what_was_guessed_is_said_where_it_stands(tmp_path):
    """The share absent, the id, the time, the constant; and what to do about them."""
    lines = "".join(
        f"u{n * 7919},2024-01-{1 + n % 28:02d},{'' if n % 4 else n * n % 50},{'k' * 9},{n % 2}\n"
        for n in range(80)
    )
    text = begin(write(tmp_path, "who,day,a,c,y\n" + lines), CsvColumns(label="y")).text

    assert "an id, or free text: nearly every row has another" in text
    assert "`weir send --id` makes it the event's id" in text
    assert "a time, written as text" in text
    assert "75.0 % absent" in text
    assert "the same in every row" in text
    assert "- compose.Discard: [who, day]" in text
    assert "all 80 rows" in text


def test_a_number_column_with_a_word_in_it_says_so_and_how_to_be_rid_of_it(tmp_path):
    """One odd word makes a text of it; the first such text is named."""
    text = "".join(f"{i % 40 if i % 5 else 'none yet'},{i % 7},{i % 3 > 0:d}\n" for i in range(300))
    path = write(tmp_path, f"a,b,y\n{text}")

    lines = begin(path, CsvColumns(label="y")).text.splitlines()

    (line,) = [each for each in lines if each.startswith("  a: ")]
    assert line.startswith("  a: {type: string}  # ")
    assert line.endswith(", 80.0 % numbers: say --null if `none yet` means absent")
    assert begun(path, null="none yet").features["a"].type == "float"


def test_a_long_file_is_looked_at_in_part_and_that_is_said(tmp_path, monkeypatch):
    """Whole numbers may have a fraction further down: they are float."""
    monkeypatch.setattr("stream.first_day.look._ROWS_MAX", 100)
    monkeypatch.setattr("stream.first_day.look._ROWS_MIN", 100)
    made = begin(write(tmp_path, rows(300)), CsvColumns(label="y"))

    assert "the first 100 rows" in made.text
    assert parse_model_file(made.text).features["a"].type == "float"
    assert any("the first 100 rows" in line for line in made.told(Path("m.yaml")))


def test_the_positive_label_is_the_one_that_says_yes_or_else_the_rarer(tmp_path):
    """Whichever comes first."""
    common = "a,y\n" + "1,UP\n2,UP\n3,DOWN\n" * 10
    rare = "a,y\n" + "1,setosa\n2,other\n3,other\n" * 10

    assert begun(write(tmp_path, common)).labels == ("DOWN", "UP")
    assert begun(write(tmp_path, rare)).labels == ("other", "setosa")


@pytest.mark.parametrize(
    ("name", "task"),
    [("Phishing", "binary"), ("Bananas", "binary"), ("ImageSegments", "multiclass"),
     ("ChickWeights", "regression"), ("TrumpApproval", "regression")],
)  # fmt: skip
def test_what_river_ships_is_understood_and_learned(tmp_path, name, task):
    """And the model is better than its baselines."""
    stream = getattr(datasets, name)()
    pairs = list(stream.take(3000))
    header = [*pairs[0][0], "label"]
    lines = [",".join(str(x.get(n, "")) for n in header[:-1]) + f",{y}" for x, y in pairs]
    model, data = learns(write(tmp_path, "\n".join([",".join(header), *lines])), label="label")

    assert model.task == task
    if name == "Bananas":  # no straight line parts them
        return
    score = data["metrics"][model.metrics[0]]
    beside = [score[each] for each in ("majority", "mean") if each in score]
    is_error = task == "regression"
    assert all(score["lifetime"] < b if is_error else score["lifetime"] > b for b in beside)


def test_the_command_writes_the_file_once_and_says_what_is_next(tmp_path):
    """What it says is next runs as it stands; a file that is there is not replaced."""
    write(tmp_path, rows(60), "my data.csv")

    def run(*words):
        return subprocess.run([PROGRAM, *words], cwd=tmp_path, capture_output=True, text=True,
                              timeout=60, check=False)  # fmt: skip

    done = run("init", "--from", "my data.csv", "--label", "y", "-o", "m.yaml")
    assert (done.returncode, done.stdout) == (0, "")
    following = next(x for x in done.stderr.splitlines() if x.startswith("next: weir "))
    checked = subprocess.run(
        ["bash", "-c", f"{PROGRAM} {following.removeprefix('next: weir ')} --json"], cwd=tmp_path,
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert json.loads(checked.stdout)["data"]["learned"] == 60

    again = run("init", "--from", "my data.csv", "--label", "y", "-o", "m.yaml")
    assert again.returncode == 2
    assert "m.yaml is there already" in again.stderr
    shown = run("init", "--from", "my data.csv", "--label", "y")
    assert parse_model_file(shown.stdout).name == "my-data"


def rides(count=400):
    """A file whose label is the sum of two of its columns."""
    draw = random.Random(9)
    lines = ["hour,casual,member,rides"]
    for i in range(count):
        casual, member = draw.randrange(50), draw.randrange(200)
        lines.append(f"{i % 24},{casual},{member},{casual + member}")
    return "\n".join(lines) + "\n"


def test_columns_that_tell_the_label_are_told_of(tmp_path):
    """Beside each, and how to leave them out."""
    path = write(tmp_path, rides())
    made = begin(path, CsvColumns(label="rides"))

    assert "  # Beware: the label is a sum of them: casual and member." in made.text
    (told,) = [line for line in made.told(None) if line.startswith("beware: casual,member: ")]
    assert told.endswith("--drop casual,member")


@pytest.mark.parametrize(
    "asked",
    [{"drop": ["casual", "member"]}, {"features": ("hour",)}],
    ids=["dropped", "not chosen"],
)
def test_what_is_left_out_stays_out_whoever_sends_it(tmp_path, asked):
    """The model itself leaves it out: the file is tried with all of its columns."""
    path, model = write(tmp_path, rides()), tmp_path / "made.yaml"
    chosen = CsvColumns(label="rides", features=asked.get("features"))
    made = begin(path, chosen, drop=asked.get("drop", ()))
    model.write_text(made.text)
    found, body = checkup(model, str(path), CsvColumns(label="rides"))

    assert "    - compose.Discard: [casual, member]" in made.text
    assert not [line for line in made.told(None) if line.startswith("beware")]
    assert "1 columns to learn from, 2 left out" in next(made.told(None))
    assert [each.what for each in found if each.level != "ok"] == []
    assert sum(each.what.endswith("left out by the model") for each in found) == 2
    assert body["data"]["metrics"]["R2"]["lifetime"] < 0.1


def test_what_is_left_out_costs_no_event_either(tmp_path):
    """A column that holds now texts, now numbers, is known to be a text wherever it stands."""
    rows = "".join(f"{i % 9},{'N' * (i < 300)}{i},{i % 2}\n" for i in range(600))
    path, model = write(tmp_path, f"a,tail,y\n{rows}"), tmp_path / "made.yaml"
    made = begin(path, CsvColumns(label="y", features=("a",)), output=model)
    model.write_text(made.text)
    _, body = checkup(model, str(path), CsvColumns(label="y"))

    assert body["data"]["refused"] == []
    assert [line for line in made.told(model) if line.startswith("next")] == [
        f"next: weir doctor --model {model} --data {path} --label y"
    ]


def test_what_is_left_out_and_cannot_be_read_is_passed_over(tmp_path):
    """It is left out by its name alone, and the file is read without it."""
    rows = "".join(f'{i % 9},"{i},5",{i % 2}\n' for i in range(60))
    path = write(tmp_path, f"a,odd,y\n{rows}")
    made = begin(path, CsvColumns(label="y", features=("a",)))

    assert "- compose.Discard: [odd]" in made.text
    assert "next: weir doctor --model m.yaml --data" in "".join(made.told(Path("m.yaml")))
    assert made.data.endswith("--label y --columns a")


def test_a_column_to_drop_that_is_not_there_is_refused(tmp_path):
    """With the nearest that is."""
    path = write(tmp_path, rides())
    with pytest.raises(SendError, match=r"--drop cassual: no column 'cassual' .*\"casual\""):
        begin(path, CsvColumns(label="rides"), drop=["cassual"])


def test_a_number_that_never_falls_is_taken_for_a_time(tmp_path):
    """Where there are enough of them to say so; a flag that rises once is none."""
    text = "".join(f"{i // 3 / 1000},{i > 700:d},{i % 7},{i % 2}\n" for i in range(1500))
    model = begun(write(tmp_path, f"t,late,a,y\n{text}"))

    assert model.learner.river[0] == {"compose.Discard": ["t"]}


@pytest.mark.parametrize("sign", [1, -1])
def test_labels_beyond_the_usual_limit_are_admitted(tmp_path, sign):
    """Of whatever size: the file that the model was made of is learned whole."""
    text = "".join(f"{i},{i % 7},{sign * (i + 3) * 10**14}.5\n" for i in range(60))
    model, data = learns(write(tmp_path, f"a,b,y\n{text}"))

    assert (model.task, data["learned"]) == ("regression", 60)


def test_a_flag_that_rises_late_throws_no_model_off(tmp_path):
    """Scaled, it would be as large as its constant stretch is long."""
    draw = random.Random(8)
    lines = [f"{draw.random():.3f},{i > 900:d},{draw.randrange(3)},{i % 50 + 3 * (i > 900)}"
             for i in range(1200)]  # fmt: skip
    path, model = write(tmp_path, "\n".join(["a,late,b,y", *lines, ""])), tmp_path / "made.yaml"
    model.write_text(begin(path, CsvColumns(label="y")).text)
    source = FileSource(str(path), CsvColumns(label="y"), limit=None)
    candidate = Candidate(path=str(model), model_file=load_model_file(model))
    (row,) = SideBySide([candidate], source).run(Stop(), TrialProgress("", None)).rows

    assert row.metrics["RMSE"].lifetime < 20
