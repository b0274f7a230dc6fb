"""A real Chromium, and what it has to say about the page that it shows."""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

# As root, in a container, Chromium's own sandbox cannot be had.
_OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage"]


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium; `.ci/chromium` installs it."""
    found = shutil.which("chromium")
    assert found is not None, "there is no chromium: .ci/chromium installs Debian's"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=_OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watched:
    """A tab, and everything that must not happen in one.

    Attributes:
        page: The tab.
        url: Where the API is.
        wrong: Page errors, lines of the console, requests to elsewhere or that came to nothing.
        allowed: A status that the test provokes, which the console tells of.
    """

    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)
    allowed: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.page.set_default_timeout(10_000)
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on("console", self._heard)
        self.page.on("dialog", lambda dialog: self.wrong.append(f"dialog: {dialog.message}"))
        self.page.on("request", self._asked)

    def _heard(self, message: Any) -> None:
        expected = any(f"status of {status}" in message.text for status in self.allowed)
        if message.type in {"error", "warning"} and not expected:
            self.wrong.append(f"console: {message.text}")

    def _asked(self, request: Any) -> None:
        if not request.url.startswith((f"{self.url}/", "data:")):
            self.wrong.append(f"request: {request.url}")

    def go(self, view: str) -> None:
        """Show a view of the model."""
        self.page.goto(f"{self.url}/ui#/{view}")


def tab(browser: Browser, url: str, **options: Any) -> Watched:
    """A new tab of a context of its own."""
    context = browser.new_context(viewport={"width": 1200, "height": 1000}, **options)
    return Watched(context.new_page(), url)
