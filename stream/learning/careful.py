"""A trial: where the learner has raised before, a copy of it learns each batch first.

The copy is a forked process, which is thrown away. The learner itself then learns what the copy
learned, and never sees what raised there: it stays clean, and nothing is restored.
"""

import logging
import time
from dataclasses import dataclass, field

from learner.errors import LearnFailedError
from learner.events.examples import Examples
from learner.trainer import Trainer
from learner.values import Refusal
from stream.between.messages import Tried
from stream.learning.forked_copy import of_a_copy

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Careful:
    """What came of a batch that was tried first.

    Attributes:
        refused: Which of the examples are refused, and why.
        raised: Those among them on which the learner would have raised.
        seconds: What the learner itself took.
    """

    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    raised: list[int] = field(default_factory=list)
    seconds: float = 0.0


def take_carefully(trainer: Trainer, examples: Examples) -> Careful:
    """The same as `trainer.take`, where examples on which it would raise are refused.

    Such an example raises twice: in the trial of its batch, and by itself.

    Raises:
        LearnFailedError: The learner raised although the copy had not.
    """
    done = Careful()
    first, count = 0, len(examples.xs)
    while first < count:
        place = first + _tried(trainer, examples.between(first, count)).place
        _take(trainer, examples, first, place, done)
        if place < count:
            one = examples.between(place, place + 1)
            _let_go(trainer, one)
            again = _tried(trainer, one)
            if again.place:
                _take(trainer, examples, place, place + 1, done)
            else:
                done.refused.append((place, trainer.refuse_raised(one, 0, again.what)))
                done.raised.append(place)
        first = place + 1
    trainer.join.passed(examples)
    return done


def _take(trainer: Trainer, examples: Examples, first: int, following: int, done: Careful) -> None:
    started = time.monotonic()
    found = trainer.take(examples.between(first, following))
    done.refused += [(first + place, refusal) for place, refusal in found]
    done.seconds += time.monotonic() - started


def _let_go(trainer: Trainer, one: Examples) -> None:
    """Events whose horizon has passed are learned with their default label before this example.

    One on which the learner raises is let go without: it costs no other.
    """
    while True:
        tried = of_a_copy(lambda: _all_let_go(trainer, one))
        if tried is None:
            return  # the copy died, which says nothing against any
        for _ in range(tried.place):
            trainer.let_go_next(one, 0)
        if not tried.what:
            return
        log.error("an event that waited is not learned with its default label: %s", tried.what)
        trainer.let_go_next(one, 0, unlearned=True)


def _all_let_go(trainer: Trainer, one: Examples) -> Tried:
    count = 0
    try:
        while trainer.let_go_next(one, 0):
            count += 1
    except LearnFailedError as error:
        return Tried(count, error.what or "it raised")
    return Tried(count, "")


def _tried(trainer: Trainer, examples: Examples) -> Tried:
    """What a copy says of these examples. One that dies says nothing against any."""
    told = of_a_copy(lambda: _outcome(trainer, examples))
    if told is None:
        log.warning("the copy that tried %s-%d from offset %d died: learned untried",
                    examples.topic, examples.partition, examples.offsets[0])  # fmt: skip
        return Tried(len(examples.xs), "")
    return told


def _outcome(trainer: Trainer, examples: Examples) -> Tried:
    try:
        trainer.take(examples)
    except LearnFailedError as error:
        return Tried(error.place, error.what)
    return Tried(len(examples.xs), "")
