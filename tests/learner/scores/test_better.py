"""Which way a score is better: as River says, and our own."""

from river import metrics

from config.model.better import LOWER_IS_BETTER
from learner.scores.rows import SCORES
from learner.scores.scores import suited_names
from learner.tasks import TASKS


def test_it_is_as_river_has_it():
    """Of every score that a model file may list."""
    names = {name for task in TASKS for name in suited_names(task)}
    lower = {name for name in names if not getattr(metrics, name)().bigger_is_better}
    own = {"Brier", "ECE", "VWLoss"}

    assert lower | own == LOWER_IS_BETTER
    assert own <= SCORES.keys()
