"""`weir explain`: the body of the route, and the same for people."""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from api.explaining.cli import ExplainWiring, explain_command
from checkpoints.operating.connection import Connection
from checkpoints.records.line import Line
from checkpoints.stores.in_memory.store import MemoryStore
from config.model_file import parse_model_file
from config.text.extras import install_command
from learner.explaining.with_shap import ShapMissingError
from tests.api.running import KEYS, PHISHING, Learning, phishing

TREE = """
name: phishing
task: binary
labels: [GOOD, BAD]
learner: {river: [{tree.HoeffdingTreeClassifier: {grace_period: 20, delta: 0.1}}]}
"""
X, _ = phishing(1, start=900)[0]


class Typed:
    """The command, over a store with versions of 200 and 300 events."""

    def __init__(self, model: str, scratch: Path) -> None:
        self.learning = Learning(parse_model_file(model), MemoryStore(), scratch)
        is_named = self.learning.model_file.labels is not None
        for first, count in ((0, 200), (200, 100)):
            pairs = phishing(count, start=first)
            self.learning.learn([(x, ("GOOD", "BAD")[y]) for x, y in pairs] if is_named else pairs)
            self.learning.commit()
        self._app = typer.Typer()
        wiring = ExplainWiring(model=self._line_and_file, connect=self._connected)
        self._app.command()(explain_command(wiring))

    def run(self, *words: str, features: Any = X) -> Result:
        given = features if isinstance(features, str) else json.dumps(features)
        return CliRunner().invoke(self._app, ["phishing", *words, "--features", given])

    def answers(self, *words: str) -> dict[str, Any]:
        done = self.run(*words, "--json")
        assert done.exit_code == 0, done.output
        return dict(json.loads(done.stdout))

    def _line_and_file(self, path: Path) -> Any:
        return self.learning.line, parse_model_file(path.read_text())

    def _connected(self, _: Path | None, model: str) -> Connection:
        assert Line(model) == self.learning.line
        return Connection(store=self.learning.store, keys=KEYS, who="ann")


@pytest.fixture(scope="module")
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.fixture(scope="module")
def linear(scratch: Path) -> Typed:
    return Typed(PHISHING, scratch)


@pytest.fixture(scope="module")
def tree(scratch: Path) -> Typed:
    return Typed(TREE, scratch)


def test_the_body_is_the_routes(linear: Typed) -> None:
    body = linear.answers()
    assert (body["model"], body["version"], body["learned"]) == ("phishing", "v2", 300)
    assert body["explanation"]["exact"]
    assert body["explanation"]["sum"] == pytest.approx(
        body["explanation"]["base"]
        + sum(each["contribution"] for each in body["explanation"]["contributions"])
    )
    assert linear.answers("v1")["learned"] == 200


def test_people_read_a_table(linear: Typed, tree: Typed) -> None:
    lines = linear.run("--top", "2").stdout.splitlines()
    assert lines[0].startswith("phishing v2 answers ")
    assert lines[1] == "log odds of true, exact:"
    assert lines[2].split() == ["value", "feature", "adds"]
    assert [line.split()[-2] for line in lines[-2:]] == ["others", "sum"]
    asked = tree.run("--method", "leave_one_out").stdout
    assert 'probability of "BAD", leave_one_out, asked ' in asked
    assert " ± " in asked
    assert ", the sum off by " in asked.splitlines()[1]
    assert any(line.startswith("at ") for line in tree.run().stdout.splitlines()), "its way"


def test_a_class_is_named_as_answers_name_it(tree: Typed) -> None:
    bad, good = (tree.answers("--class", name)["explanation"] for name in ("BAD", "GOOD"))
    assert (bad["class"], good["class"]) == ("BAD", "GOOD")
    assert good["sum"] == pytest.approx(
        -bad["sum"] if bad["scale"] == "log_odds" else 1 - bad["sum"]
    )


@pytest.mark.parametrize(
    ("words", "features", "says"),
    [
        ((), "{", "not JSON"),
        ((), {"https": "yes"}, "https"),
        (("--method", "guess"), X, "Invalid enum value 'guess'"),
        (("--samples", "1000"), X, "from 1 to 100"),
        (("--class", "UGLY"), X, "'UGLY' is none of"),
        (("--class", "null"), X, "'null' is none of"),
        (("--class", "[1]"), X, "'[1]' is none of"),
    ],
)
def test_what_is_wrong_is_a_usage_error(
    linear: Typed, words: tuple[str, ...], features: Any, says: str
) -> None:
    done = linear.run(*words, features=features)
    assert done.exit_code == 2
    assert says in " ".join(done.output.replace("│", " ").split())


def test_without_the_extra_it_says_how_to_install_it(
    linear: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in no environment of the tests; what it finds was compared by hand."""
    monkeypatch.setitem(sys.modules, "shap", None)
    done = linear.run("--method", "shap")
    assert isinstance(done.exception, ShapMissingError)
    assert done.exception.exit_code == 2
    assert install_command("shap") in str(done.exception)
