"""`weir export` and `weir import` as they are typed: what they say, and what they end with."""

import inspect
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from checkpoints.errors import CheckpointError
from checkpoints.exporting.believed import verifier_of
from checkpoints.exporting.cli import FileWiring, export_command
from checkpoints.exporting.container import read_exported
from checkpoints.operating.connection import Connection
from checkpoints.records.line import Line
from checkpoints.records.signing import Keys, public_pem
from checkpoints.stores.in_memory.store import MemoryStore
from config.files import NotWrittenError
from tests.checkpoints.builders import LEARNER, OPERATOR, VERIFIER, granted, history
from tests.checkpoints.operators import Steady, an_operator, order

LINE = Line("phishing")


@pytest.fixture
def typed():
    """A function that runs `weir export` on a store: its exit code, and what it says."""
    store = MemoryStore()
    history(store, LINE, granted(store, LINE).token, length=3)
    an_operator(store, Steady()).run(LINE, order("tag", "v2", tag="stable"))
    an_operator(store, Steady()).run(LINE, order("rollback", "v1"))
    keys = Keys(learner=None, operator=OPERATOR, verifier=VERIFIER)
    registered = []
    wired = FileWiring(
        connect=lambda *_: Connection(store=store, keys=keys, who="ann"),
        model=_unasked,
        try_out=_unasked,
        begin=_unasked,
        registry=lambda: lambda *given: registered.append(given) or {"name": given[1]},
    )
    app = typer.Typer()
    app.command()(_guarded(export_command(wired)))

    def run(*words: str):
        done = CliRunner().invoke(app, list(words))
        return done.exit_code, done.stdout or done.stderr

    run.registered = registered
    return run


def _unasked(*_):
    raise AssertionError("an export asks nothing of this")


def _guarded(function):
    def run(**given):
        try:
            function(**given)
        except (CheckpointError, NotWrittenError) as error:
            typer.echo(f"weir: {error}", err=True)
            raise typer.Exit(error.exit_code) from error

    vars(run)["__signature__"] = inspect.signature(function)
    run.__annotations__ = function.__annotations__
    return run


def test_a_version_is_written_and_told(typed, tmp_path):
    file = tmp_path / "a.weir"

    code, said = typed("phishing", "v3", "-o", str(file))

    body = json.loads(said)
    found = read_exported(file, VERIFIER)
    assert code == 0
    assert body == {
        "file": str(file), "bytes": file.stat().st_size, "model": "phishing", "version": "v3",
        "id": found.version.id, "learned": 30, "signer": LEARNER.key_id,
    }  # fmt: skip
    assert [each.name for each in tmp_path.iterdir()] == ["a.weir"]


def test_a_tag_names_it_and_a_rollback_is_signed_by_the_operator(typed, tmp_path):
    """Who has the operator's key alone can read that file."""
    file = tmp_path / "a.weir"

    assert json.loads(typed("phishing", "stable", "-o", str(file))[1])["version"] == "v2"
    body = json.loads(typed("phishing", "v4", "-o", str(file))[1])

    assert body["signer"] == OPERATOR.key_id
    key = public_pem(OPERATOR.public).decode()
    assert read_exported(file, verifier_of([key])).version.manifest.kind == "rollback"


def test_mlflow_is_given_a_file_that_goes_with_it(typed):
    code, said = typed("phishing", "v3", "--mlflow", "fishing", "--alias", "champion")

    ((written, name, alias),) = typed.registered
    assert (code, json.loads(said)["file"]) == (0, None)
    assert json.loads(said)["mlflow"] == {"name": "fishing"}
    assert (name, alias, written.version.manifest.name) == ("fishing", "champion", "v3")
    assert written.public_key == public_pem(LEARNER.public).decode()
    assert not written.file.exists()


@pytest.mark.parametrize(
    ("words", "code", "what"),
    [
        (("phishing", "v3"), 2, "give -o FILE, --mlflow NAME, or both"),
        (("phishing", "v3", "-o", "FILE", "--alias", "champion"), 2, "--alias is for --mlflow"),
        (("phishing", "v9", "-o", "FILE"), 3, "no such version is kept"),
        (("fishing", "v1", "-o", "FILE"), 3, "this store holds no version of it"),
        (("phishing", "v3", "-o", "gone/FILE"), 2, "No such file or directory"),
        (("phishing", "v3", "-o", "."), 2, "cannot write .: Is a directory"),
    ],
)
def test_what_cannot_be_done_is_told_so(typed, tmp_path, words, code, what):
    given = [str(tmp_path / word) if "FILE" in word else word for word in words]

    found, said = typed(*given)

    assert (found, what in " ".join(said.replace("│", " ").split())) == (code, True), said
    assert list(Path(tmp_path).iterdir()) == []
