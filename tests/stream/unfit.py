"""Learners of which no version can be made, or none that could be served, each in its own way."""

import re
import sys
import threading
from fractions import Fraction
from typing import Any

import numpy as np
from river import cluster, compose, linear_model, preprocessing, reco, time_series

from tests.stream.recorder import Recorder


class Half:
    """Answers a half."""

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        """Nothing."""

    def predict_one(self, x: dict[str, Any]) -> Any:
        return 0.5


def with_lambda() -> Any:
    """A pipeline, one step of which calls a lambda."""
    doubled = compose.FuncTransformer(lambda x: {"a": 2 * x["a"]})
    return preprocessing.StandardScaler() | doubled | linear_model.LinearRegression()


def with_local_class() -> Any:
    """Its class can be found by no name."""

    class Local(Half):
        pass

    return Local()


class Locked(Half):
    """Guards itself, as code that was written for threads does."""

    def __init__(self) -> None:
        self.parts = {"guard": [threading.Lock()]}


class Reading(Half):
    """Holds what it reads from."""

    def __init__(self) -> None:
        self.source = sys.stdin
        self.lines = (line for line in ())


class Foreign(Half):
    """Made of a class whose module the model file does not trust."""

    def __init__(self) -> None:
        self.outside = [Recorder()]


class ForeignLater(Half):
    """The same, once it has learned."""

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        self.outside = [Recorder()]


class LockedLater(Half):
    """Guards itself once it has learned."""

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        self.guard = threading.Lock()


class FractionLater(Half):
    """Holds what no version may, from the third event on."""

    learned = 0

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        self.learned += 1
        if self.learned > 2:
            self.share = Fraction(1, 3)


class PatternLater(Half):
    """The same, in a list, and of a kind that is made by a function."""

    learned = 0

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        self.learned += 1
        if self.learned > 2:
            self.words = [re.compile("a+")]


class Counting(Half):
    """Counts how often it is asked, and says so."""

    asked = 0

    def predict_one(self, x: dict[str, Any]) -> Any:
        self.asked += 1
        return float(self.asked)


class Tiring(Half):
    """Answers otherwise from the fiftieth question on."""

    asked = 0

    def predict_one(self, x: dict[str, Any]) -> Any:
        self.asked += 1
        return float(self.asked // 50)


class Patient(Half):
    """Forgets something after many questions."""

    asked = 0

    def predict_one(self, x: dict[str, Any]) -> Any:
        self.asked += 1
        return None if self.asked > 90 else 1.5


class Summing(Half):
    """Sums what it is asked about, and cannot be asked without."""

    total = 0.0

    def predict_one(self, x: dict[str, Any]) -> Any:
        self.total += x["age"] * x.get("income", 1.0)
        return self.total


class Drawing(Half):
    """Adds noise."""

    def __init__(self) -> None:
        self.noise = np.random.default_rng(1)

    def predict_one(self, x: dict[str, Any]) -> Any:
        return self.noise.normal()


class CountingLater(Half):
    """Counts its answers from the first event on."""

    asked = learned = 0

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        self.learned += 1

    def predict_one(self, x: dict[str, Any]) -> Any:
        self.asked += 1
        return float(self.asked if self.learned else 0)


class Alternating(Half):
    """Answers the same several times, and then otherwise."""

    asked = learned = 0

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        self.learned += 1

    def predict_one(self, x: dict[str, Any]) -> Any:
        self.asked += 1
        return float(self.asked // 4 if self.learned else 0)


class Listing(Half):
    """Answers as scikit-learn does: one prediction for each of many rows."""

    def predict_one(self, x: dict[str, Any]) -> Any:
        return np.array([x["age"]])


class Remembering(Half):
    """Keeps the last question, and writes into it; its answer is the same each time."""

    def predict_one(self, x: dict[str, Any]) -> Any:
        x["age"] = x.get("age", 0.0) + 1.0
        self.last = x
        return x["age"]


class Flag(Half):
    """Answers a feature, whatever that is."""

    def predict_one(self, x: dict[str, Any]) -> Any:
        return x["flag"]


class Grouped(Half):
    """A regression on the clusters, the ratings and the season that River finds."""

    def __init__(self) -> None:
        self.groups = cluster.KMeans(n_clusters=2, seed=1)
        self.taste = reco.FunkMF(seed=1)
        self.season = time_series.HoltWinters(alpha=0.5)

    def learn_one(self, x: dict[str, Any], y: float) -> None:
        self.groups.learn_one(x)
        self.taste.learn_one(user="u", item=self.groups.predict_one(x), y=y)
        self.season.learn_one(y)

    def predict_one(self, x: dict[str, Any]) -> Any:
        return self.taste.predict_one(user="u", item=self.groups.predict_one(x))
