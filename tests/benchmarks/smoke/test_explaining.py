"""What explanations cost is still measured."""

import pytest

from benchmarks import explaining


@pytest.mark.parametrize("learner", explaining.EVENTS)
def test_learning_is_measured_with_and_without(learner: str) -> None:
    share, nanoseconds = explaining.background_share(learner, events=300)
    assert share > 0
    assert nanoseconds > 0
    assert all(ratio > 0 for ratio in explaining.importance_ratios(learner, 2, events=300))


@pytest.mark.parametrize("name", explaining.STREAMS)
def test_explanations_of_each_shipped_model_are_measured(name: str) -> None:
    for way in explaining.WAYS:
        found = explaining.explained_ms(name, way, learned=60, asked=4)
        assert len(found) == 4
        assert found == sorted(found)


def test_predictions_are_measured_beside_explanations() -> None:
    alone, both, explained = explaining.beside(0.5)
    assert alone.failed == both.failed == 0
    assert explained > 0
