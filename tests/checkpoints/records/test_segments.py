"""The kinds of segment: what a trainer writes, and whose each is at a rollback."""

from checkpoints.records.segments import KINDS
from config.model_file import parse_model_file
from learner.trainer import Trainer
from learner.values import Event
from tests.learner.taking import Taking


def test_each_kind_that_a_trainer_or_a_rewind_writes_says_whose_it_is():
    learner = "learner: {river: [dummy.NoChangeClassifier]}"
    text = f"{{name: m, task: binary, {learner}, slices: [a], importance: {{every: 1}}}}"
    trainer = Trainer(parse_model_file(text))
    taking = Taking(trainer.model_file)
    for offset, label in enumerate([True, True, None]):
        taking.one(trainer, Event(features={"a": 1}, label=label), offset=offset)
    answer = Event(id="x", served=(True, None))
    taking.one(trainer, answer, topic=trainer.model_file.topics.predictions)
    written = trainer.snapshot(version="v1").segments
    assert {name.partition(".")[0] for name in written} | {"replay"} == KINDS.keys()
