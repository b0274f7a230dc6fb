"""The model file: what it admits, what it fills in, and how its mistakes are told."""

import json
import pickle
import re
import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from config.errors import ModelFileError
from config.model_file import ModelFile, load_model_file, parse_model_file

CONTRACT = """\
name: phishing
task: binary                 # binary | multiclass | regression
labels: [DOWN, UP]           # optional: the admissible ones; the second is the positive one
learner:
  river:                     # a pipeline, in order; names as in River's documentation
    - preprocessing.StandardScaler                        # no arguments
    - linear_model.LogisticRegression:                    # by keyword
        optimizer: {optim.SGD: [0.005]}                   # by position
features:                    # optional; what is absent is inferred and reported
  https: {type: float, min: 0, max: 1}
strict: false                # true: refuse features that are not listed
metrics: [Accuracy, ROCAUC, LogLoss]
scores: {rolling: 1000, fading: 0.999}
drift:
  - {on: error, detector: ADWIN, delta: 0.002, action: alert}
limits: {value: 1.0e+12, features: 1000, names: 10000, labels: 1000, string: 1024, depth: 2, \
record: 1MiB, pending: 1000000, duplicates: 10000}
topics: {events: phishing.events, labels: phishing.labels, predictions: phishing.predictions, \
format: json}
checkpoint: {every_seconds: 1, max_bytes: 512MiB, \
keep: {last: 20, minutely: 60, hourly: 24, daily: 7, max_bytes: 4GiB}}
"""
BRIEF = "name: phishing\ntask: binary\nlearner: {river: [linear_model.LogisticRegression]}\n"
REGRESSION = "name: r\ntask: regression\nlearner: {river: linear_model.LinearRegression}\n"
MULTICLASS = "name: m\ntask: multiclass\nlearner: {river: naive_bayes.GaussianNB}\n"
TASKS = {"binary": BRIEF, "multiclass": MULTICLASS, "regression": REGRESSION, "nothing": ""}


def told(text):
    """Lines of the error that `text` comes to."""
    with pytest.raises(ModelFileError) as caught:
        parse_model_file(text, file="m.yaml")
    return str(caught.value).splitlines()


def mistakes():
    """Text and message of each block of mistakes.txt."""
    blocks = Path(__file__).with_name("mistakes.txt").read_text().split("\n\n")[1:]
    for block in blocks:
        parts = re.fullmatch(r"after (\w+):\n(.*)\n=> (.*)", block.strip(), re.DOTALL)
        task, added, message = parts.groups()
        yield TASKS[task] + textwrap.dedent(added), message


def test_the_example_of_the_contract_is_read_whole():
    """Every key of it, by its documented meaning."""
    model = parse_model_file(CONTRACT)

    assert (model.name, model.task, model.labels) == ("phishing", "binary", ("DOWN", "UP"))
    assert model.learner.river == [
        "preprocessing.StandardScaler",
        {"linear_model.LogisticRegression": {"optimizer": {"optim.SGD": [0.005]}}},
    ]
    assert tuple(model.features["https"].model_dump().values()) == ("float", 0, 1)
    assert tuple(model.drift[0].model_dump().values()) == (
        "error",
        "ADWIN",
        "alert",
        {"delta": 0.002},
    )
    assert (
        model.limits.record,
        model.checkpoint.max_bytes,
        model.checkpoint.keep.max_bytes,
    ) == (1 << 20, 512 << 20, 4 << 30)


def test_what_is_left_out_is_what_the_contract_shows():
    """The contract's example writes the defaults out: leaving them out changes nothing."""
    written, brief = parse_model_file(CONTRACT), parse_model_file(BRIEF)

    for section in ("strict", "scores", "limits", "topics", "checkpoint", "trust"):
        assert written.sections()[section] == brief.sections()[section]


@pytest.mark.parametrize(
    ("written", "section"),
    [
        ("limits: {value: 5}", {"value": 5.0, "features": 1000}),
        ("limits:", {"value": 1e12}),
        ("checkpoint: {keep: {last: 3}}", {"every_seconds": 1.0, "max_bytes": 512 << 20}),
        ("topics: {events: shared}", {"events": "shared", "labels": "phishing.labels"}),
        ("scores: {rolling: 1e2}", {"rolling": 100, "fading": 0.999}),
    ],
)
def test_a_section_given_in_part_keeps_the_rest(written, section):
    """Defaults are per key, not per section."""
    found = parse_model_file(BRIEF + written).sections()[written.partition(":")[0]]

    assert section == {key: found[key] for key in section}


@pytest.mark.parametrize(
    ("text", "metrics"),
    [(BRIEF, ("Accuracy",)), (MULTICLASS, ("Accuracy",)), (REGRESSION, ("MAE",))],
)
def test_without_metrics_there_is_one_that_fits_the_task(text, metrics):
    """No model goes unscored because its author named no score."""
    assert metrics == parse_model_file(text).metrics


@pytest.mark.parametrize(
    ("labels", "meant"),
    [
        ("[NO, YES]", ("NO", "YES")),
        ("[no, on]", ("no", "on")),
        ("[false, true]", (False, True)),
        ("[0, 1]", (0, 1)),
        ("['0', '1']", ("0", "1")),
    ],
)
def test_labels_are_what_is_written(labels, meant):
    """YAML 1.1 would turn NO into false; false and 0 stay apart."""
    found = parse_model_file(BRIEF + f"labels: {labels}").labels

    assert repr(meant) == repr(found)


@pytest.mark.parametrize("quoted", ["on", "'on'", '"on"'])
def test_on_is_a_key(quoted):
    """YAML 1.1 would read it as true."""
    text = BRIEF + f"drift:\n  - {quoted}: error\n    detector: KSWIN\n    seed: 42\n"
    (drift,) = parse_model_file(text).drift

    assert tuple(drift.model_dump().values()) == ("error", "KSWIN", "alert", {"seed": 42})


@pytest.mark.parametrize(
    ("river", "components"),
    [
        ("tree.HoeffdingTreeClassifier", ["tree.HoeffdingTreeClassifier"]),
        ("{optim.SGD: [0.1]}", [{"optim.SGD": [0.1]}]),
        ("[a.B: {}, c.D: []]", [{"a.B": {}}, {"c.D": []}]),
        ("[x.Y: {dist: {true: 0.6, false: 0.4}}]", [{"x.Y": {"dist": {True: 0.6, False: 0.4}}}]),
        (
            "[x.Y: {models: [a.B, c.D: {e: null}]}]",
            [{"x.Y": {"models": ["a.B", {"c.D": {"e": None}}]}}],
        ),
    ],
)
def test_a_river_pipeline_is_kept_as_plain_data(river, components):
    """One component is a pipeline of one; arguments, their order and their types are kept."""
    model = parse_model_file(f"name: a\ntask: binary\nlearner: {{river: {river}}}\n")

    assert repr(components) == repr(model.learner.river)
    assert list(json.loads(json.dumps(model.sections()))) == list(ModelFile.model_fields)


@pytest.mark.parametrize(("text", "message"), list(mistakes()))
def test_each_mistake_is_told_by_line_key_and_what_is_right(text, message):
    """And nothing else is told beside it."""
    assert [f"m.yaml:{message}"] == told(text)


@pytest.mark.parametrize(
    ("component", "hint"),
    [
        ("'optim.SGD() | tree.X()'", "looks like Python"),
        ("{optim.SGD: 0.1}", "optim.SGD: arguments are a mapping"),
        ("{optim.SGD: null}", "without arguments leave out the colon"),
        ("{a.B: {}, c.D: {}}", "must be a name, or one name with its arguments"),
        ("3", "must be a name, or one name with its arguments"),
        ("a b", "must be a name as in River's documentation"),
    ],
)
def test_a_component_of_the_wrong_shape_is_told_at_its_line(component, hint):
    """The newcomer's slips, each with the way to write it."""
    (line,) = told(f"name: a\ntask: binary\nlearner:\n  river:\n    - a.B\n    - {component}\n")

    assert line.startswith("m.yaml:6: learner.river[1]: ")
    assert hint in line


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines():
    """One run, one list."""
    text = "name: a b\ntask: nope\nlearner: {river: [3]}\nlimits: {depth: 0}\ntopics: {evens: x}\n"
    lines = told(text + text[:9])

    assert [int(line.split(":")[1]) for line in lines] == [1, 2, 3, 4, 5, 6]


def test_a_python_learner_comes_with_its_trust():
    """The module itself or a package above it."""
    text = "name: a\ntask: binary\nlearner: {python: 'my_package.models:build'}\n"

    for trust in ("my_package", "my_package.models"):
        assert (trust,) == parse_model_file(text + f"trust: [{trust}]").trust
    assert len(told(text + "trust: [my_pack]")) == 1


def test_places_are_found_for_problems_of_later_rooms(tmp_path):
    """`learner/` knows a key, the file knows its line."""
    path = tmp_path / "m.yaml"
    path.write_text(CONTRACT)
    source = load_model_file(path).source

    assert f"{path}:8" == source.where("learner.river[1].linear_model.LogisticRegression.optimizer")
    assert f"{path}:15" == source.where("drift[0].delta")
    assert f"{path}:1: trust: is odd" == str(source.problem("trust", "is odd"))


def test_sections_do_not_depend_on_how_the_file_is_written():
    """Order, comments, quotes and written-out defaults are no change of the model."""
    document = yaml.safe_load(CONTRACT.replace("on: error", "'on': error"))
    turned = yaml.safe_dump(dict(reversed(document.items())), default_flow_style=True)

    assert parse_model_file(CONTRACT).sections() == parse_model_file(turned).sections()


def test_a_model_file_is_frozen_and_survives_a_pickle():
    """It is passed down and between processes, never changed."""
    model = parse_model_file(CONTRACT)

    with pytest.raises(ValidationError):
        model.name = "other"
    again = pickle.loads(pickle.dumps(model))
    assert (model, model.source) == (again, again.source)


def test_the_error_survives_a_pickle():
    """A child process may meet it first."""
    with pytest.raises(ModelFileError) as caught:
        parse_model_file("name: 1")
    again = pickle.loads(pickle.dumps(caught.value))

    assert (2, caught.value.problems) == (again.exit_code, again.problems)


def test_a_file_that_is_not_there_is_told():
    """Nothing else is said of it."""
    with pytest.raises(ModelFileError, match=r"^absent.yaml: there is no such file$"):
        load_model_file(Path("absent.yaml"))


WORDS = st.sampled_from(
    [*ModelFile.model_fields, "river", "vw", "on", "detector", "keep", "record", "type", "x"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["binary", "1MiB", "ADWIN", "a.B", "json", ""])
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | SCALARS, inner, max_size=6),
    max_leaves=20,
)


def read_or_told(text):
    """A model that goes into a manifest, or an error of ours, with something to say."""
    try:
        model = parse_model_file(text)
    except ModelFileError as error:
        said = error.problems
    else:
        said = json.dumps(model.sections(), allow_nan=False).encode()

    assert said


@settings(deadline=None)
@given(st.text() | st.text(alphabet="ab:-[]{}&*!?|>'\"#,% \n\t01.e~"))
def test_any_text_is_a_model_file_or_a_model_file_error(text):
    """Never another exception."""
    read_or_told(text)


@settings(deadline=None)
@given(st.dictionaries(WORDS, TREES, max_size=8))
def test_any_tree_is_a_model_file_or_a_model_file_error(tree):
    """Right words in wrong places, wrong types in right ones."""
    read_or_told(yaml.safe_dump(tree))


@settings(deadline=None)
@given(st.data())
def test_a_good_file_with_any_part_replaced_is_told_or_read(data):
    """One wrong value anywhere in a good file."""
    document = yaml.safe_load(CONTRACT.replace("on: error", "'on': error"))
    place, key = document, data.draw(st.sampled_from(list(document)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else [0]))
    place[key] = data.draw(TREES)

    read_or_told(yaml.safe_dump(document))


MISSING = "name: m\ntask: binary\nlearner: {{vw: --noconstant}}\nmissing: {}\n"


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ('["", NA, n/a, null]', ("", "NA", "n/a", "null")),
        ("[]", ()),
        ('["-999", no, ~]', ("-999", "no", "null")),
    ],
)
def test_words_for_what_is_missing_are_texts(listed: str, words: tuple[str, ...]) -> None:
    """YAML's null is the word that it is written as in a file."""
    assert parse_model_file(MISSING.format(listed)).missing == words


@pytest.mark.parametrize(("listed", "word"), [("[-999]", '"-999"'), ("[NA, false]", '"false"')])
def test_a_number_is_no_word_for_what_is_missing(listed: str, word: str) -> None:
    """It would not be found in JSON, where it is no text."""
    with pytest.raises(ModelFileError, match=f"write {word} in quotes"):
        parse_model_file(MISSING.format(listed))
