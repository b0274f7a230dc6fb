"""What five open dashboards cost predictions: `python -m benchmarks.tabs`.

CPU of the API's processes for each prediction, without and with five tabs of a real Chromium, while
a version is made every second, which is when a tab asks for the most. By CPU, because the browser
works on the same cores. Rounds take turns; the medians are compared.
"""

import os
import statistics
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.load import drive
from checkpoints.dev_server import ValkeyServer
from tests.api.dashboard.browser import chromium
from tests.api.hosting import Host, hosting

_TABS, _ROUNDS, _SECONDS, _CONNECTIONS = 5, 5, 4.0, 8
_BODY = b'{"features":{"https":1.0}}'
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(host: Host) -> float:
    """Of the loader and its workers; of those that have ended by the loader's count."""
    return sum(map(_cpu_s, (host.process.pid, *host.workers)))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # user and system, and the same of children that were waited for
    return sum(map(int, fields[11:15])) / _TICKS


@contextmanager
def versions(host: Host) -> Iterator[None]:
    """One every second."""
    is_over = threading.Event()

    def make() -> None:
        while not is_over.wait(1.0):
            host.commit()

    thread = threading.Thread(target=make)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def us_each(host: Host) -> float:
    """CPU for each prediction, under full load."""
    port = int(host.url.rpartition(":")[2])
    before = cpu_s(host)
    path = f"/v1/models/{host.name}/predict"
    load = drive(port, path, _BODY, seconds=_SECONDS, connections=_CONNECTIONS)
    assert load.failed == 0
    return (cpu_s(host) - before) / (load.rate * _SECONDS) * 1e6


def main() -> None:
    """Print both medians and their ratio."""
    found: dict[bool, list[float]] = {False: [], True: []}
    with ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        valkey = held.enter_context(ValkeyServer(folder))
        host = held.enter_context(hosting(valkey.url, "tabs"))
        browser = held.enter_context(chromium())
        held.enter_context(versions(host))
        for _ in range(_ROUNDS):
            found[False].append(us_each(host))
            with browser.new_context() as context:
                for _ in range(_TABS):
                    page = context.new_page()
                    page.goto(f"{host.url}/ui#/tabs/scores")
                    page.locator("section").first.wait_for()
                found[True].append(us_each(host))
    without, with_tabs = (statistics.median(found[key]) for key in (False, True))
    print(f"{without:.1f} µs of CPU a prediction, {with_tabs:.1f} with {_TABS} tabs: "
          f"ratio {without / with_tabs:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
