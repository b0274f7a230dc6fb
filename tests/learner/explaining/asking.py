"""Trained models that explain their answers."""

from checkpoints.unpickle import loads
from learner.explaining.background import rows_of
from learner.explaining.explain import HowToExplain
from learner.served_model import ServedModel
from learner.trainer import Trainer
from learner.values import Event
from tests.learner.streams import model_file
from tests.learner.taking import Taking


class Served:
    """A model that has learned some pairs, loaded as one that serves is.

    Attributes:
        background: The rows that its version keeps.
    """

    def __init__(self, task, learner, pairs, scratch, **sections):
        self.file = model_file(task, learner, **sections)
        trainer = Trainer(self.file, scratch)
        events = [Event(features=x, label=y) for x, y in pairs]
        assert set(Taking(self.file).all(trainer, events)) <= {None}
        segments = trainer.snapshot(version="v1").segments
        self.model = ServedModel(self.file, loads(segments["model"], ()), scratch)
        self.background, self.learned = rows_of(segments["background"])

    def explained(self, x, **asked):
        """The whole explanation of the answer to these features."""
        explanation = self.model.explain(x, HowToExplain(**asked))
        if not explanation.is_whole:
            for _ in explanation.steps(self.background, self.learned):
                pass
        return explanation.told()
