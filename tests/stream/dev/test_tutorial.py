"""The tutorial, walked through: its files, its commands in their order, and what they tell."""

import json

import pytest

from tests.config.processes.waiting import until
from tests.pages import Page, Reader

PAGE = Page("tutorial.md")
# The first block after these words is the file of that name.
FILES = {
    "returns.yaml": "Put this into `returns.yaml`",
    "orders.csv": "orders into `orders.csv`",
    "bad.ndjson": "Put this line into `bad.ndjson`",
}

pytestmark = pytest.mark.usefixtures("starts_servers")


def test_the_tutorial_does_what_it_says(tmp_path):
    """Up to the rollback; the ports are other ones."""
    files = {name: PAGE.first_after(words) for name, words in FILES.items()}
    reader, blocks = Reader(tmp_path, files), PAGE.sections()
    (run,) = blocks[2]
    with reader.runs(run):
        walk(reader, blocks)


def walk(reader, blocks):
    """Sections 3 to 7."""
    sent, status = blocks[3]
    assert "orders.csv: of 4 sent, 4 learned, 0 refused" in reader.types(sent)
    reader.types(status)
    assert (reader.status("returns")["learned"], reader.status("returns")["scored"]) == (4, 4)

    (bad,) = blocks[4]
    reader.types(bad)
    assert reader.status("returns")["refused_by"] == {"out_of_bounds": 1}

    (ask,) = blocks[5]
    assert json.loads(reader.types(ask).splitlines()[-1])["learned"] == 4

    act, look = blocks[6]
    assert '"prediction_id":"order-6"' in reader.types(act)
    until(lambda: reader.status("returns")["learned"] == 5, what="the answer is learned")
    told = reader.types(look)
    assert '"matched":1' in told
    assert '"served":{"lifetime":' in told

    (back,) = blocks[7]
    reader.types(back)
    assert (reader.status("returns")["learned"], reader.status("returns")["refused"]) == (0, 1)
    assert reader.status("returns")["forgotten"] == 5
