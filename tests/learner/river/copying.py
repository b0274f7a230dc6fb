"""Copies of a model as Weir makes them, learning on beside the model that they are copies of.

`python -m tests.learner.river.copying 5000` (`make copies`) does it for every component over that
many events, and with several times as many copies as the tests make.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

from checkpoints.unpickle import loads
from config.model_file import ModelFile
from learner.build import build_estimator, restore_estimator
from learner.deep_pickle import dumps
from learner.errors import SpecError
from learner.estimator import Estimator
from learner.river.components import component_names
from learner.river.inline_attributes import inline_attributes
from tests.learner.river.every_component import LABELS, Case, cases_of
from tests.learner.streams import Pair, model_file

WORDS = (
    *("sugar", "flour", "kayak", "tulip", "mosque", "harbor", "ticket", "ferry"),
    *("bazaar", "carpet", "lemon", "honey", "olive", "quilt"),
)
# Names of features: those of `_ALWAYS` are in each event, others come and go.
_ALWAYS = ("a", "b", "c", "d", "f0", "f1", "f2", "gap", "zeta")
_OFTEN = ("f3", "f4", "f5", "temp", "wind speed", "hum", "atemp", "çağ", "x" * 9)
_COPIES_MAX = 3
# What they cost grows with the values that each feature has had: these get few, all else is as is.
_OF_FEW_VALUES = frozenset({"preprocessing.OneHotEncoder", "stats.ChiSquared"})


@cache
def events(task: str, count: int, *, coarse: bool = False) -> list[Pair]:
    """A stream whose features and labels come and go, with a drift in its middle.

    Args:
        coarse: Numbers are rounded and texts have one word, so that few differ.
    """
    source = random.Random(11)
    made = [_event(source, task, at / count) for at in range(count)]
    if not coarse:
        return made
    return [({name: _coarse(it) for name, it in x.items()}, _coarse(y)) for x, y in made]


def _coarse(value: Any) -> Any:
    if isinstance(value, float):
        return float(round(value))
    return value.split()[0] if isinstance(value, str) else value


def _event(source: random.Random, task: str, progress: float) -> Pair:
    """One event at this place of the stream, 0 to 1."""
    x: dict[str, Any] = {name: source.gauss(at % 4, 1 + at % 4) for at, name in enumerate(_ALWAYS)}
    x |= {name: source.uniform(0, 5) for name in _OFTEN if source.random() < 0.7}
    if source.random() < 0.1:
        x[f"rare_{source.randrange(12)}"] = source.random()
    x["cat"] = source.choice(WORDS[:7])
    x["text"] = " ".join(source.choices(WORDS, k=source.randint(2, 9)))
    names = list(x)
    if source.random() < 0.5:
        source.shuffle(names)
    total = x["a"] / 2 - x["d"] / 5 + x["gap"] + source.gauss(0, 0.3) + 2 * (progress > 0.5)
    return {name: x[name] for name in names}, _label(task, total, progress)


def _label(task: str, total: float, progress: float) -> Any:
    if task == "regression":
        return round(total, 3)
    if task == "binary":
        return total > 1.5
    known = min(2 + int(progress * 14), len(LABELS))
    return LABELS[int(abs(total) * 1.7) % known]


def copied(estimator: Estimator, file: ModelFile) -> Estimator:
    """The estimator through the pickle of a version and back, as a learner's next life has it."""
    with inline_attributes():
        payload = loads(dumps({"estimator": estimator.dump()}))
    return restore_estimator(file, payload["estimator"])


def is_for_its_task(case: Case) -> bool:
    """Whether its model is: many tell two classes apart only."""
    try:
        build_estimator(model_file(case.task, {"river": case.river}))
    except SpecError as error:
        if "tells two classes apart only" in error.message:
            return False
        raise
    return True


def divergence(
    case: Case, count: int, cuts: tuple[float, ...], *, coarse: bool = False
) -> str | None:
    """Where the first copy answers otherwise than the model it is a copy of; None: nowhere.

    Args:
        case: The pipeline.
        count: Events.
        cuts: When copies are made, as shares of the stream: one of the model, one of the last copy.
        coarse: Whether features have few values.
    """
    file = model_file(case.task, {"river": case.river})
    model, copies = build_estimator(file), list[Estimator]()
    at_cuts = {int(cut * count) for cut in cuts}
    for place, (x, y) in enumerate(events(case.task, count, coarse=coarse)):
        if place in at_cuts:
            first = copied(model, file)
            again = copied(copies[-1] if copies else first, file)
            copies = [*copies, first, again][-_COPIES_MAX:]
        answer, *others = (taken(each, x, y) for each in (model, *copies))
        for other in others:
            if other != answer:
                return f"event {place} of {count}: {answer[:200]}, and its copy {other[:200]}"
    return None


def taken(estimator: Estimator, x: dict[str, Any], y: Any) -> str:
    """What came of an event: the answer to it, and what was raised by either."""
    try:
        answer = repr(estimator.predict(x))
        estimator.learn(x, y, None)
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"
    return answer


def divergences(count: int, cuts: tuple[float, ...], only: str) -> Iterator[str]:
    """Each component's first difference."""
    for name in component_names():
        for case in filter(is_for_its_task, cases_of(name) if only in name else []):
            started = time.monotonic()
            found = divergence(case, count, cuts, coarse=name in _OF_FEW_VALUES)
            seconds = time.monotonic() - started
            print(f"{name}: {case.task}, {seconds:.1f} s", file=sys.stderr, flush=True)
            if found is not None:
                yield f"{name} ({case.task}): {found}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=5000)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    differences = 0
    for line in divergences(given.count, (0.0, 0.01, 0.1, 0.3, 0.6, 0.9), given.only):
        differences += 1
        print(line, flush=True)
    print(f"{differences} differences")
    sys.exit(differences > 0)
