"""The dashboard in a real Chromium: every view and every order, by mouse and by keyboard."""

import hashlib
import json
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from checkpoints.dev_server import ValkeyServer
from tests.api.dashboard.browser import Watched, chromium, tab
from tests.api.dashboard.generations import through_generations
from tests.api.dashboard.pressing import by_keyboard, click
from tests.api.dashboard.scene import IMAGE, SCRIPT, living
from tests.api.running import Running
from tests.config.processes.waiting import until

MODEL = "/v1/models/loans"
REASON = f"{IMAGE} it drifted"


@pytest.fixture(scope="module")
def browser(starts_servers: None) -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def api() -> Iterator[Running]:
    with living(hostile=True, count=2_400, step=300) as found:
        yield found


@pytest.fixture
def seen(browser: Browser, api: Running) -> Iterator[Watched]:
    """A tab, in which nothing went wrong."""
    found = tab(browser, api.url)
    yield found
    assert found.wrong == []
    found.page.context.close()


def titles(rows: Locator) -> list[float]:
    """The exact numbers that a table shows, cell by cell."""
    found = rows.locator("td span[title]").evaluate_all("all => all.map(each => each.title)")
    return [float(each) for each in found if each != "no value"]


def scores_now(api: Running) -> list[float]:
    """What the API says of them, in the order of the table."""
    windows = ("rolling", "fading", "lifetime", "low", "high", "no_change", "majority")
    scores = api.get(f"{MODEL}/metrics").json().values()
    return [of[each] for of in scores for each in windows if of[each] is not None]


def shown(page: Page, label: str) -> Locator:
    """The body of the table with this name."""
    return page.get_by_role("region", name=label, exact=True).locator("tbody")


def test_every_view_shows_what_the_api_says(seen: Watched, api: Running) -> None:
    page, model = seen.page, api.get(MODEL).json()

    seen.go("loans/scores")
    expect(page.locator(".sentence")).to_contain_text("loans is learning")
    expect(page.locator(".tiles")).to_contain_text(f"{model['learned']:,}")
    for name, value in model["metrics"].items():
        tile = page.locator(".tiles div", has_text=name).locator("span[title]")
        assert float(tile.get_attribute("title") or "nan") == value
    until(
        lambda: titles(shown(page, "Scores now")) == scores_now(api),
        what="the scores are the API's",
        limit_s=30,
    )
    assert page.locator(".chart canvas").count() == 1
    page.get_by_role("radio", name="ROCAUC", exact=True).click()
    page.get_by_role("radio", name="lifetime", exact=True).click()
    page.get_by_role("radio", name="time", exact=True).click()
    page.get_by_text("The last points as a table").click()
    history = api.get(f"{MODEL}/history").json()
    points = [*history["metrics"]["ROCAUC"]["lifetime"], model["metrics"]["ROCAUC"]]
    assert history["scored"][-1] < model["scored"]
    assert titles(shown(page, "Points")) == points[::-1]

    page.get_by_role("link", name="Versions").click()
    versions = api.get(f"{MODEL}/versions").json()["items"]
    expect(shown(page, "Versions").locator("tr")).to_have_count(len(versions))
    expect(shown(page, "Versions").locator("tr").first).to_contain_text("serving")

    page.get_by_role("link", name="Drift").click()
    drifts = api.get(f"{MODEL}/drifts").json()
    episodes = {(each["detector"], each["episode"]) for each in drifts["items"]}
    assert episodes
    expect(page.locator("details.episode")).to_have_count(len(episodes))

    page.get_by_role("link", name="Labels").click()
    expect(page.get_by_role("region", name="Labels that come late")).to_contain_text("p99")


def test_what_was_refused_is_text_whatever_it_is(seen: Watched, api: Running) -> None:
    page = seen.page
    seen.go("loans/letters")
    expect(page.locator("article")).to_have_count(3)
    expect(page.locator("article pre").first).to_contain_text("iVBORw0KGgD/")
    expect(page.get_by_text("No text: in base64")).to_be_visible()
    expect(page.locator("article pre").nth(1)).to_contain_text(SCRIPT)
    page.get_by_role("button", name="bad_label").click()
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator("article h3")).to_contain_text(SCRIPT)
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2


def test_a_question_is_answered_as_the_command_beside_it_is(seen: Watched, api: Running) -> None:
    page, seen.allowed = seen.page, (422,)  # the last one
    seen.go("loans/try")
    expect(page.get_by_label("age")).to_have_attribute("max", "99")
    page.get_by_label("age").fill("44")
    page.get_by_label("zipcode").fill("")
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".answer")).to_be_visible()

    line = page.locator("pre.command").inner_text()
    program, url, _, header, _, body = shlex.split(line)
    answer = api.post(url.removeprefix(api.url), body.encode()).json()
    features = json.loads(body)["features"]
    assert (program, header) == ("curl", "content-type: application/json")
    assert (features["age"], features[IMAGE], "zipcode" in features) == (44, 1, False)
    assert titles(shown(page, "Probabilities")) == list(answer["probabilities"].values())
    expect(page.locator(".prediction strong")).to_have_text(answer["prediction"])
    told = api.post(f"{MODEL}/explain", {"features": features}).json()["explanation"]
    reasons = sorted(told["contributions"], key=lambda it: -abs(it["contribution"]))
    assert titles(shown(page, "Reasons")) == [it["contribution"] for it in reasons]
    expect(page.get_by_text("in log odds of")).to_be_visible()
    page.get_by_label("salary").fill("1e13")
    expect(page.locator(".answer")).to_have_count(0)
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("alert").last).to_contain_text("salary")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def give(
    page: Page,
    press: Callable[[Locator], None],
    title: str,
    would: str,
    *,
    tag: str | None = None,
) -> tuple[str, str]:
    """In the dialog: what it would do is said, and without a reason it cannot be given.

    Returns:
        What it says to be in force, and how it is undone.
    """
    dialog = page.get_by_role("dialog")
    if tag is not None:
        page.get_by_label("Name").fill(tag)
    expect(dialog.locator(".would p").first).to_have_text(f"If ordered: {would}.")
    expect(dialog.get_by_role("button", name=title)).to_be_disabled()
    dialog.get_by_label("Reason").focus()
    page.keyboard.type(REASON)
    expect(dialog.get_by_role("status")).to_have_count(0)
    press(dialog.get_by_role("button", name=title))
    expect(dialog.get_by_role("status")).to_contain_text("In force")
    said = dialog.get_by_role("status").inner_text(), dialog.get_by_text("To undo it").inner_text()
    press(dialog.get_by_role("button", name="Close"))
    expect(dialog).to_have_count(0)
    return said


@pytest.mark.parametrize("press", [click, by_keyboard])
def test_every_standing_order_is_tried_dry_and_given_with_a_reason(
    seen: Watched, api: Running, press: Callable[[Locator], None]
) -> None:
    page, head, tag = seen.page, api.get(MODEL).json()["version"], press.__name__
    seen.go("loans/versions")

    press(button(page, "Freeze"))
    expect(page.locator(".would p")).to_contain_text("learning stops")
    assert api.get(MODEL).json()["frozen"] is False
    said = give(page, press, "Freeze", "learning stops")
    assert said == ("In force: learning stops.", "To undo it, thaw.")
    expect(page.locator(".sentence")).to_contain_text("frozen")
    press(button(page, "Thaw"))
    said = give(page, press, "Thaw", "learning goes on")
    assert said == ("In force: learning goes on.", "To undo it, freeze.")
    press(button(page, "Pin v3"))
    said = give(page, press, "Pin v3", "v3 would be served")
    assert said == ("In force: v3 is served.", "To undo it, unpin.")
    expect(page.locator(".advice")).to_contain_text("Pinned to v3")
    press(button(page, "Unpin"))
    said = give(page, press, "Unpin", f"{head} would be served")
    assert said == (f"In force: {head} is served.", "To undo it, pin v3 again.")
    press(button(page, "Tag v2"))
    said = give(page, press, "Tag v2", f"v2 is called {tag}", tag=tag)
    assert said == (f"In force: v2 is called {tag}.", "To undo it, tag another version.")
    expect(page.get_by_text(tag, exact=True)).to_be_visible()

    page.get_by_role("link", name="Orders").click()
    audit = api.get(f"{MODEL}/audit").json()["items"]
    expect(shown(page, "Orders").locator("tr")).to_have_count(len(audit))
    assert {"freeze", "thaw", "pin", "unpin", "tag"} <= {each["command"] for each in audit}
    expect(shown(page, "Orders").get_by_text(REASON).first).to_be_visible()
    assert page.locator("img").count() == 0


@pytest.mark.parametrize(("press", "back_to"), [(click, 4), (by_keyboard, 3)])
def test_going_back_says_what_it_undoes_and_how_it_is_undone(
    seen: Watched, api: Running, press: Callable[[Locator], None], back_to: int
) -> None:
    page, before = seen.page, api.get(MODEL).json()
    forgets = f"{before['learned'] - back_to * 300:,} learned events"
    seen.go("loans/versions")

    press(button(page, f"Roll back v{back_to}"))
    expect(page.locator(".would p").last).to_have_text(
        re.compile(r"It undoes \d+ versions?, made from .+ to .+: [\d,]+ records\.")
    )
    would = f"v{back_to} would be served; {forgets} would be forgotten"
    done, undone = give(page, press, f"Roll back to v{back_to}", would)
    made = api.get(MODEL).json()
    model = f"{made['version']} is served, the model of v{back_to}"
    assert done == f"In force: {model}; {forgets} are forgotten."
    assert undone == f"To undo it, roll back to {before['version']}."
    expect(shown(page, "Versions").locator("tr").first).to_contain_text("rollback")
    assert made["learned"] == back_to * 300

    press(button(page, "Roll back v2"))
    page.get_by_label("Rewind").check()
    expect(page.locator(".would")).to_contain_text("learned events would be replayed")
    expect(page.locator(".would")).to_contain_text("v2 would be served")
    page.get_by_label("Go on serving").check()
    expect(page.locator(".would")).to_contain_text(f"{made['version']} would be served")


def test_an_order_that_another_one_has_overtaken_is_refused(seen: Watched, api: Running) -> None:
    """It says so, and may be left."""
    page = seen.page
    seen.go("loans/versions")
    page.get_by_role("button", name="Roll back v2").click()
    expect(page.locator(".would")).to_contain_text("forgotten")
    page.get_by_label("Reason").fill("late")
    reply = api.post(f"{MODEL}/rollback", {"to": "v3", "mode": "forget", "reason": "first"})
    assert reply.status_code == 200

    seen.allowed = (409,)
    page.get_by_role("button", name="Roll back to v2").click()

    expect(page.get_by_role("alert")).to_contain_text("has changed since")
    page.get_by_role("button", name="Leave it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_with_keys_it_asks_for_one_and_shows_what_that_is_for(
    browser: Browser, tmp_path: Path
) -> None:
    keys = [
        {"id": name, "sha256": hashlib.sha256(b"secret").hexdigest(), "scopes": scopes}
        for name, scopes in (("looker", ["read"]), ("boss", ["read", "operate", "predict"]))
    ]
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    with living(count=900, step=300, keys_file=tmp_path / "keys.json") as api:
        seen = tab(browser, api.url, color_scheme="dark")
        page, seen.allowed = seen.page, (401, 403)

        def enter(key: str) -> None:
            page.get_by_label("Key").fill(key)
            page.get_by_role("button", name="Use it in this tab").click()

        seen.go("loans/versions")
        expect(page.get_by_text("asks for a key")).to_be_visible()
        enter("looker.wrong")
        expect(page.get_by_label("Key")).to_be_visible()
        enter("looker.secret")
        expect(shown(page, "Versions").locator("tr")).to_have_count(3)
        expect(page.get_by_text("This key may look")).to_be_visible()
        assert page.get_by_role("button", name="Freeze").count() == 0
        assert page.get_by_role("button", name="Roll back").count() == 0
        page.get_by_role("button", name="forget the key").click()
        enter("boss.secret")
        expect(page.get_by_role("button", name="Freeze")).to_be_visible()
        assert "secret" not in page.url
        assert seen.wrong == []


def test_it_goes_on_while_workers_are_forked_anew(
    browser: Browser, valkey_server: ValkeyServer, unique_name: str
) -> None:
    assert through_generations(browser, valkey_server.url, unique_name, count=3, megabytes=4) >= 3
