"""Going back by the dashboard, on a whole `weir dev`: release, rewind, cancel."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests import web
from tests.api.dashboard.browser import Watched, chromium, tab
from tests.api.dashboard.pressing import by_keyboard, click
from tests.stream.whole_dev import Dev, dev, events, until

# It takes its time, so that a rewind can be met under way.
MODEL = """
name: gated
task: binary
learner: {python: "tests.stream.recorder:UnhurriedRecorder"}
trust: [tests]
metrics: [Accuracy]
scores: {rolling: 100}
checkpoint: {every_seconds: 1.0, keep: {last: 500}}  # few enough to be reached by Tab
publish: {score: Accuracy, margin: 0.1}
"""
GOOD, POISONED = 600, 100


@pytest.fixture(scope="module")
def gated(starts_servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    with dev(tmp_path_factory.mktemp("gated"), "gated", MODEL) as found:
        yield found


@pytest.fixture(scope="module")
def browser(starts_servers: None) -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def seen(browser: Browser, gated: Dev) -> Iterator[Watched]:
    """A tab, in which nothing went wrong."""
    found = tab(browser, gated.servers["api"])
    found.allowed = (422,)  # what a skip would do is asked while it is typed
    yield found
    assert found.wrong == []
    found.page.context.close()


def numbered(made: list[dict[str, Any]], numbers: Iterator[int]) -> list[dict[str, Any]]:
    return [{**each, "features": {**each["features"], "n": next(numbers)}} for each in made]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("press", [click, by_keyboard])
def test_what_is_held_back_is_let_through_and_what_spoilt_it_is_taken_out(
    seen: Watched, gated: Dev, press: Callable[[Locator], None]
) -> None:
    page, numbers, rng = seen.page, itertools.count(), random.Random(press.__name__)

    def send(count: int, *, poisoned: bool = False) -> None:
        gated.send(numbered(events(count, rng, poisoned=poisoned), numbers))

    send(GOOD)
    until(lambda: gated.answers_by() == gated.model()["version"], "the head is served")
    good, first = gated.model(), place(gated)
    send(POISONED, poisoned=True)
    assert gated.model()["held"]

    seen.go("gated/versions")
    expect(page.locator(".advice")).to_contain_text("The publish gate holds")
    press(button(page, "Serve it all the same"))
    give(page, press, "Serve it all the same", would="would be served")
    expect(page.locator(".advice")).to_have_count(0)
    assert gated.answers_by() == gated.model()["version"]

    send(GOOD)
    learned = gated.model()["learned"]
    rewind(page, press, str(good["version"]), skip=f"0:{first}-{first + POISONED - 1}")
    until(lambda: gated.model()["rewind"] is None, "all is learned again")
    assert gated.model()["learned"] == learned - POISONED
    expect(versions(page).locator("tr").first).to_contain_text("rewind")

    before = gated.model()
    first_version = asked(gated, "versions?limit=1000")["items"][-1]["version"]
    rewind(page, press, first_version, skip="0:1-2")
    expect(page.locator(".sentence")).to_contain_text("is going back")
    press(button(page, "Cancel going back"))
    give(page, press, "Cancel going back", would="would be served")
    expect(page.locator(".sentence")).not_to_contain_text("is going back")
    after = gated.model()
    assert (after["version"], after["learned"]) == (before["version"], learned - POISONED)
    commands = [each["command"] for each in asked(gated, "audit")["items"]]
    assert commands[:4] == ["cancel", "rollback", "rollback", "release"]


def rewind(page: Page, press: Callable[[Locator], None], to: str, *, skip: str) -> None:
    press(button(page, f"Roll back {to}"))
    press_radio = page.get_by_role("radio", name="Rewind")
    if press is click:
        press_radio.click()
    else:
        page.get_by_role("radio", name="Forget").focus()
        page.keyboard.press("ArrowDown")
    expect(press_radio).to_be_checked()
    page.get_by_label("Leave out").focus()
    page.keyboard.type(skip)
    give(page, press, f"Roll back to {to}", would="learned events would be replayed")


def give(page: Page, press: Callable[[Locator], None], title: str, *, would: str) -> None:
    """In the dialog: what it would do is said, and with a reason it is given."""
    dialog = page.get_by_role("dialog")
    expect(dialog.locator(".would")).to_contain_text(would)
    dialog.get_by_label("Reason").focus()
    page.keyboard.type("poisoned")
    press(dialog.get_by_role("button", name=title, exact=True))
    expect(dialog.get_by_role("status")).to_contain_text("In force")
    press(dialog.get_by_role("button", name="Close"))
    expect(dialog).to_have_count(0)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def versions(page: Page) -> Locator:
    return page.get_by_role("region", name="Versions", exact=True).locator("tbody")


def asked(gated: Dev, what: str) -> Any:
    return web.get(f"{gated.servers['api']}/v1/models/gated/{what}", timeout=30).json()


def place(gated: Dev) -> int:
    """Where the next event of the log will stand."""
    (newest, *_) = asked(gated, "versions")["items"]
    (end,) = newest["offsets"]["gated.events"].values()
    return int(end)
