"""The dashboard's pictures for README and docs: `make pictures`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from tests.api.dashboard.browser import chromium
from tests.api.dashboard.scene import living

_PHONE = {"width": 390, "height": 844}
_DESK = {"width": 1200, "height": 900}


@contextmanager
def _shown(browser: Browser, url: str, view: str, **options: object) -> Iterator[Page]:
    """A view, when all of it is there."""
    context = browser.new_context(**{"viewport": _DESK, **options})  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(f"{url}/ui#/loans/{view}")
    expect(page.locator("section").first).to_be_visible()
    expect(page.get_by_role("button", name="Freeze")).to_be_visible()
    yield page
    context.close()


def take(folder: Path) -> None:
    """Write them."""
    folder.mkdir(parents=True, exist_ok=True)
    with living(count=9_000) as api, chromium() as browser:
        api.post(
            "/v1/models/loans/tag",
            {"tag": "stable", "to": "v7", "reason": "a good week, before the rules changed"},
        )
        for name, options in (
            ("scores", {}),
            ("scores-dark", {"color_scheme": "dark"}),
            ("scores-phone", {"viewport": _PHONE}),
        ):
            with _shown(browser, api.url, "scores", **options) as page:
                expect(page.locator(".chart canvas")).to_be_visible()
                page.screenshot(path=folder / f"dashboard-{name}.png")
        with _shown(browser, api.url, "versions") as page:
            page.get_by_role("button", name="Roll back v7").click()
            expect(page.locator(".would")).to_contain_text("forgotten")
            page.get_by_label("Reason").fill("the rules changed back")
            page.screenshot(path=folder / "dashboard-rollback.png")
        for view in ("drifts", "letters"):
            with _shown(browser, api.url, view) as page:
                expect(page.locator("details, article").first).to_be_visible()
                page.screenshot(path=folder / f"dashboard-{view}.png")


if __name__ == "__main__":
    take(Path(sys.argv[1]))
