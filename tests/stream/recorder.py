"""A learner that remembers what it learned: the witness of the kill tests."""

import random
import time
from typing import Any

from river import linear_model, preprocessing


class Recorder:
    """Logistic regression that also keeps the number of every event it learned, in order."""

    def __init__(self) -> None:
        self.learned: list[int] = []
        self.model = preprocessing.StandardScaler() | linear_model.LogisticRegression()

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        self.learned.append(x["n"])
        self.model.learn_one(x, y)

    def predict_one(self, x: dict[str, Any]) -> Any:
        return self.model.predict_one(x)

    def predict_proba_one(self, x: dict[str, Any]) -> Any:
        return self.model.predict_proba_one(x)


class AnotherRecorder(Recorder):
    """Of another name, for a model file that has changed."""


class HeavyRecorder(Recorder):
    """Of which each version takes 256 KiB of the store."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        super().learn_one(x, y)
        self.ballast = random.Random(x["n"]).randbytes(256 << 10)


class UnhurriedRecorder(Recorder):
    """Which takes its time for each event."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        time.sleep(0.005)
        super().learn_one(x, y)


class PatientRecorder(Recorder):
    """Which takes so long that who looks now and then meets it midway, on a busy machine, too."""

    def learn_one(self, x: dict[str, Any], y: bool) -> None:
        time.sleep(0.02)
        super().learn_one(x, y)
