"""What YAML is read as here, and what hostile text comes to."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.text.yaml_lines import BYTES_MAX, DEPTH_MAX, PROBLEMS_MAX, read_file, read_text


def told(text):
    return [str(problem) for problem in read_text(text, file="m.yaml").problems]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("NO", "NO"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("012", 12),
        ("0o17", 15),
        ("0x1F", 31),
        ("1e12", 1e12),
        ("1.0e+12", 1e12),
        ("1e-05", 1e-05),
        (".5", 0.5),
        ("1.", 1.0),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        ("1MiB", "1MiB"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("<<", "<<"),
        ("|\n  a\n  b\n", "a\nb\n"),
        ("[1, {a: [b]}]", [1, {"a": ["b"]}]),
    ],
)
def test_values_are_those_of_yaml_1_2(written, meant):
    """YAML 1.1 would read several of these otherwise."""
    found = read_text(f"key: {written}", file="m.yaml")

    assert found.problems == ()
    assert json.dumps({"key": meant}) == json.dumps(found.value)


def test_every_key_and_item_knows_its_line():
    """Problems found by later rooms are told at the line of the nearest key."""
    text = "learner:\n  river:\n    - a.B\n    - c.D:\n        e: {f: 1}\nlast: 1\n"
    source = read_text(text, file="m.yaml").source

    keys = ["learner", "learner.river[0]", "learner.river[1].c.D.e.f", "learner.river[1].c.D.x.y"]
    assert [source.line(key) for key in keys] == [1, 3, 5, 4]
    assert source.where(("learner", "river", 1, "c.D", "e")) == "m.yaml:5"
    assert source.where("nowhere") == "m.yaml:1"


def test_values_shared_by_an_alias_are_equal():
    """What programs write with aliases is read."""
    found = read_text("a: &x [1, 2]\nb: *x\n", file="m.yaml")

    assert found.value == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", "m.yaml:2: a: is written twice, first in line 1"),
        ("1: a\ntrue: b", "m.yaml:2: [True]: is written twice, first in line 1"),
        ("f: {0: a, x: b,\n    false: c}", "m.yaml:2: f[False]: is written twice, first in line 1"),
        ("a: .nan", "m.yaml:1: a: numbers must be finite, not .nan"),
        ("a: 1e400", "m.yaml:1: a: numbers must be finite, not 1e400"),
        ("a: 1" + "0" * 5000, "m.yaml:1: a: the number 1000000000… has too many digits"),
        (
            "a: !!str 1",
            "m.yaml:1: a: tags such as tag:yaml.org,2002:str are not read: leave it out",
        ),
        ("? [a]\n: b", "m.yaml:1: a key must be a plain word, not a list or a mapping"),
        ("a: 1\n---\nb: 2", "m.yaml:2: holds more than one document; only one is read"),
        (r'a: "\0"', "m.yaml:1: a: holds a null character, or half of a character"),
        (r'a: "\ud83d"', "m.yaml:1: a: holds a null character, or half of a character"),
        ("a: *b", "m.yaml:1: a: *b is named before &b is set"),
        ("[" * 10_000, f"m.yaml:1: [0][0][0]: is nested deeper than {DEPTH_MAX} levels"),
        ("a" * (BYTES_MAX + 1), "m.yaml: is larger than 1 MiB"),
    ],
)
def test_what_is_not_admitted_is_told_with_its_line(text, message):
    """Each by its own words."""
    assert [message] == told(text)


def test_a_tab_is_told_as_such():
    """The commonest slip of an editor."""
    assert told("a:\n\tb: 1")[0].endswith("(use spaces instead of tabs)")


def test_aliases_of_aliases_end_early():
    """A few lines must not become a million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    assert told("\n".join(lines))[-1].endswith("holds more than 100,000 values")


def test_problems_are_listed_up_to_a_limit():
    """A file of another kind does not print a book."""
    assert len(told("a: 1\n" * 1000)) == PROBLEMS_MAX + 1


def test_files_that_cannot_be_read_are_told(tmp_path):
    """Absent, a folder, not UTF-8."""
    (tmp_path / "latin").write_bytes(b"a: 1\nb: \xe4")

    def message(name):
        (problem,) = read_file(tmp_path / name).problems
        return problem.line, problem.message

    assert message("absent") == (0, "there is no such file")
    assert message(".") == (0, "cannot be read: Is a directory")
    assert message("latin") == (2, "is not UTF-8 text; save it as UTF-8")


ALPHABET = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
KEYS = st.text(ALPHABET, max_size=60)  # YAML: a key on one line has at most 1,024 characters
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(ALPHABET),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON)
def test_json_is_read_as_json(value):
    """JSON is YAML: an independent writer and reader agree with this one."""
    text = json.dumps(value)
    found = read_text(text, file="m.yaml")

    assert found.problems == ()
    assert text == json.dumps(found.value)
    assert value == found.value


@settings(deadline=None)
@given(st.text() | st.text(alphabet="ab:-[]{}&*!?|>'\"#,% \n\t01.e~"))
def test_no_text_raises(text):
    """Whatever it holds, it is read or told of."""
    read_text(text, file="m.yaml")
