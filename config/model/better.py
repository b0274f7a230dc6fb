"""Which way a score is better: known without River, which takes two seconds to load."""

# Of the scores that a model file may list, those of which less is better.
LOWER_IS_BETTER = frozenset(
    {"Brier", "CrossEntropy", "ECE", "LogLoss", "MAE", "MAPE", "MSE", "RMSE", "RMSLE", "SMAPE"}
    | {"VWLoss"}
)


def is_bigger_better(score: str) -> bool:
    """Whether a greater value of this score is a better one.

    >>> [is_bigger_better(name) for name in ("Accuracy", "RMSE", "ECE")]
    [True, False, False]
    """
    return score not in LOWER_IS_BETTER


def is_better(score: str, one: float, other: float) -> bool:
    """Whether `one` is the better value of this score.

    >>> is_better("Accuracy", 0.9, 0.8), is_better("MAE", 0.9, 0.8)
    (True, False)
    """
    return one < other if score in LOWER_IS_BETTER else one > other
