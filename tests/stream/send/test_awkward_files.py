"""Files as people have them: damaged, of another country, another program, another encoding.

Each is refused with file, line and what mends it, or read as it was meant; never half of each.
"""

import gzip
import json

import pytest

from config.model_file import parse_model_file
from stream.errors import SendError
from stream.send.csv_file import CsvColumns, csv_columns
from stream.send.readers import check_source, records

MODEL = "name: a\ntask: {}\nlearner: {{river: [dummy.NoChangeClassifier]}}\n"
HEADER = "price,items,label\n"
ROWS = "".join(f"{n / 100:.2f},{n % 9},x\n" for n in range(5000))


def read(path, columns=None, *, task="multiclass", more=""):
    model = parse_model_file(MODEL.format(task) + more)
    return list(records(str(path), model, columns or CsvColumns()))


def csv_events(tmp_path, text, *, task="multiclass", more="", **columns):
    (tmp_path / "data.csv").write_text(text, newline="")
    found = read(tmp_path / "data.csv", CsvColumns(**columns), task=task, more=more)
    return [json.loads(value) for value, _ in found]


def refusal(tmp_path, text, **more):
    with pytest.raises(SendError) as raised:
        csv_events(tmp_path, text, **more)
    assert raised.value.exit_code == 2
    return str(raised.value)


def flipped(packed):
    return (
        packed[: len(packed) // 2]
        + bytes([packed[len(packed) // 2] ^ 0xFF])
        + packed[len(packed) // 2 + 1 :]
    )


@pytest.mark.parametrize(
    ("damage", "line", "why"),
    [
        (flipped, r"\d+", ""),
        (lambda packed: packed[: len(packed) // 2], r"2\d\d\d", "ends too early"),
        (lambda packed: packed[:12], "1", "ends too early"),
        (lambda packed: packed[:-8] + b"\0" * 8, "5002", "checksum is wrong"),
        (lambda packed: packed + b"garbage", "5002", "not gzip's"),
        (lambda _: (HEADER + ROWS).encode(), "1", "its name is not to say .gz"),
    ],
    ids=["flipped", "cut", "cut at once", "checksum", "garbage after", "not packed"],
)
@pytest.mark.parametrize("kind", ["csv", "ndjson"])
def test_nothing_is_sent_of_a_damaged_packed_file(tmp_path, kind, damage, line, why):
    """A checksum tells of wrong numbers only at the end: it is looked at first."""
    path = tmp_path / f"data.{kind}.gz"
    path.write_bytes(damage(gzip.compress((HEADER + ROWS).encode())))
    found = records(str(path), parse_model_file(MODEL.format("multiclass")), CsvColumns())

    with pytest.raises(SendError, match=rf"data\.{kind}\.gz:{line}: .*{why}"):
        next(found)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(b"a\n1\n", mtime=0), "packed by gzip: let its name end with .gz"),
        (b"PK\x03\x04 and so on", "an Excel file"),
        ("a,b\n1,2\n".encode("utf-16"), "is UTF-16: iconv"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "ndjson", "vw"])
def test_what_is_no_text_is_said_before_anything_is_sent(tmp_path, kind, content, said):
    """By its first bytes."""
    (tmp_path / f"data.{kind}").write_bytes(content)
    with pytest.raises(SendError, match=said):
        check_source(str(tmp_path / f"data.{kind}"), CsvColumns())


@pytest.mark.parametrize("text", [",price,items\n0,1.5,2\n", "Unnamed: 0,price,items\n0,1.5,2\n"])
def test_a_column_without_a_name_is_refused_with_what_leaves_it_out(tmp_path, text):
    """The index of a data frame would be learned, and would tell the label of sorted rows."""
    said = refusal(tmp_path, text)

    assert "data.csv:2: column 1 " in said
    assert "a row index" in said
    assert '--columns "price,items"' in said
    chosen = csv_events(tmp_path, text, features=("price", "items"))
    assert chosen == [{"features": {"price": 1.5, "items": 2}}]


def test_a_column_without_name_or_values_is_none(tmp_path):
    """As a comma at the end of each line makes one; a value in it is told with its line."""
    assert csv_events(tmp_path, "a,,\n1,,\n2,,\n")[0] == {"features": {"a": 1}}
    assert "data.csv:3: column 3 has no name and holds 'x'" in refusal(tmp_path, "a,,\n1,,\n2,,x\n")


@pytest.mark.parametrize(
    ("text", "label", "options"),
    [
        ("price;items;label\n1,5;2;x\n", "label", '--delimiter ";" --decimal ","'),
        ('"price";"items"\n"1,5";"2"\n', None, '--delimiter ";" --decimal ","'),
        ("price\titems\tlabel\n1.5\t2\tx\n", "label", '--delimiter "\\t"'),
        ("price|items|label\n1.5|2|x\n", "label", '--delimiter "|"'),
        ("price;items;label\n", None, '--delimiter ";"'),
    ],
)
def test_another_delimiter_is_seen_and_its_options_are_named(tmp_path, text, label, options):
    """They read the file as it is meant."""
    assert refusal(tmp_path, text, label=label).endswith(f"say {options}")

    words = options.replace('"', "").replace("say ", "").split()
    given = dict(zip((w.removeprefix("--") for w in words[::2]), words[1::2], strict=True))
    read_so = csv_columns(
        **{"delimiter": None, "decimal": None, "features": None, "label": label, **given}
    )
    path = tmp_path / "data.csv"
    for value, _ in read(path, read_so):
        assert json.loads(value)["features"] == {"price": 1.5, "items": 2}


@pytest.mark.parametrize(
    ("text", "decimal"),
    [('a,b\n"1,5",2\n', None), ('a,b\n"1,234.50",2\n', None), ("a,b\n1.5,2\n", ","),
     ('a,b\n"1.234,50",2\n', ",")],
)  # fmt: skip
def test_a_number_of_another_country_is_never_text(tmp_path, text, decimal):
    """Nor is one whose thousands are set apart; who means text says so."""
    assert "data.csv:2: a: " in refusal(tmp_path, text, decimal=decimal)
    typed = csv_events(tmp_path, text, decimal=decimal, more="features: {a: {type: string}}\n")
    assert isinstance(typed[0]["features"]["a"], str)


def test_a_named_decimal_mark_is_the_only_one(tmp_path):
    """With `--decimal .`, 1,5 is text; with a comma, whole numbers and exponents stay numbers."""
    assert csv_events(tmp_path, 'a\n"1,5"\n', decimal=".")[0]["features"] == {"a": "1,5"}
    found = csv_events(tmp_path, "a;b;c\n-1,5;2;3,0e2\n", delimiter=";", decimal=",")
    assert found[0]["features"] == {"a": -1.5, "b": 2, "c": 300.0}
    typed = {"more": "features: {a: {type: float}}\n", "delimiter": ";"}
    assert csv_events(tmp_path, "a;b\n1,5;2\n", decimal=",", **typed)[0]["features"]["a"] == 1.5
    assert '--decimal ","' in refusal(tmp_path, "a;b\n1,5;2\n", **typed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("19.90,1,0,x\n5.50,2,0,y\n", ":1: '19.90,1,0,x' looks like data"),
        ("a, b\n1,2\n", ":1: column 2 is named ' b'"),
        ("", ":1: is empty"),
        ("\ufeff", ":1: is empty"),
        ('a,b\n1,"2\n3,4\n', ":2: a quote that begins here is not closed"),
        ('a,b\n1,"2"3\n', ":2: a quote stands amid a cell"),
        ("a,b\r1,2\r", ":1: a carriage return within a line"),
        ("a,b\n1,2\n3,\x004\n", ":3: holds a null byte"),
        ('a,b\n1,"two\nlines"\n3\n', ":4: 1 cells"),
    ],
)
def test_a_file_with_a_fault_names_the_line_where_it_begins(tmp_path, text, said):
    """And what it is."""
    assert f"data.csv{said}" in refusal(tmp_path, text)


def test_a_missing_label_in_a_file_without_names_says_so(tmp_path):
    """Whole numbers may be names, so only the missing one tells."""
    said = refusal(tmp_path, "5,3,x\n4,2,y\n", label="label")
    assert "no column 'label'" in said
    assert "looks like data" in said
    assert csv_events(tmp_path, "2023,2024\n4,2\n")[0]["features"] == {"2023": 4, "2024": 2}


def test_wavelengths_are_names(tmp_path):
    """Numbers that rise from column to column are a scale."""
    header = ",".join(f"{400 + 2.5 * n}" for n in range(6))
    assert len(csv_events(tmp_path, f"{header}\n1,2,3,4,5,6\n")[0]["features"]) == 6


def test_a_file_with_names_and_no_rows_has_no_events(tmp_path):
    """That is no fault of the file."""
    assert csv_events(tmp_path, "a,b\n") == []


@pytest.mark.parametrize(
    ("task", "more", "text", "label"),
    [
        ("binary", "", "1.0", 1), ("binary", "", "0.0", 0), ("multiclass", "", "3.0", 3),
        ("binary", "labels: [0, 1]\n", "1.0", 1),
        ("multiclass", "labels: ['1', '2']\n", "2.0", "2"),
        ("multiclass", "labels: ['1.0', '2.0']\n", "2.0", "2.0"), ("regression", "", "1.0", 1.0),
        ("multiclass", "", "1.5", 1.5),
    ],
)  # fmt: skip
def test_a_class_written_with_a_fraction_of_zero_is_whole(tmp_path, task, more, text, label):
    """As every program writes whole numbers once one of the column was missing."""
    found = csv_events(tmp_path, f"a,y\n1,{text}\n", task=task, more=more, label="y")[0]["label"]
    assert (found, type(found)) == (label, type(label))


@pytest.mark.parametrize("kind", ["ndjson", "vw"])
def test_a_byte_order_mark_and_empty_lines_are_no_records(tmp_path, kind):
    """All else goes byte for byte, a mark amid the file too."""
    lines = [b'{"features": {"a": 1}}', b"\xef\xbb\xbf{}", b"1 |f a"]
    content = (
        b"\xef\xbb\xbf\n" + lines[0] + b"\n\n \t\r\n" + lines[1] + b"\r\n\n" + lines[2] + b"\n\n"
    )
    (tmp_path / f"data.{kind}").write_bytes(content)

    found = [value for value, _ in read(tmp_path / f"data.{kind}")]

    assert found == [lines[0], lines[1] + b"\r", lines[2]]


def test_a_line_that_no_topic_takes_is_not_read_to_its_end(tmp_path):
    """What is one line may be a gigabyte."""
    (tmp_path / "data.ndjson").write_bytes(b"{}\n" + b"x" * (18 << 20))
    with pytest.raises(SendError, match=r"data\.ndjson:2: a line of more than 17,825,792 bytes"):
        read(tmp_path / "data.ndjson")


@pytest.mark.parametrize(("delimiter", "decimal"), [(";;", None), ('"', None), (None, ";")])
def test_what_can_be_no_delimiter_or_mark_is_a_usage_error(delimiter, decimal):
    """Exit code 2."""
    with pytest.raises(SendError, match="must be") as raised:
        csv_columns(features=None, delimiter=delimiter, decimal=decimal)
    assert raised.value.exit_code == 2
