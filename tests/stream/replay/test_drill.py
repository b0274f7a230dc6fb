"""The drill of "Going back", walked through as it stands there."""

import json
import re
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.config.processes.waiting import until
from tests.pages import Page, Reader

PAGE = Page("how-to/going-back.md", after="## A drill")

pytestmark = pytest.mark.usefixtures("starts_servers")


def versions(reader: Reader) -> dict[int, str]:
    """The newest version of each count of learned events."""
    items = json.loads(reader.types("weir versions drill --json"))["items"]
    return {item["learned"]: item["version"] for item in reversed(items)}


def has_learned(reader: Reader, count: int) -> bool:
    assert reader.servers is not None
    with urlopen(f"{reader.servers['api']}/v1/models/drill") as answer:
        found = json.load(answer)
    return (found["learned"], found["state"]) == (count, "idle")


@pytest.mark.timeout(240)
def test_the_drill_does_what_it_says(tmp_path: Path) -> None:
    """The numbers of versions are those of the run; the ports are other ones."""
    files = {"drill.yaml": PAGE.blocks("yaml")[0], "make_drill.py": PAGE.blocks("python")[0]}
    reader = Reader(tmp_path, files)
    dev, feed, blame, rollback, rebuild = PAGE.blocks("sh")
    with reader.runs(dev):
        for line, count in zip(feed.splitlines(), (0, 2000, 2500, 4500, 4500), strict=True):
            reader.types(line)
            until(partial(has_learned, reader, count), what=line, limit_s=30)
        good = versions(reader)[2000]
        told = reader.types(blame.replace("v2", good))
        assert f"last good: {good} " in told
        assert re.search(r"between them: .*drill\.events-0 2000-", told)
        told = reader.types(rollback.replace("v2", good))
        assert f"2,000 learned events are replayed after {good}, 500 left out" in told
        until(partial(has_learned, reader, 4000), what="rewound", limit_s=30)
        told = reader.types(rebuild.replace("v5", versions(reader)[4000]))
        assert "from the beginning, 4,000 records: identical" in told
