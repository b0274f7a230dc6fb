"""From a model file to an estimator, new or going on from a snapshot."""

from pathlib import Path
from typing import Any

from river import base

from config.model_file import ModelFile, TaskName
from learner.errors import RestoreError, SpecError
from learner.estimator import Estimator
from learner.events.screen import Screen
from learner.plain import name_of
from learner.river.builtins import give_river_its_builtins
from learner.river.estimator import RiverEstimator, final_step
from learner.river.own_class import build_python, is_trusted
from learner.river.spec import build_pipeline
from learner.tasks import TASKS
from learner.trial.own_sets import notes_on_sets
from learner.vw.arguments import parse_arguments
from learner.vw.estimator import VWEstimator


def build_estimator(
    model_file: ModelFile, scratch: Path | None = None, *, wants_probabilities: bool = True
) -> Estimator:
    """The untrained estimator that a model file describes.

    Args:
        model_file: What to build, and for which task.
        scratch: A private folder in memory, for learners that save only to a path.
        wants_probabilities: Whether predictions come with probabilities, where there are any.
            Leaving them out saves time, and changes no label.

    Raises:
        SpecError: It names what does not exist, or what does not suit the task.
    """
    learner = model_file.learner
    if learner.vw is not None:
        return _vw(model_file, scratch, None, wants_probabilities=wants_probabilities)
    if learner.python is not None:
        model: Any = build_python(learner.python, model_file.trust)
        notes = notes_on_sets(model, model_file.trust)
    else:
        assert learner.river is not None, "the model file has exactly one learner"
        model, notes = build_pipeline(learner.river)
        check_task(model, model_file.task)
    return RiverEstimator(
        model, task=model_file.task, wants_probabilities=wants_probabilities, notes=notes
    )


def restore_estimator(
    model_file: ModelFile,
    dumped: Any,
    scratch: Path | None = None,
    *,
    wants_probabilities: bool = True,
) -> Estimator:
    """The estimator that goes on where `dumped` was cut, exactly as if it had never been.

    Args:
        model_file: The same learner, task and labels that it was built from.
        dumped: What `Estimator.dump` gave, through a pickle and back.
        scratch: As for `build_estimator`.
        wants_probabilities: As for `build_estimator`.

    Raises:
        RestoreError: It is no dump of this learner.
    """
    learner = model_file.learner
    if learner.vw is not None:
        if not isinstance(dumped, dict) or dumped.keys() != {"arguments", "model", "version"}:
            raise RestoreError("this snapshot holds no model of Vowpal Wabbit")
        return _vw(model_file, scratch, dumped, wants_probabilities=wants_probabilities)
    give_river_its_builtins()
    if learner.python is not None:
        is_river = isinstance(dumped, base.Base)  # a factory may well return one
        if not is_river and not is_trusted(type(dumped).__module__, model_file.trust):
            raise RestoreError(f"{type(dumped).__module__} is not listed under trust:")
    else:
        _check_restored(dumped, model_file.task)
    return RiverEstimator(dumped, task=model_file.task, wants_probabilities=wants_probabilities)


def build_screen(model_file: ModelFile) -> Screen:
    """The screen that suits the learner of a model file.

    Raises:
        SpecError: As `build_estimator`.
    """
    return Screen(model_file, build_estimator(model_file, wants_probabilities=False))


def name_and_key(model_file: ModelFile, estimator: Estimator) -> tuple[str, str]:
    """The learner as its user knows it, and the section of the model file that asks for it."""
    learner = model_file.learner
    if learner.python is not None:
        return learner.python, "learner.python"
    if learner.vw is not None:
        return "Vowpal Wabbit", "learner.vw"
    return name_of(final_step(estimator.dump())), "learner.river"


def check_task(model: Any, task: TaskName) -> None:
    """Refuse a River model that cannot learn the task, which River itself would not do.

    Raises:
        SpecError: It is of another kind.
    """
    last: Any = final_step(model)
    wanted = TASKS[task].river
    name = type(last).__name__
    if not isinstance(last, wanted) or isinstance(last, base.MultiTargetRegressor):
        what = f"needs a {wanted.__name__.lower()} as the last step, not {name}"
        raise SpecError("task", f"{task} {what}")
    if TASKS[task].has_many and not last._multiclass:
        wrapped = "wrap it in multiclass.OneVsRestClassifier"
        raise SpecError("task", f"{name} tells two classes apart only; {wrapped}")


def _vw(
    model_file: ModelFile, scratch: Path | None, dumped: Any, *, wants_probabilities: bool
) -> VWEstimator:
    return VWEstimator(
        parse_arguments(str(model_file.learner.vw)),
        task=model_file.task,
        labels=model_file.labels,
        wants_probabilities=wants_probabilities,
        wants_loss="VWLoss" in model_file.metrics,
        scratch=scratch,
        dumped=dumped,
    )


def _check_restored(dumped: Any, task: TaskName) -> None:
    if not isinstance(dumped, base.Base):
        raise RestoreError(f"this snapshot holds a {type(dumped).__name__}, not a River model")
    try:
        check_task(dumped, task)
    except SpecError as error:
        raise RestoreError(error.message) from error
