"""The two ways to press what a page shows."""

from playwright.sync_api import Locator, expect

_TABS_MAX = 120


def click(target: Locator) -> None:
    target.click()


def by_keyboard(target: Locator) -> None:
    """Go there by Tab alone, and press it."""
    expect(target).to_be_enabled()
    for _ in range(_TABS_MAX):
        if target.evaluate("element => element === document.activeElement"):
            target.page.keyboard.press("Enter")
            return
        target.page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reached by Tab")
