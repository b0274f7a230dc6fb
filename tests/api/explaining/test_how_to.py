"""The page on explanations, walked through; and what a rebuilt version has of them."""

import json
import math

import pytest

from tests import web
from tests.config.processes.waiting import until
from tests.pages import Page, Reader

PAGE = Page("how-to/explain-an-answer.md")
pytestmark = pytest.mark.timeout(240)


def test_the_page_does_what_it_says(starts_servers, tmp_path):
    """Learn, ask on the command line and over HTTP; then the version is made again."""
    (model,), (orders,) = PAGE.blocks("yaml"), PAGE.blocks("csv")
    reader = Reader(tmp_path, {"returns.yaml": model, "orders.csv": orders})
    send, ask, curl, _, importance = PAGE.blocks("sh")
    with reader.runs("weir dev --model returns.yaml"):
        reader.types(send)
        model_url = f"{reader.servers['api']}/v1/models/returns"
        until(lambda: web.get(model_url).json().get("learned") == 9, what="all is learned")
        version = web.get(model_url).json()["version"]
        printed = PAGE.blocks("text")[0]
        assert reader.types(ask) == printed.replace(" v2 ", f" {version} ")
        asked = json.loads(reader.types(curl))
        assert asked["explanation"]["exact"]
        assert len(asked["explanation"]["contributions"]) == 2
        chance = 1 / (1 + math.exp(-asked["explanation"]["sum"]))
        assert abs(chance - asked["probabilities"]["true"]) <= 1e-9
        body = {"features": {"price": 9.5, "items": 3, "express": 1}, "method": "shapley"}
        found = web.post(f"{model_url}/explain", json=body).json()["explanation"]
        assert (found["rounds"], found["background"]) == (25, {"n": 9, "learned": 9})
        worth = json.loads(reader.types(importance))
        assert (worth["measured"], worth["every"]) == (1, 8)
        assert "identical" in reader.types(f"weir rebuild returns {version} --whole")
