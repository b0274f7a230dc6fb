"""Writes the pickled model as an MLflow model, for `mlflow models serve`."""

import pickle
import sys
from pathlib import Path

import mlflow


class RiverModel(mlflow.pyfunc.PythonModel):
    """One probability for each instance."""

    def __init__(self, model):
        self.model = model

    def predict(self, model_input: list[dict[str, float]]) -> list[float]:
        return [self.model.predict_proba_one(x)[True] for x in model_input]


if __name__ == "__main__":
    pickled, folder = map(Path, sys.argv[1:])
    mlflow.pyfunc.save_model(
        folder, python_model=RiverModel(pickle.loads(pickled.read_bytes())), pip_requirements=[]
    )
