"""Whether a model file can be built, told before anything is started."""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from config.errors import ModelFileError
from config.model_file import Draft, ModelFile, read_draft
from learner.build import build_estimator
from learner.drift.monitor import Detectors
from learner.errors import SpecError
from learner.river.own_class import check_trusted
from learner.river.spec import step_problems
from learner.scores.scores import scores_of
from learner.tasks import TASKS


def checked_model_file(path: Path, *, runs_own: bool = True) -> ModelFile:
    """The model file at `path`: its text is right, and all that it names can be built.

    Args:
        runs_own: Whether a user's own `python:` learner is imported and made, which may take long
            and end in any way. Who starts other models beside it leaves that to its own process.

    Raises:
        ModelFileError: with the problems of both kinds, in the order of the lines.
    """
    return checked(read_draft(path), runs_own=runs_own)


def checked(draft: Draft, *, runs_own: bool = True) -> ModelFile:
    """The same of a model file that was read, or made of one that was.

    Raises:
        ModelFileError: As `checked_model_file`.
    """
    found = list(draft.problems)
    if draft.model is not None:
        source = draft.model.source
        problems = spec_problems(draft.model, unread=draft.wrong, runs_own=runs_own)
        found += [source.problem(each.key, each.message) for each in problems]
    if found or draft.model is None:
        raise ModelFileError(sorted(dict.fromkeys(found), key=lambda problem: problem.line))
    return draft.model


def spec_problems(
    model_file: ModelFile, *, unread: Collection[str] = (), runs_own: bool = True
) -> list[SpecError]:
    """What the model file asks for that does not exist or does not fit.

    Of each metric, each detector and each step of the learner the first problem; how the steps fit
    each other, the task and the metrics is told once each of them is right.

    Args:
        unread: Sections that something else stands for, since they are wrong already.
        runs_own: As for `checked_model_file`.

    >>> from config.model_file import parse_model_file
    >>> wrong = "{name: a, task: binary, learner: {river: [linear_model.Logistic]}, metrics: [F2]}"
    >>> [problem.key for problem in spec_problems(parse_model_file(wrong))]
    ['metrics[0]', 'learner.river[0]']
    """
    metrics, drift = model_file.metrics, model_file.drift
    found = [
        *_problems_of("metrics", len(metrics), lambda i: scores_of(model_file, [metrics[i]])),
        *_problems_of("drift", len(drift), lambda i: Detectors([drift[i]], model_file.task)),
    ]
    if "learner" in unread:
        return found
    steps = list(step_problems(model_file.learner.river or []))
    if steps:
        return found + steps
    wrong = {problem.key for problem in found}
    if model_file.learner.python is not None and not runs_own:
        return found + list(_trust_problems(model_file.learner.python, model_file.trust))
    return found + list(_learner_problems(model_file, wrong))


def _trust_problems(path: str, trust: tuple[str, ...]) -> Iterator[SpecError]:
    try:
        check_trusted(path, trust)
    except SpecError as problem:
        yield problem


def _problems_of(section: str, count: int, build: Callable[[int], object]) -> Iterator[SpecError]:
    """The problem of each item of a list, which is built as the only one of its list."""
    for position in range(count):
        try:
            build(position)
        except SpecError as problem:
            below = problem.key.removeprefix(f"{section}[0]")
            yield SpecError(f"{section}[{position}]{below}", problem.message)


def _learner_problems(model_file: ModelFile, wrong: Collection[str]) -> Iterator[SpecError]:
    """The estimator as a whole; scores that read probabilities need one that has them."""
    try:
        estimator = build_estimator(model_file)
    except SpecError as problem:
        yield problem
        return
    if not TASKS[model_file.task].has_classes or estimator.has_probabilities:
        return
    for position, name in enumerate(model_file.metrics):
        key = f"metrics[{position}]"
        if key in wrong:
            continue
        if scores_of(model_file, [name]).wants_probabilities:
            yield SpecError(key, f"{name} reads probabilities, and this learner has none")
