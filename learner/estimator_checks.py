"""Behaviour checks that every estimator must pass, whatever library it comes from.

In the manner of River's own checks. A new estimator is one more `Subject` in the tests; these then
test it unasked.

Source: github.com/online-ml/river, `river/checks/`.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from learner.deep_pickle import dumps
from learner.estimator import Estimator, Predicted

Pair: TypeAlias = tuple[Any, Any]
Check: TypeAlias = Callable[["Subject"], None]

# Learning the same examples again and again may not grow a model without end.
_ROUNDS = 8
_GROWTH_MAX = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An estimator to be checked.

    Attributes:
        make: A new one, untrained, the same each time.
        revive: The one that goes on from another's dump, as a snapshot is restored.
        examples: Features with their native label, some hundred, all with the same features.
    """

    make: Callable[[], Estimator]
    revive: Callable[[Estimator], Estimator]
    examples: Sequence[Pair]


def yield_checks() -> Iterator[Check]:
    """Every check: a function of a subject that raises AssertionError where it does not hold."""
    yield check_answers_before_it_has_learned
    yield check_leaves_the_features_as_they_were
    yield check_keeps_no_hold_of_the_features
    yield check_predicting_changes_nothing
    yield check_is_not_changed_through_its_answer
    yield check_takes_features_that_come_and_go
    yield check_is_the_same_each_time
    yield check_resumed_equals_uninterrupted
    yield check_is_independent_of_its_copies
    yield check_answers_are_finite
    yield check_memory_is_bounded


def check_answers_before_it_has_learned(subject: Subject) -> None:
    """A new model answers, if only that it has no prediction yet."""
    label, probabilities = subject.make().predict(_copy(subject.examples[0][0]))
    assert label is None or isinstance(label, bool | int | float | str), label
    assert probabilities is None or isinstance(probabilities, dict), probabilities


def check_leaves_the_features_as_they_were(subject: Subject) -> None:
    """Neither predicting nor learning writes into the caller's features."""
    estimator = subject.make()
    for x, y in subject.examples:
        before = _copy(x)
        estimator.predict(x)
        estimator.learn(x, y, None)
        assert _same(x, before), f"{before} became {x}"


def check_keeps_no_hold_of_the_features(subject: Subject) -> None:
    """What the caller does to its features afterwards does not reach the model."""
    one, other = subject.make(), subject.make()
    for x, y in subject.examples:
        lent = _copy(x)
        assert _same(_step(one, lent, y), _step(other, x, y))
        if isinstance(lent, dict):
            lent.clear()


def check_predicting_changes_nothing(subject: Subject) -> None:
    """However often it is asked, and about whatever: every later answer is the same."""
    quiet, asked = subject.make(), subject.make()
    for i, (x, y) in enumerate(subject.examples):
        asked.predict(x)
        asked.predict(subject.examples[-i][0])
        if isinstance(x, dict):
            asked.predict({**x, f"never seen {i}": 1.0})
        assert _same(_step(asked, x, y), _step(quiet, x, y)), f"differs at example {i}"


def check_is_not_changed_through_its_answer(subject: Subject) -> None:
    """The probabilities it gives away are the caller's own."""
    estimator = _trained(subject)
    x = subject.examples[0][0]
    first = copy.deepcopy(estimator.predict(x))
    given = estimator.predict(x)[1]
    if given:
        given.clear()
    assert _same(estimator.predict(x), first)


def check_takes_features_that_come_and_go(subject: Subject) -> None:
    """Features may be missing, be new, or come in another order."""
    estimator = subject.make()
    for i, (x, y) in enumerate(subject.examples):
        changed = x
        if isinstance(x, dict):
            kept = [pair for j, pair in enumerate(x.items()) if (i + j) % 3]
            changed = dict(reversed([*kept, (f"new {i % 7}", 0.5)]))
        assert _is_finite(_step(estimator, changed, y)), f"at example {i}: {changed}"


def check_is_the_same_each_time(subject: Subject) -> None:
    """No unseeded random number, no clock: learning the same again gives the same answers."""
    one, other = subject.make(), subject.make()
    for i, (x, y) in enumerate(subject.examples):
        assert _same(_step(one, x, y), _step(other, x, y)), f"differs at example {i}"


def check_resumed_equals_uninterrupted(subject: Subject) -> None:
    """Through a dump, a pickle and back it goes on as if nothing had been; so does the original."""
    count = len(subject.examples)
    for cut in (0, 1, count // 3, count - 1):
        original, witness = subject.make(), subject.make()
        for x, y in subject.examples[:cut]:
            _step(original, x, y)
            _step(witness, x, y)
        revived = subject.revive(original)
        for x, y in subject.examples[cut:]:
            expected = _step(witness, x, y)
            assert _same(_step(revived, x, y), expected), f"revived at {cut} differs"
            assert _same(_step(original, x, y), expected), f"dumped at {cut} differs"


def check_is_independent_of_its_copies(subject: Subject) -> None:
    """What a copy learns, the original does not know."""
    original = _trained(subject)
    x, y = subject.examples[0]
    before = copy.deepcopy(original.predict(x))
    revived = subject.revive(original)
    for _ in range(20):
        revived.learn(x, y, None)
    assert _same(original.predict(x), before)


def check_answers_are_finite(subject: Subject) -> None:
    """Labels and probabilities are finite, and probabilities sum to one."""
    estimator = subject.make()
    for x, y in subject.examples:
        predicted = _step(estimator, x, y)
        assert _is_finite(predicted), predicted
        if predicted[1]:
            assert math.isclose(sum(predicted[1].values()), 1.0, abs_tol=1e-4), predicted


def check_memory_is_bounded(subject: Subject) -> None:
    """Learning the same examples over and over does not make the snapshot ever larger."""
    estimator = _trained(subject)
    sizes = []
    for _ in range(_ROUNDS):
        _train(estimator, subject)
        sizes.append(len(dumps(estimator.dump())))
    assert sizes[-1] < _GROWTH_MAX * sizes[len(sizes) // 2], sizes


def _step(estimator: Estimator, x: Any, y: Any) -> Predicted:
    """One progressive step: the prediction made before learning."""
    if estimator.predicts_as_it_learns:
        predicted = estimator.learn(x, y, None)
        assert predicted is not None, "it says it predicts as it learns, and did not"
        return predicted
    before = copy.deepcopy(estimator.predict(x))
    assert estimator.learn(x, y, None) is None, "it says it does not predict as it learns"
    return before


def _trained(subject: Subject) -> Estimator:
    estimator = subject.make()
    _train(estimator, subject)
    return estimator


def _train(estimator: Estimator, subject: Subject) -> None:
    for x, y in subject.examples:
        estimator.learn(x, y, None)


def _copy(x: Any) -> Any:
    return copy.deepcopy(x)


def _same(one: Any, other: Any) -> bool:
    """Equal to the last bit, in the same order, and of the same types; NaN is NaN."""
    return repr(one) == repr(other)


def _is_finite(predicted: Predicted) -> bool:
    label, probabilities = predicted
    numbers = [*(probabilities or {}).values()]
    if isinstance(label, int | float):
        numbers.append(label)
    return all(math.isfinite(number) for number in numbers)
