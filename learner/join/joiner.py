"""What is done with an event without a label, and with a label on its own: the join, step by step.

The rules are `join.py`'s; here they meet the gate, and the learner, which is handed in.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from config.model_file import ModelFile
from learner.estimator import Predicted
from learner.events.examples import Examples
from learner.events.gate import Gate
from learner.events.recent_ids import EXPIRED
from learner.join.join import Join, Move
from learner.join.rows import Waiting
from learner.values import Reason, Refusal

Ask: TypeAlias = Callable[[Examples, int], Predicted | Refusal]
Learn: TypeAlias = Callable[[Examples, int, Waiting, Any], None]


class Joiner:
    """Takes single examples that are not learned as they come.

    Args:
        model_file: The label at the horizon.
        ask: What the learner predicts of an example, or why it is refused.
        learn: Scores and learns an event that waited, with its label, the learner's own.
        refused_by: Where labels are counted that are refused later than at their own place.
    """

    def __init__(
        self,
        model_file: ModelFile,
        join: Join,
        gate: Gate,
        *,
        ask: Ask,
        learn: Learn,
        refused_by: Counter[str],
    ) -> None:
        late = model_file.late_labels
        self._default = None if late is None else late.default
        self._join, self._gate, self._ask, self._learn = join, gate, ask, learn
        self._refused_by = refused_by

    def take(self, examples: Examples, place: int, move: Move) -> Refusal | None:
        """Do this with the example there; why it is refused, if it is.

        Raises:
            Exception: What `ask` and `learn` raise.
        """
        if move is Move.WAIT:
            return self._wait(examples, place)
        if move is Move.ANSWER:
            return self._answer(examples, place)
        self._let_go(examples, place)
        return None

    def raised(self, examples: Examples, place: int) -> None:
        """The learner raises on this example, which is refused: the event that would be learned at
        its place is let go, or every later label of it would raise.
        """
        self._join.clock_ms = max(self._join.clock_ms, examples.clock_at(place))
        event_id = examples.id_at(place)
        if self._join.early.pop(event_id, None) is not None:
            self._refused_by[Reason.label_unknown] += 1
        own = self._join.pending.pop(event_id)
        if own is not None:
            self._join.let_go(own, self._gate.ids)

    def _wait(self, examples: Examples, place: int) -> Refusal | None:
        """An event without a label is predicted here, and waits."""
        event_id = examples.id_at(place)
        if event_id in self._join.pending:
            return Refusal(Reason.duplicate, f"id {event_id!r} waits for its label", "gate")
        refusal = self._gate.admit_waiting(examples, place)
        if refusal is not None:
            return refusal
        predicted = self._ask(examples, place)
        if isinstance(predicted, Refusal):
            return predicted
        weight = None if examples.weights is None else examples.weights[place]
        served = None if examples.served is None else examples.served[place]
        at_ms, x = examples.timestamps[place], examples.xs[place]
        waiting = Waiting(event_id, at_ms, x, weight, *predicted, served)
        self._join.wait(waiting, self._gate.ids)
        if event_id in self._join.early:
            self._answer_early(examples, place, waiting)
        return None

    def _answer_early(self, examples: Examples, place: int, waiting: Waiting) -> None:
        """The label of this event was read before it."""
        label, at_ms = self._join.early.pop(waiting.id)
        y = self._gate.admit_late(examples, place, waiting.x, label)
        if type(y) is Refusal:
            self._refused_by[y.reason] += 1
            return
        self._join.answered(waiting.id, at_ms)
        self._learn(examples, place, waiting, y)

    def _answer(self, examples: Examples, place: int) -> Refusal | None:
        """A label is joined with its event, which is scored and learned."""
        event_id, label = examples.id_at(place), examples.labels[place]
        waiting = self._join.pending.get(event_id)
        if waiting is None:
            return self._answer_of_none(examples, place)
        y = self._gate.admit_late(examples, place, waiting.x, label)
        if type(y) is Refusal:
            return y
        self._join.answered(event_id, examples.timestamps[place])
        self._learn(examples, place, waiting, y)
        return None

    def _answer_of_none(self, examples: Examples, place: int) -> Refusal | None:
        """A label of no event that waits is refused, or waits for its event."""
        event_id, label, ids = examples.id_at(place), examples.labels[place], self._gate.ids
        if event_id not in ids and not self._join.takes_answers:
            return self._join.refusal(event_id, label, ids)
        y = self._gate.would_be(label)
        if type(y) is Refusal:
            return y
        if event_id in ids:
            return self._join.refusal(event_id, y, ids)
        refusal = self._join.wait_for_event(
            event_id, label, examples.timestamps[place], self._gate.would_be
        )
        self._give_up_labels()
        return refusal

    def _let_go(self, examples: Examples, place: int) -> None:
        """The events whose horizon has passed before this place, the oldest first."""
        self._give_up_labels()
        while self.let_go_next(examples, place):
            continue

    def let_go_next(self, examples: Examples, place: int, *, unlearned: bool = False) -> bool:
        """Let the oldest event go whose horizon has passed before this place; whether there is one.

        Args:
            unlearned: Not even learned with the default label.
        """
        self._join.clock_ms = max(self._join.clock_ms, examples.clock_at(place))
        waiting = self._join.overdue()
        if waiting is None:
            return False
        y = None
        if self._default is not None and not unlearned:
            y = self._gate.admit_late(examples, place, waiting.x, self._default)
        if y is None or type(y) is Refusal:
            self._join.let_go(waiting, self._gate.ids)
        else:
            self._learn(examples, place, waiting, y)
            self._gate.ids.add(waiting.id, EXPIRED)  # its own label, if it comes, comes late
        return True

    def _give_up_labels(self) -> None:
        count = self._join.given_up()
        if count:
            self._refused_by[Reason.label_unknown] += count
