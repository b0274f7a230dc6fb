"""Which of River's components draw random numbers when they are only asked.

Their numbers for a feature are drawn when it is first seen, be it in a question. A question that
fails half-way has then moved the generator, and the next draw is another one than it would have
been.
"""

from collections.abc import Iterable
from typing import Any

from river import base

from learner.river.components import is_one_of

_DRAWING = frozenset(
    {
        "cluster.KMeans",
        "facto.FFMClassifier",
        "facto.FFMRegressor",
        "facto.FMClassifier",
        "facto.FMRegressor",
        "facto.FwFMClassifier",
        "facto.FwFMRegressor",
        "facto.HOFMClassifier",
        "facto.HOFMRegressor",
        "feature_extraction.RBFSampler",
        "feature_extraction.RandomTreesEmbedding",
        "feature_selection.PoissonInclusion",
        "preprocessing.GaussianRandomProjector",
        "preprocessing.LDA",
        "preprocessing.SparseRandomProjector",
    }
)
# No pipeline and no ensemble has so many components; more entries are what was learned.
_PARTS_MAX = 1_000


def draws_when_asked(model: Any) -> bool:
    """Whether a component of this model, however deep, draws when it is asked.

    >>> from river import facto, linear_model, preprocessing
    >>> draws_when_asked(preprocessing.StandardScaler() | linear_model.LinearRegression())
    False
    >>> draws_when_asked(preprocessing.StandardScaler() | facto.FMRegressor())
    True
    """
    seen: set[int] = set()
    todo = [model]
    while todo:
        part = todo.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if is_one_of(_DRAWING, part):
            return True
        todo += _parts(part, is_whole=part is model)
    return False


def _parts(part: Any, *, is_whole: bool) -> Iterable[Any]:
    """What may hold a component: what was learned is no part, and may be large."""
    if isinstance(part, dict | list | tuple):
        if len(part) > _PARTS_MAX:
            return ()
        return part.values() if isinstance(part, dict) else part
    if is_whole or isinstance(part, base.Estimator):
        return getattr(part, "__dict__", {}).values()
    return ()
