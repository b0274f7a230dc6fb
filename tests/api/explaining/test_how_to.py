"""The page on explanations, walked through; and what a rebuilt version has of them."""

import json
import math

from tests.pages import Page, Reader

PAGE = Page("how-to/explain-an-answer.md")


def test_the_page_does_what_it_says(starts_servers, tmp_path):
    """Learn, ask on the command line and over HTTP; then the version is made again."""
    (model,), (orders,) = PAGE.blocks("yaml"), PAGE.blocks("csv")
    reader = Reader(tmp_path, {"returns.yaml": model, "orders.csv": orders})
    send, ask, curl, shapley, importance = PAGE.blocks("sh")
    with reader.runs("weir dev --model returns.yaml"):
        reader.types(send)
        reader.types("until [ $(weir status returns --json | grep -c '\"learned\": 9') = 1 ]; "
                     "do sleep 0.1; done")  # fmt: skip
        version = reader.status("returns")["version"]
        printed = PAGE.blocks("text")[0]
        assert reader.types(ask) == printed.replace(" v2 ", f" {version} ")
        asked = json.loads(reader.types(curl))
        assert asked["explanation"]["exact"]
        assert len(asked["explanation"]["contributions"]) == 2
        chance = 1 / (1 + math.exp(-asked["explanation"]["sum"]))
        assert abs(chance - asked["probabilities"]["true"]) <= 1e-9
        found = json.loads(reader.types(shapley))["explanation"]
        assert (found["method"], found["rounds"], found["background"]["n"]) == ("shapley", 10, 9)
        worth = json.loads(reader.types(importance))
        assert (worth["measured"], worth["every"]) == (1, 8)
        assert "identical" in reader.types(f"weir rebuild returns {version} --whole")
