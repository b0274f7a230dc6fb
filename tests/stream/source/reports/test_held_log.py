"""What the publish gate holds back is told once, and again when it is over; the metric follows."""

import logging

import pytest
from prometheus_client import CollectorRegistry

from checkpoints.records.line import Line
from stream.source.reports.held_log import HeldLog
from stream.source.reports.metrics import LearnerMetrics
from tests.checkpoints.builders import a_version
from tests.checkpoints.gated import held_for

LINE = Line("phishing")
GOOD = a_version(LINE, number=3)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def metrics(registry) -> LearnerMetrics:
    return LearnerMetrics("phishing", registry)


def held(number: int):
    return a_version(LINE, number=number, parent=GOOD, gate=held_for(GOOD)).manifest


def metric(registry) -> float | None:
    return registry.get_sample_value("weir_model_held", {"model": "phishing"})


def test_the_beginning_is_told_with_its_values_and_the_end_once(registry, metrics, caplog):
    """However many versions there are in between."""
    caplog.set_level(logging.INFO)
    told = HeldLog(metrics, GOOD.manifest)
    told.look(0)
    assert (metric(registry), caplog.messages) == (0, [])

    for number in (4, 5, 6):
        told.head_is(held(number))
        told.look(0)
    assert metric(registry) == 1
    told.head_is(a_version(LINE, number=7).manifest)
    told.look(0)
    told.look(0)

    assert metric(registry) == 0
    begun, ended = caplog.messages
    assert begun == (
        "phishing: v4 is held back and v3 is served: rolling Accuracy 0.5 is worse than 0.9 by "
        "more than 0.05. Once it is not, the head is served again; `weir release phishing "
        "--reason …` serves it now"
    )
    assert ended == "phishing: no longer held back: v7 is served"


def test_a_release_ends_it_without_another_version(registry, metrics, caplog):
    """What is let through is told as soon as the order is seen."""
    caplog.set_level(logging.INFO)
    told = HeldLog(metrics, held(4))
    told.look(0)
    told.look(4)

    assert metric(registry) == 0
    assert caplog.messages[1:] == ["phishing: no longer held back: v4 is served"]


def test_a_line_without_a_version_has_nothing_to_tell(registry, metrics):
    """It begins."""
    HeldLog(metrics, None).look(0)

    assert metric(registry) == 0
