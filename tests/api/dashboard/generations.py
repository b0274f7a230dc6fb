"""The page while workers come and go: `python -m tests.api.dashboard.generations` tries twenty.

Of a model that takes longer to load than an answer may wait, each version has workers of its own;
those before it hand their connections over, and end.
"""

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, expect

from benchmarks.ballast import MODEL
from checkpoints.dev_server import ValkeyServer
from tests.api.dashboard.browser import chromium, tab
from tests.api.hosting import hosting


def through_generations(
    browser: Browser, redis_url: str, name: str, *, count: int, megabytes: int
) -> int:
    """Show a model of this size while so many versions are made; how many workers answered.

    Raises:
        AssertionError: A version was not shown, or anything went wrong on the page.
    """
    model = MODEL.replace("{size}", str(megabytes))
    with hosting(redis_url, name, model=model, workers=2) as host:
        seen = tab(browser, host.url)
        seen.go(f"{name}/scores")
        workers = set(host.workers)
        for _ in range(count):
            version = host.commit()
            expect(seen.page.locator(".tiles")).to_contain_text(version, timeout=30_000)
            workers |= set(host.workers)
        tile = seen.page.locator(".tiles div", has_text="Learned").first
        expect(tile).to_contain_text(str(2 + count))
        assert seen.wrong == []
        return len(workers)


def main() -> None:
    """Twenty, of 16 MB."""
    with (
        tempfile.TemporaryDirectory() as folder,
        ValkeyServer(Path(folder)) as valkey,
        chromium() as browser,
    ):
        workers = through_generations(browser, valkey.url, "heavy", count=20, megabytes=16)
        print(f"20 versions of 16 MB were shown, answered by {workers} workers; nothing went wrong")


if __name__ == "__main__":
    main()
