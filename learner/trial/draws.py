"""Which of River's components draw random numbers when they are only asked.

Their numbers for a feature are drawn when it is first seen, be it in a question. A question that
fails half-way has then moved the generator, and the next draw is another one than it would have
been.
"""

from typing import Any

from learner.river.components import is_one_of
from learner.river.imputing import parts_of

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


def draws_when_asked(model: Any) -> bool:
    """Whether a component of this model, however deep, draws when it is asked.

    >>> from river import facto, linear_model, preprocessing
    >>> draws_when_asked(preprocessing.StandardScaler() | linear_model.LinearRegression())
    False
    >>> draws_when_asked(preprocessing.StandardScaler() | facto.FMRegressor())
    True
    """
    return any(is_one_of(_DRAWING, part) for part in parts_of(model))
