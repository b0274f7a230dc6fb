"""Whether a model file can be built, told before anything is started."""

from collections.abc import Callable

from config.model_file import ModelFile
from learner.build import build_estimator
from learner.drift import Detectors
from learner.errors import SpecError
from learner.scores import Scores


def spec_problems(model_file: ModelFile) -> list[SpecError]:
    """What the model file asks for that does not exist or does not fit; all of it.

    >>> from config.model_file import parse_model_file
    >>> wrong = "{name: a, task: binary, learner: {river: [linear_model.Logistic]}, metrics: [F2]}"
    >>> [problem.key for problem in spec_problems(parse_model_file(wrong))]
    ['metrics[0]', 'learner.river[0]']
    """
    parts: tuple[Callable[[], object], ...] = (
        lambda: Scores(model_file.metrics, model_file.task, model_file.scores),
        lambda: Detectors(model_file.drift, model_file.task),
        lambda: _estimator_with_chances(model_file),
    )
    return [problem for part in parts if (problem := _problem(part)) is not None]


def _problem(build: Callable[[], object]) -> SpecError | None:
    try:
        build()
    except SpecError as problem:
        return problem
    return None


def _estimator_with_chances(model_file: ModelFile) -> None:
    """Build the estimator; scores that read probabilities need one that has them."""
    estimator = build_estimator(model_file)
    if model_file.task == "regression" or estimator.has_probabilities:
        return
    for position, name in enumerate(model_file.metrics):
        if Scores([name], model_file.task, model_file.scores).wants_probabilities:
            what = f"{name} reads probabilities, and this learner has none"
            raise SpecError(f"metrics[{position}]", what)
