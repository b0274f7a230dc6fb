"""Columns of a file that the model file does not speak of, and that are learned all the same. Pure.

What is not in `features:` is typed by its values and reaches the learner like the rest. Where that
was not meant (a column was left out when the model was made, and the file brings it again), a score
gets better for the wrong reason, without a word. A model file that lists only a few, for their
bounds, means it; so they are told of where it lists more of the columns than it does not.
"""

from collections.abc import Iterable, Sequence

from config.model.parts import Learner
from config.model_file import ModelFile

_TOLD_MAX = 8
_DISCARD, _SELECT = "compose.Discard", "compose.Select"


def unlisted(model_file: ModelFile, names: Iterable[str]) -> list[str]:
    """The features of a file that `features:` does not list and the learner does not leave out;
    none where it lists fewer than it does not, selects by itself, or refuses them (`strict: true`).
    """
    if not model_file.features or model_file.strict or _SELECT in str(model_file.learner.river):
        return []
    left_out = discarded(model_file.learner)
    learned = [name for name in names if name not in left_out]
    others = [name for name in learned if name not in model_file.features]
    return others if 2 * len(others) < len(learned) else []


def told_unlisted(source: str, names: Sequence[str]) -> str:
    """What there is to be said of them, where there are any.

    >>> told_unlisted("b.csv", ["registered"])[:72]
    'b.csv: 1 column that `features:` does not list is learned all the same: '
    """
    plural = len(names) != 1
    more = f" and {len(names) - _TOLD_MAX:,} more" * (len(names) > _TOLD_MAX)
    return (
        f"{source}: {len(names):,} column{'s' * plural} that `features:` does not list "
        f"{'are' if plural else 'is'} learned all the same: {', '.join(names[:_TOLD_MAX])}{more}; "
        "list them, or leave them out by --columns, or in the model file by compose.Discard"
    )


def discarded(learner: Learner) -> frozenset[str]:
    """What a River pipeline leaves out before anything else sees it.

    >>> sorted(discarded(Learner(river=[{"compose.Discard": ["a", "b"]}, "forest.ARFClassifier"])))
    ['a', 'b']
    """
    steps = [step for step in learner.river or () if isinstance(step, dict)]
    found = [names for step in steps if isinstance(names := step.get(_DISCARD), list)]
    return frozenset(name for names in found for name in names if isinstance(name, str))
