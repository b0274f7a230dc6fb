"""Scores and drift as the dashboard tells them: what is newest, what is missing, what agrees."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.api.dashboard.browser import Watched, chromium, tab
from tests.api.running import PHISHING, Running, now_ms, phishing, running, until

MODEL = PHISHING.replace("[Accuracy, LogLoss, Brier, ECE]", "[Accuracy, ROCAUC]")
PATH = "/v1/models/phishing"


@pytest.fixture(scope="module")
def browser(starts_servers: None) -> Iterator[Browser]:
    with chromium() as found:
        yield found


def shown(browser: Browser, api: Running, view: str) -> Watched:
    seen = tab(browser, api.url)
    seen.go(f"phishing/{view}")
    return seen


def points(page: Page) -> Locator:
    return page.get_by_role("region", name="Points", exact=True).locator("tbody tr")


@pytest.mark.parametrize("is_old", [False, True])
def test_the_newest_point_is_the_heads_where_its_time_is_known(
    browser: Browser, is_old: bool
) -> None:
    """Of records of three years ago, when the head was made is no point of their time."""
    with running(MODEL, learned=0) as api:
        moments = {} if is_old else {"first_ms": now_ms() - 1_050_000, "apart_ms": 1000}
        api.learning.learn(phishing(1_050), **moments)
        version = api.learning.commit()
        until(lambda: api.serves(version))
        page = shown(browser, api, "scores").page
        page.get_by_text("The last points as a table").click()
        assert api.get(f"{PATH}/history").json()["learned"][-1] < 1_050
        kept = len(api.get(f"{PATH}/history").json()["learned"])

        expect(points(page)).to_have_count(kept + 1)
        expect(points(page).first).to_contain_text("1,050")
        page.get_by_role("radio", name="time", exact=True).click()
        expect(points(page)).to_have_count(kept if is_old else kept + 1)


def test_a_score_without_such_a_value_says_so(browser: Browser) -> None:
    with running(MODEL, learned=400) as api:
        page = shown(browser, api, "scores").page
        expect(page.locator(".chart canvas")).to_have_count(1)
        page.get_by_role("radio", name="ROCAUC", exact=True).click()
        page.get_by_role("radio", name="fading", exact=True).click()

        expect(page.get_by_text("ROCAUC has no fading value.")).to_be_visible()
        expect(page.locator(".chart")).to_have_count(0)
        page.get_by_role("radio", name="rolling", exact=True).click()
        expect(page.locator(".chart canvas")).to_have_count(1)


def test_of_an_episode_stands_what_its_first_detection_saw(browser: Browser) -> None:
    told: dict[str, Any] = {
        "detector": "ADWIN", "on": "error", "episode": 1, "topic": "t", "partition": 0,
        "offset": 7, "version": "v1", "at": "2026-11-20T12:00:00.000Z",
    }  # fmt: skip
    first = {**told, "index": 500, "before": 0.005, "after": 0.12, "direction": "worse"}
    last = {**told, "index": 900, "before": 0.12, "after": 0.05, "direction": "better"}
    with running(MODEL, learned=200) as api:
        seen = tab(browser, api.url)
        seen.page.route(
            "**/drifts?*",
            lambda route: route.fulfill(json={"total": 2, "items": [last, first], "next": None}),
        )
        seen.go("phishing/drifts")
        summary = seen.page.locator("details.episode summary")

        expect(summary.locator(".chip")).to_have_text("worse")
        expect(summary.locator(".number")).to_have_text("0.005 → 0.12")
        assert seen.page.locator("details.episode tbody tr").count() == 2
