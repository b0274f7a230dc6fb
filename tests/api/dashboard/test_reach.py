"""The dashboard while the API is not reached, or says no more than that it cannot say."""

import hashlib
import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.api.dashboard.browser import Watched, chromium, tab
from tests.api.dashboard.scene import living
from tests.api.running import Running

UNANSWERED_MS = 20_000  # a question is given up after ten seconds


@pytest.fixture(scope="module")
def browser(starts_servers: None) -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One that asks for keys."""
    keys = [
        {"id": name, "sha256": hashlib.sha256(b"secret").hexdigest(), "scopes": scopes}
        for name, scopes in (("looker", ["read"]), ("boss", ["read", "operate", "predict"]))
    ]
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    path.write_text(json.dumps(keys))
    with living(count=900, step=300, keys_file=path) as found:
        yield found


@pytest.fixture
def seen(browser: Browser, api: Running) -> Iterator[Watched]:
    """A tab in which the key of an operator is known, and nothing else went wrong."""
    found = tab(browser, api.url)
    found.allowed = (401, 403, 503)
    yield found
    assert [line for line in found.wrong if "ERR_FAILED" not in line] == []
    found.page.context.close()


def enter(page: Page, key: str) -> None:
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Use it in this tab").click()


@pytest.mark.parametrize(
    ("view", "asks", "shows"),
    [("drifts", "drifts", "detections"), ("orders", "audit", "None was given."),
     ("try", "features", "The same from a shell")],
)  # fmt: skip
def test_a_view_that_failed_is_asked_for_again(
    seen: Watched, view: str, asks: str, shows: str
) -> None:
    page = seen.page
    seen.go(f"loans/{view}")
    page.route(f"**/v1/models/loans/{asks}*", lambda route: route.abort())
    enter(page, "boss.secret")
    expect(page.get_by_role("alert")).to_contain_text("Failed to fetch")

    page.unroute_all()

    expect(page.get_by_text(shows).first).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_an_api_that_hangs_is_said_not_to_be_reached_until_it_answers(seen: Watched) -> None:
    page, hung = seen.page, list[Route]()

    def hang(route: Route) -> None:
        hung.append(route)

    seen.go("loans/versions")
    enter(page, "boss.secret")
    expect(page.get_by_role("button", name="Freeze")).to_be_visible()

    page.route("**/v1/**", hang)

    said = page.get_by_role("alert").filter(has_text="Not reached just now")
    expect(said).to_be_visible(timeout=UNANSWERED_MS)
    page.unroute("**/v1/**")
    expect(said).to_have_count(0)
    assert hung


@pytest.mark.parametrize("status", [None, 503, 429])
def test_no_orders_are_offered_before_it_is_known_whether_they_may_be_given(
    seen: Watched, status: int | None
) -> None:
    page, asked = seen.page, list[str]()
    seen.allowed = (*seen.allowed, 429)

    def fail(route: Route) -> None:
        asked.append(route.request.url)
        if status is None:
            route.abort()
        else:
            route.fulfill(status=status, json={"title": "Not now"})

    seen.go("loans/versions")
    page.route("**/freeze", fail)
    enter(page, "looker.secret")
    expect(page.get_by_role("region", name="Versions", exact=True).locator("tr")).to_have_count(4)
    page.wait_for_timeout(500)
    assert asked
    assert page.get_by_role("button", name="Freeze").count() == 0
    assert page.get_by_role("button", name="Roll back").count() == 0

    page.unroute("**/freeze")

    expect(page.get_by_text("This key may look")).to_be_visible()
    page.get_by_role("button", name="forget the key").click()
    enter(page, "boss.secret")
    expect(page.get_by_role("button", name="Freeze")).to_be_visible()
    page.route("**/freeze", fail)
    page.wait_for_timeout(500)
    expect(page.get_by_role("button", name="Freeze")).to_be_visible()


@pytest.mark.parametrize("key", ["ключ.секрет", "looker.€", "looker. secret"])
def test_what_can_be_no_key_stays_in_its_box(seen: Watched, key: str) -> None:
    page = seen.page
    seen.go("loans/versions")
    enter(page, key)

    expect(page.locator("input:invalid")).to_have_value(key)

    enter(page, " boss.secret ")
    expect(page.get_by_role("button", name="Freeze")).to_be_visible()
