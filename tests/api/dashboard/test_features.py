"""What a model is asked with: nested where it has learned it so, in the API and in the form."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.api.dashboard.browser import chromium, tab
from tests.api.running import Running, running

PATH = "/v1/models/trips/features"
NESTING = """
name: trips
task: binary
learner: {vw: "--loss_function logistic --link logistic"}
features: {geo.lat: {type: float, min: -90, max: 90}, geo.alt: {type: float}, a.b: {type: int}}
metrics: [Accuracy]
"""
FLAT = NESTING.replace(
    '{vw: "--loss_function logistic --link logistic"}', "{river: [tree.HoeffdingTreeClassifier]}"
)


def trips(count: int) -> list[tuple[dict[str, Any], bool]]:
    """Some with features in a nested object, and names that only look so."""
    geo = [{"lat": n / 10, "town": f"t{n % 3}", "x.y": 1.5} for n in range(count)]
    return [
        ({"geo": each, "a.b": n, "night": n % 2 == 0}, n % 2 == 0) for n, each in enumerate(geo)
    ]


@pytest.fixture(scope="module", params=[NESTING, FLAT], ids=["nesting", "flat"])
def api(request: pytest.FixtureRequest) -> Iterator[Running]:
    with running(request.param, learned=50, pairs=trips) as found:
        yield found


def test_a_feature_stands_where_the_learner_has_it(api: Running) -> None:
    items = {each["name"]: each for each in api.get(PATH).json()["items"]}
    is_nesting = "vw" in api.learning.model_file.learner.model_dump_json(exclude_none=True)

    assert list(items) == ["geo.lat", "geo.alt", "a.b", "geo.town", "geo.x.y", "night"]
    assert {name: (each["type"], each["example"]) for name, each in items.items()} == {
        "geo.lat": ("number", 4.9), "geo.alt": ("number", None), "a.b": ("int", 49),
        "geo.town": ("text", "t1"), "geo.x.y": ("number", 1.5), "night": ("bool", False),
    }  # fmt: skip
    for name, each in items.items():
        outer, _, inner = name.partition(".")
        assert each["path"] == ([outer, inner] if is_nesting and outer == "geo" else [name])


def test_the_form_asks_what_was_learned(api: Running, starts_servers: None) -> None:
    example = trips(50)[-1][0]
    with chromium() as browser:
        seen = tab(browser, api.url)
        page = seen.page
        seen.go("trips/try")
        expect(page.get_by_label("geo.lat")).to_have_value("4.9")
        page.get_by_role("button", name="Ask").click()
        expect(page.locator(".answer")).to_be_visible()

        *_, body = shlex.split(page.locator("pre.command").inner_text())
        asked = json.loads(body)["features"]
        answer = api.post("/v1/models/trips/predict", {"features": example}).json()
        assert api.post("/v1/models/trips/predict", {"features": asked}).json()[
            "probabilities"
        ] == pytest.approx(answer["probabilities"])
        assert "unknown_features" not in answer
        expect(page.get_by_text("Never learned")).to_have_count(0)
        if "geo" in asked:
            assert asked == example

        page.get_by_label("geo.lat").fill("")
        expect(page.locator(".answer")).to_have_count(0)
        *_, body = shlex.split(page.locator("pre.command").inner_text())
        assert "lat" not in json.loads(body)["features"].get("geo", {})
        page.get_by_label("geo.lat").fill("4.9")
        expect(page.locator(".answer")).to_be_visible()
        page.get_by_label("geo.lat").fill("900")
        page.get_by_role("button", name="Ask").click()
        expect(page.locator(".answer")).to_have_count(0)
        assert seen.wrong == []
