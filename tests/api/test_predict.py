"""Predictions: what they say, which version they are from, and what is refused."""

import httpx
import pytest

from checkpoints.memory_store import MemoryStore
from tests.api.serving import PHISHING, Running, phishing, running, until

PATH = "/v1/models/phishing/predict"


def test_a_prediction_is_the_models_own_and_names_its_version(api: Running) -> None:
    x, _ = phishing(1, start=500)[0]
    chances = api.learning.trainer._estimator.predict(x)[1]

    answer = api.post(PATH, {"features": x, "id": "order-1"})

    head = api.learning.head
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("age_seconds") >= 0
    assert body == {
        "prediction": chances[True] > 0.5,
        "probabilities": {"false": chances[False], "true": chances[True]},
        "prediction_id": "order-1",
        "model": "phishing",
        "version": "v1",
        "version_id": head.id,
        "learned": 200,
    }
