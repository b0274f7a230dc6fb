"""What MLflow's errors say in one line, by the very errors that its client raises."""

import socket

import pytest
import requests

from api.registry.refusals import told
from config.processes.child import free_port

AT = "http://127.0.0.1:5000"


class AsMlflowRaises(Exception):
    """MLflow tells all of a failed request in one text; what it came of is behind it."""


def raised(url: str, **options: float) -> AsMlflowRaises:
    """The error of a request that fails."""
    try:
        try:
            requests.get(url, **options)
        except Exception as error:
            raise AsMlflowRaises(f"API request to {url} failed with exception {error}")  # noqa: B904
    except AsMlflowRaises as error:
        return error
    raise AssertionError("it was answered")


def test_a_port_where_nobody_listens() -> None:
    error = raised(f"http://127.0.0.1:{free_port()}/api", timeout=5)

    assert told(error, AT) == f"MLflow at {AT} does not answer (connection refused): is it running?"


def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = raised(f"http://127.0.0.1:{silent.getsockname()[1]}/api", timeout=0.2)

    assert told(error, AT) == f"MLflow at {AT} does not answer (no answer in time): is it running?"


def test_a_name_that_nobody_has() -> None:
    error = raised("http://mlflow.invalid:5000/api", timeout=5)

    assert f"MLflow at {AT} does not answer (" in told(error, AT)
    assert "): is it running?" in told(error, AT)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (AsMlflowRaises("BAD: No such run. See there.\nTraceback"), "BAD: No such run"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (requests.HTTPError("401 Client Error: for url"), "401 Client Error: for url"),
        (AsMlflowRaises(), "AsMlflowRaises"),
    ],
)
def test_what_it_says_itself(error: Exception, sentence: str) -> None:
    """A disk of ours that is full is no server that does not answer."""
    assert told(error, AT) == f"MLflow at {AT}: {sentence}"


def test_a_long_sentence_ends_between_two_words() -> None:
    line = told(AsMlflowRaises("refused " * 200), AT)

    assert line.endswith("refused …")
    assert len(line) < 400
