"""The learner's port answers `/metrics`, and tells the truth at `/livez` and `/readyz`."""

import json
import urllib.error
import urllib.request

import pytest
from prometheus_client import CollectorRegistry

from stream.between.shared_numbers import SharedNumbers
from stream.source.probes import LearnerProbes
from stream.source.reports.heartbeat import Status, Trouble
from stream.source.reports.metrics import LearnerMetrics


@pytest.fixture
def status():
    """Of a learner that is at work, and has told how far the log goes."""
    return Status(SharedNumbers(), state="learning", lag={("m.events", 0): 3})


@pytest.fixture
def ask(status):
    """`ask(path, hung_s=60.0)`: status, media type and body of the port's answer."""

    def asked(path, *, hung_s=60.0):
        metrics = LearnerMetrics("m", CollectorRegistry())
        url = metrics.serve("127.0.0.1", 0, LearnerProbes(status, hung_s=hung_s))
        try:
            reply = urllib.request.urlopen(url.removesuffix("/metrics") + path, timeout=10)
        except urllib.error.HTTPError as error:
            reply = error
        with reply:
            return reply.status, reply.headers["content-type"], reply.read().decode()

    return asked


def test_metrics_are_at_their_own_path(ask):
    """As Prometheus asks for them."""
    code, media, text = ask("/metrics?name[]=weir_model_active_version")

    assert (code, media.partition(";")[0]) == (200, "text/plain")
    assert "weir_model_active_version" in text
    assert "weir_build" not in text


@pytest.mark.parametrize("path", ["/", "/readyz/", "/metrics/m", "/favicon.ico"])
def test_any_other_path_is_404(ask, path):
    """A probe that is misspelt is no probe that passes."""
    code, media, text = ask(path)

    assert (code, media) == (404, "application/problem+json")
    assert json.loads(text)["title"] == "Not Found"


def test_a_learner_that_builds_its_model_is_live(ask):
    """However long that takes: its loop has not begun."""
    assert ask("/livez", hung_s=0.0) == (200, "application/json", '{"status": "live"}')


def test_a_learner_whose_loop_does_not_turn_is_not_live(ask, status):
    """Nor is it ready."""
    status.board.learner_has_begun()
    assert ask("/livez")[0] == 200

    for path in ("/livez", "/readyz"):
        code, media, text = ask(path, hung_s=0.0)
        assert (code, media) == (503, "application/problem+json")
        assert json.loads(text)["detail"].startswith("the learner's loop has not turned for")


@pytest.mark.parametrize("state", ["learning", "idle", "frozen"])
def test_a_learner_at_work_is_ready(ask, status, state):
    """One that is frozen obeys."""
    status.state = state

    assert ask("/readyz") == (200, "application/json", '{"status": "ready"}')


@pytest.mark.parametrize("state", ["starting", "waiting", "stopped"])
def test_a_learner_that_is_not_at_work_is_not_ready(ask, status, state):
    """Before it holds the line and has its model, and after."""
    status.state = state
    code, _, text = ask("/readyz")

    assert (code, json.loads(text)["detail"]) == (503, state)
    assert ask("/livez")[0] == 200


def test_a_learner_that_fails_is_not_ready(ask, status):
    """It says what ends it."""
    status.trouble = Trouble(3, "the learner was ended by SIGSEGV")
    code, _, text = ask("/readyz")

    assert code == 503
    assert json.loads(text)["detail"] == "failing: the learner was ended by SIGSEGV"


def test_a_learner_that_has_not_heard_of_the_log_is_not_ready(ask, status):
    """It may hold the line, and have a broker that does not answer."""
    status.lag = None

    assert ask("/readyz")[0] == 503


def test_a_learner_that_is_told_to_stop_is_not_ready(ask, status):
    """It commits, and is gone."""
    status.board.stop = True

    assert ask("/readyz")[0] == 503
