"""A learner of a chosen size, for what depends on size alone: commits and swaps."""

from functools import partial
from typing import Any

from river import linear_model, preprocessing

# A model file, but for its topics; `size` is "0", "16" and so on, as in the names below.
MODEL = """
name: {name}
task: binary
learner: {{python: "benchmarks.ballast:of_{size}_mb"}}
trust: [benchmarks]
metrics: [Accuracy]
drift: [{{on: error, detector: ADWIN}}]
"""
# Pickled, a float under a name of its own takes about this much.
_BYTES_EACH = 22


class Ballast:
    """Logistic regression that carries a table of so many megabytes."""

    def __init__(self, megabytes: float) -> None:
        count = int(megabytes * 1024 * 1024 / _BYTES_EACH)
        self.table = {f"feature-{n}": n / 7 for n in range(count)}
        self.model = preprocessing.StandardScaler() | linear_model.LogisticRegression()

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        self.model.learn_one(x, y)

    def predict_one(self, x: dict[str, Any]) -> Any:
        return self.model.predict_one(x)

    def predict_proba_one(self, x: dict[str, Any]) -> Any:
        return self.model.predict_proba_one(x)


# Next to nothing beside the regression: 2 KB.
of_0_mb = of_2_kb = partial(Ballast, 0.0)
of_300_kb = partial(Ballast, 0.3)
of_1_mb = partial(Ballast, 1.0)
of_4_mb = partial(Ballast, 4.0)
# As a forest of ten trees weighs.
of_16_mb = partial(Ballast, 16.0)
of_64_mb = partial(Ballast, 64.0)
