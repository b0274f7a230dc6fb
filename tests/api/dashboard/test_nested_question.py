"""Nested features under Try it: told with their place, and asked for there."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.api.dashboard.browser import chromium, tab
from tests.api.running import Running, running

VW = "{vw: '--loss_function logistic --link logistic -b 18'}"
RIVER = "{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}"
MODEL = "name: nest\ntask: binary\nlearner: LEARNER\n"
FEATURES = "features: {geo.lat: {type: float}, geo.lon: {type: float}, size: {type: int}}\n"
NESTED: dict[str, Any] = {"geo": {"lat": 2.5, "lon": 40.0}, "size": 3}
FLAT: dict[str, Any] = {"geo.lat": 2.5, "geo.lon": 40.0, "size": 3}
ITEMS = "/v1/models/nest/features"


def _asked(api: Running) -> dict[str, Any]:
    """The question that the examples make, each in its place."""
    asked: dict[str, Any] = {}
    for each in api.get(ITEMS).json()["items"]:
        *outer, name = each["path"]
        group = asked.setdefault(outer[0], {}) if outer else asked
        group[name] = each["example"]
    return asked


@pytest.mark.parametrize("features", [FEATURES, ""], ids=["listed", "unlisted"])
@pytest.mark.parametrize(
    ("learner", "learned", "asked"),
    [(VW, NESTED, NESTED), (VW, FLAT, FLAT), (RIVER, NESTED, FLAT)],
    ids=["vw", "vw-flat", "river"],
)
def test_each_feature_is_told_where_the_model_has_it(
    features: str, learner: str, learned: dict[str, Any], asked: dict[str, Any]
) -> None:
    text = MODEL.replace("LEARNER", learner) + features
    with running(text, learned=5, pairs=lambda n: [(learned, True)] * n) as api:
        assert _asked(api) == asked
        names = [each["name"] for each in api.get(ITEMS).json()["items"]]

    assert sorted(names) == sorted(FLAT)


@pytest.fixture
def api(starts_servers: None) -> Iterator[Running]:
    text = MODEL.replace("LEARNER", VW) + FEATURES
    with running(text, pairs=lambda n: [(NESTED, k % 3 == 0) for k in range(n)]) as found:
        yield found


def test_the_form_asks_with_nested_objects(api: Running) -> None:
    with chromium() as browser:
        seen = tab(browser, api.url)
        seen.go("nest/try")
        seen.page.get_by_label("geo.lat").fill("7.5")
        seen.page.get_by_role("button", name="Ask").click()
        expect(seen.page.locator(".answer")).to_be_visible()
        line = seen.page.locator("pre.command").inner_text()
        shown = seen.page.get_by_role("region", name="Reasons", exact=True).locator("tbody")
        expect(shown).to_contain_text("geo.lat")
        assert seen.wrong == []

    body = json.loads(shlex.split(line)[-1])
    assert body == {"features": {"geo": {"lat": 7.5, "lon": 40}, "size": 3}}
