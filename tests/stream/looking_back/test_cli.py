"""`weir blame` as it is typed: what it begins with, and what it is asked by."""

from collections.abc import Callable

import pytest
from click.testing import Result
from typer.testing import CliRunner

from checkpoints.errors import NoSuchVersion
from checkpoints.operating.connection import Connection
from checkpoints.records.signing import Keys
from checkpoints.stores.in_memory.store import MemoryStore
from config.settings import load_settings
from stream.looking_back.cli import LookWiring, look_commands
from tests.checkpoints.builders import OPERATOR, VERIFIER, granted, history
from tests.checkpoints.operators import LINE


@pytest.fixture
def blame() -> Callable[..., Result]:
    """Runs it on a line that has come to v5, and on no Kafka."""
    store = MemoryStore()
    history(store, LINE, granted(store, LINE).token, length=5)
    keys = Keys(learner=None, operator=OPERATOR, verifier=VERIFIER)
    wired = LookWiring(
        model=_unasked,
        settings=lambda _: load_settings({}, environ={}),
        connect=lambda *_: Connection(store=store, keys=keys, who="ann"),
    )
    app = look_commands(wired, lambda command: command)
    return lambda *words: CliRunner().invoke(app, ["blame", LINE.model, *words])


def _unasked(*_: object) -> None:
    raise AssertionError("no model file was given")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--since", "v1"), "give --probe FILE, or --metric NAME"),
        (("--since", "soon", "--metric", "Accuracy"), "'soon' is no time"),
        (("--since", "v-1", "--metric", "Accuracy"), "v-1"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(blame, words, told):
    done = blame(*words)
    assert (done.exit_code, told in done.stderr) == (2, True), done.stderr


def test_a_version_that_the_model_has_not_come_to_is_not_taken_for_the_newest(blame):
    """Exit 3; it would be found that nothing has broken since."""
    done = blame("--since", "v6", "--metric", "Accuracy")
    assert isinstance(done.exception, NoSuchVersion)
    assert "v6: no such version is kept" in str(done.exception)
