"""What `weir send` makes of files and streams: the bytes and the key of each record."""

import gzip
import json
from itertools import islice

import pytest
from river import datasets
from river.datasets import synth

from config.model_file import parse_model_file
from learner.events.decode import decoder
from learner.values import Event
from stream.errors import SendError
from stream.send.csv_file import CsvColumns
from stream.send.readers import check_source, records
from stream.send.river_streams import (
    DRIFT_AT,
    DRIFTING,
    UnknownStreamError,
    river_stream,
    stream_names,
)

MODEL = "name: a\ntask: binary\nlearner: {river: [linear_model.LogisticRegression]}\n"


def read(source, columns=None, *, model=MODEL):
    return list(records(str(source), parse_model_file(model), columns or CsvColumns()))


def read_csv(tmp_path, text, *, model=MODEL, **columns):
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode())
    return [(json.loads(v), key) for v, key in read(path, CsvColumns(**columns), model=model)]


def one(tmp_path, text, **more):
    ((event, _),) = read_csv(tmp_path, text, **more)
    return event


def test_types_follow_the_text_where_nothing_is_said(tmp_path):
    """A number where it is one, true and false, else text; empty is absent."""
    header = "whole,real,tiny,text,truth,none,nan,code,big\n"
    row = "-3,0.5,1e-3,New York,True,,nan,1_000,1e999\n"

    features = one(tmp_path, header + row)["features"]

    assert features == {
        "whole": -3, "real": 0.5, "tiny": 0.001, "text": "New York", "truth": True, "nan": "nan",
        "code": "1_000", "big": "1e999",
    }  # fmt: skip
    assert list(map(type, features.values()))[:3] == [int, float, float]


TYPED = (
    MODEL
    + """
features:
  real: {type: float}
  whole: {type: int}
  text: {type: string}
  truth: {type: bool}
"""
)


def test_types_of_the_model_file_win(tmp_path):
    """5 is a float, a text, a whole number, as the model file has it."""
    event = one(tmp_path, "real,whole,text,truth\n5,5,5,1\n", model=TYPED)

    assert repr(event["features"]) == "{'real': 5.0, 'whole': 5, 'text': '5', 'truth': True}"


@pytest.mark.parametrize(
    ("name", "text"),
    [("whole", "5.0"), ("whole", "1_0"), ("real", "x"), ("real", "nan"), ("truth", "7"),
     ("truth", "yes"), ("whole", "9" * 5000)],
)  # fmt: skip
def test_what_does_not_fit_its_type_is_said_with_its_line(tmp_path, name, text):
    """Never sent as null, never as something else."""
    with pytest.raises(SendError, match=rf"data\.csv:3: {name}: .* is no "):
        read_csv(tmp_path, f"{name}\n1\n{text}\n", model=TYPED)


def test_columns_are_chosen_and_null_is_absent(tmp_path):
    """Label, id and key are no features; the order is that of --columns, else the file's."""
    text = "b,a,y,who,k\n2,1,UP,e-1,k-1\n?,1,?,,?\n"
    model = MODEL + "labels: [DOWN, UP]\n"
    columns = {"label": "y", "id": "who", "key": "k", "null": "?"}

    found = read_csv(tmp_path, text, model=model, **columns)
    chosen = read_csv(tmp_path, text, model=model, features=("a", "b"), **columns)

    full = {"features": {"b": 2, "a": 1}, "label": "UP", "id": "e-1", "key": "k-1"}
    assert found == [(full, b"k-1"), ({"features": {"a": 1}}, None)]
    assert [list(event["features"]) for event, _ in chosen] == [["a", "b"], ["a"]]


def test_the_key_is_the_id_where_none_is_given(tmp_path):
    """Events of one id come to one partition."""
    assert read_csv(tmp_path, "a,who\n1,e-1\n", id="who")[0][1] == b"e-1"


@pytest.mark.parametrize(
    ("model", "text", "label"),
    [
        (MODEL, "1", 1),
        (MODEL, "true", True),
        (MODEL + "labels: ['0', '1']\n", "1", "1"),
        (MODEL.replace("binary", "multiclass") + "labels: [1, 2]\n", "2", 2),
        (MODEL.replace("binary", "multiclass"), "brickface", "brickface"),
        (MODEL.replace("binary", "regression"), "1.50", 1.5),
    ],
)
def test_a_label_is_read_as_the_model_file_has_it(tmp_path, model, text, label):
    """A class named "1" stays text; where none are named, a number is one."""
    found = one(tmp_path, f"a,y\n1,{text}\n", model=model, label="y")["label"]

    assert (found, type(found)) == (label, type(label))


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("a,b\n1,2\n3\n", {}, r":3: 1 cells, but the header names 2 columns"),
        ("a,b\n1,2,3\n", {}, r":2: 3 cells, but the header names 2 columns"),
        ("a,b\n1,2\n", {"label": "B"}, r"no column 'B'.*did you mean \"b\""),
        ("a,a\n1,2\n", {}, r"two columns are named 'a'"),
        ("a\n\xff", {}, r":2: is not UTF-8 \(byte 0xff"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, text, columns, said):
    """With file and line; nothing is guessed."""
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SendError, match=said):
        read(path, CsvColumns(**columns))


def test_quotes_and_a_byte_order_mark_are_csvs_own(tmp_path):
    """A field may hold commas and line ends."""
    assert one(tmp_path, '\ufeffa,b\n"x, y","l1\nl2"\n')["features"] == {"a": "x, y", "b": "l1\nl2"}


NDJSON = [
    b'{"features": {"a": 1.50}, "label": true, "id": "e-1"}',
    b'{ "features":{"a":1e0},"label":false,"id":"e-2","key":"k" }',
    b'{"id": "e-1", "label": true}',
    b'{"features": {"a": NaN}}',
    b"not JSON at all",
    b"\xff\xfe",
    b'{"features": {}}\r',
]


@pytest.mark.parametrize("is_packed", [False, True])
def test_ndjson_goes_byte_for_byte_in_order(tmp_path, is_packed):
    """Label records and what is no event included: refusing is the learner's, where all see it."""
    path = tmp_path / ("data.ndjson.gz" if is_packed else "data.ndjson")
    content = b"\n".join(NDJSON)
    path.write_bytes(gzip.compress(content) if is_packed else content)

    found = read(path)

    assert [value for value, _ in found] == NDJSON
    assert [key for _, key in found] == [b"e-1", b"k", b"e-1", *[None] * 4]


def test_vw_text_goes_byte_for_byte_with_its_tag_as_key(tmp_path):
    """The tag as Vowpal Wabbit reads it, quoted or touching the bar."""
    lines = [b"1 'a|f x:1", b"-1 2 tag|f x:2", b"|f x", b"1 | x:1", b"nonsense", b"1 '\xff|f x"]
    path = tmp_path / "data.vw"
    path.write_bytes(b"\n".join(lines) + b"\n")

    found = read(path, model="name: a\ntask: binary\nlearner: {vw: --quiet}")

    assert [value for value, _ in found] == lines
    assert [key for _, key in found][:5] == [b"a", b"tag", None, None, None]


@pytest.mark.parametrize("name", ["data.txt", "data", "data.json", "data.gz"])
def test_another_kind_of_file_is_refused(tmp_path, name):
    """It says which are taken."""
    (tmp_path / name).write_text("{}")
    with pytest.raises(SendError, match="--from takes"):
        read(tmp_path / name)


def test_a_file_that_is_missing_or_cut_short_is_an_error_of_ours(tmp_path):
    """Exit code 2, no traceback."""
    with pytest.raises(SendError, match="No such file") as raised:
        read(tmp_path / "none.csv")
    assert raised.value.exit_code == 2

    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)
    (tmp_path / "cut.csv.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(SendError, match=r"cut\.csv\.gz"):
        read(tmp_path / "cut.csv.gz")


def test_a_river_stream_is_what_river_gives():
    """Features in order, of the same kinds, as the decoder reads them back."""
    decode = decoder(parse_model_file(MODEL))

    for (value, key), (x, y) in zip(read("river:Phishing"), datasets.Phishing(), strict=True):
        event = decode(value, ())
        assert isinstance(event, Event)
        assert (event.features, event.label, key) == (x, y, None)
        assert list(event.features) == list(x)


def test_a_river_stream_takes_columns():
    """Dates become text, the rest goes as it is."""
    value, _ = read("river:Phishing", CsvColumns(features=("https", "age_of_domain")))[0]

    assert set(json.loads(value)["features"]) == {"https", "age_of_domain"}


# River closes a file only when it has read all of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", stream_names())
def test_every_stream_named_gives_events_that_are_read(name):
    """Generated ones are seeded: the same each time."""
    model = parse_model_file(MODEL)
    found = list(islice(records(f"river:{name}", model, CsvColumns()), 3))
    again = list(islice(records(f"river:{name}", model, CsvColumns()), 3))

    assert found == again
    assert all(isinstance(decoder(model)(value, ()), Event) for value, _ in found)


def test_a_stream_of_several_labels_fits_no_model():
    """It is said before the first event."""
    assert "Yeast" not in stream_names()
    with pytest.raises(UnknownStreamError, match="several labels"):
        river_stream("Yeast")


def test_an_unknown_stream_names_the_nearest():
    """Exit code 2."""
    with pytest.raises(UnknownStreamError, match='did you mean "Phishing"') as raised:
        list(river_stream("Fishing"))
    assert raised.value.exit_code == 2


def test_the_drifting_stream_turns_where_it_says():
    """STAGGER's concept 2, then its concept 0: 5,000 examples each."""
    made = list(river_stream(DRIFTING))

    assert len(made) == 2 * DRIFT_AT
    first = synth.STAGGER(classification_function=2, seed=42).take(DRIFT_AT)
    rest = synth.STAGGER(classification_function=0, seed=43).take(DRIFT_AT)
    assert made == [*first, *rest]


@pytest.mark.parametrize(
    ("source", "columns", "said"),
    [
        ("a.ndjson", CsvColumns(label="y"), "--label can be said of CSV files only"),
        ("a.vw.gz", CsvColumns(id="n", features=("a",)), "--id and --columns can be said of CSV"),
        ("river:SEA", CsvColumns(key="k"), "--key can be said of CSV files only"),
        ("a.csv.zip", CsvColumns(), "--from takes"),
    ],
)
def test_an_option_that_would_mean_nothing_is_refused(source, columns, said):
    """Rather than passed over: a usage error."""
    with pytest.raises(SendError, match=said) as raised:
        check_source(source, columns)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("missing", "text", "expected"),
    [
        ("", "a,b\nNA,x\n1,n/a\n,null\nna,N/A\n",
         [{"b": "x"}, {"a": 1}, {}, {"a": "na", "b": "N/A"}]),
        ('missing: ["-", "?"]\n', "a,b\n-,NA\n 1, ?\n,x\n", [{"b": "NA"}, {"a": 1}, {"b": "x"}]),
        ("missing: []\n", "a,b\nNA,\n", [{"a": "NA"}]),
    ],
)  # fmt: skip
def test_words_for_what_is_missing_are_absent(tmp_path, missing, text, expected):
    """Those that the model file lists, else the usual ones; an empty cell always."""
    found = read_csv(tmp_path, text, model=MODEL + missing)

    assert [event["features"] for event, _ in found] == expected


@pytest.mark.parametrize(
    ("labels", "expected"), [("", [None, 1]), ("labels: [NA, 1]\n", ["NA", 1])]
)
def test_a_label_that_is_missing_is_absent_unless_it_is_a_label(tmp_path, labels, expected):
    """A class may be called NA."""
    model = MODEL.replace("task: binary", "task: multiclass") + labels.replace("1]", '"1"]')

    found = read_csv(tmp_path, "a,y\n1,NA\n1,1\n", model=model, label="y")

    assert [event.get("label") for event, _ in found] == [
        expected[0], "1" if labels else expected[1],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("preprocessing.PreviousImputer", {"a": None, "b": 2}),
        ("{preprocessing.StatImputer: [[a, stats.Mean]]}", {"a": None, "b": 2}),
        ("preprocessing.StandardScaler", {"b": 2}),
    ],
)
def test_what_an_imputer_is_to_fill_is_sent_as_null(tmp_path, step, expected):
    """In its place, since features reach the learner in order."""
    model = "name: m\ntask: regression\n"
    model += f"learner: {{river: [{step}, linear_model.LinearRegression]}}\n"

    assert one(tmp_path, "a,b\nNA,2\n", model=model)["features"] == expected
