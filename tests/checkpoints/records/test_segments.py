"""The kinds of segment: what a trainer writes, and whose each is at a rollback."""

from checkpoints.records.segments import KINDS
from config.model_file import parse_model_file
from learner.trainer import Trainer


def test_each_kind_that_a_trainer_writes_says_whose_it_is():
    text = "{name: m, task: binary, learner: {river: [dummy.NoChangeClassifier]}}"
    written = Trainer(parse_model_file(text)).snapshot(version="v1").segments
    assert written.keys() == KINDS.keys()
