"""The page "Your own CSV, three tasks, end to end", walked through as it stands there."""

import re
from functools import partial

import pytest

from tests.config.processes.waiting import until
from tests.pages import Page, Reader

PAGE = Page("how-to/your-own-csv.md")
# The first block after these words is the file of that name.
FILES = {
    "make_files.py": "into `make_files.py`",
    "market-tree.yaml": "`market-tree.yaml`:",
    "ask.py": "into `ask.py`",
}
_EVENTS = {"loans": 8000, "approval": 1001, "market": 12_000, "market-tree": 12_000}

pytestmark = pytest.mark.usefixtures("starts_servers")


@pytest.mark.timeout(400)
def test_the_page_does_what_it_says(tmp_path):
    """From three files to answers; the ports are other ones."""
    files = {name: PAGE.first_after(words) for name, words in FILES.items()}
    reader, blocks, told = Reader(tmp_path, files), PAGE.sections(), ""
    (tried, spoilt) = blocks[3]
    for block in (*blocks[1], *blocks[2], tried):
        told += reader.types(block)
    assert told.count("of the first 500 rows, 500 learned, 500 scored, 0 lost") == 4
    assert "ok       later.csv paid_out: float, 45.2 % absent" in told
    assert "Beware: alone it tells 100.0 % of the labels" in (tmp_path / "later.yaml").read_text()
    told = reader.types(spoilt, code=2)
    assert "error    spoilt.csv:10: 1 row cannot be sent" in told
    assert "warning  spoilt.csv:20: 1 row would be refused as bad_label" in told

    (side_by_side,) = blocks[4]
    told = reader.types(side_by_side)
    assert re.search(r"^market +0\.8774 .*\nmarket-tree +0\.8423 ", told, re.MULTILINE)
    (run,) = blocks[5]
    with reader.runs(run):
        walk(reader, blocks)
    said = (tmp_path / "dev.log").read_text()
    assert "(events: loans.events, approval.events, market.events)" in said, "each topic once"
    assert "market: drift: ADWIN on error at event 6335" in said, "two models read that topic"


def has_learned(reader, model, count):
    """Whether it is so many events, and no more."""
    found = reader.status(model)
    assert (found["learned"] <= count, found["refused"]) == (True, 0)
    return found["learned"] == count


def walk(reader, blocks):
    """With the servers up: send, look, compare, ask."""
    for block in blocks[6]:
        reader.types(block)
    for model, count in _EVENTS.items():
        until(partial(has_learned, reader, model, count), what=f"{model} learns all", limit_s=60)

    told = "".join(map(reader.types, blocks[7]))
    assert "best" in told
    assert "ADWIN" in told
    assert (reader.folder / "market.html").read_text().startswith("<!doctype html>")
    assert (reader.folder / "market-scores.csv").exists()

    told = "".join(map(reader.types, blocks[8]))
    assert "market v" in told
    assert "market-tree v" in told
    assert "Accuracy  lifetime" in told

    ask = reader.folder / "ask.py"
    ask.write_text(ask.read_text().replace("http://127.0.0.1:8000", reader.servers["api"]))
    told = "".join(map(reader.types, blocks[9]))
    assert re.search(r"^(yes|no) {'no': .*, 'yes': .*} by v\d+$", told, re.MULTILINE)
    sent = partial(has_learned, reader, "loans", _EVENTS["loans"] + 1)
    until(sent, what="what the program sent is learned")
