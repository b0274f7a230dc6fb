"""A service for `bentoml serve`."""

import os
import pickle
from pathlib import Path

import bentoml


@bentoml.service(workers=1)
class RiverModel:
    """One probability a request."""

    def __init__(self) -> None:
        self.model = pickle.loads(Path(os.environ["RIVER_MODEL"]).read_bytes())

    @bentoml.api
    def predict(self, features: dict[str, float]) -> float:
        return self.model.predict_proba_one(features)[True]
