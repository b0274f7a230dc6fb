"""Sources that are new where a line broke."""

from typing import Any

import pytest

from checkpoints.records.line import Line
from stream.looking_back.strangers import before_all, rewind_command, skips_of, strangers
from tests.checkpoints.builders import a_version

LINE = Line("returns")
VERSIONS = [a_version(LINE, number=n, offsets={"t": {"0": 100 * n}}) for n in range(1, 6)]


def a_source(name: str | None, records: int, first: int = 0) -> dict[str, Any]:
    return {"source": name, "records": records, "offsets": {"t": {"0": [first, first + records]}}}


@pytest.mark.parametrize(
    ("between", "before", "found"),
    [
        ([("scraper", 90), ("shop", 10)], [("shop", 500)], ["scraper"]),
        ([("scraper", 90), ("shop", 10)], [("shop", 500), ("scraper", 20)], ["scraper"]),
        ([("scraper", 90)], [("shop", 500), ("scraper", 300)], []),
        ([("shop", 90), ("scraper", 10)], [("shop", 500)], []),
        ([(None, 90)], [("shop", 500)], []),
        ([("scraper", 90)], [], []),
    ],
)
def test_most_is_from_it_and_hardly_anything_before(
    between: list[Any], before: list[Any], found: list[str]
) -> None:
    told = strangers([a_source(*each) for each in between], [a_source(*each) for each in before])

    assert [each["source"] for each in told] == found


@pytest.mark.parametrize(("first", "number"), [(400, 4), (399, 3), (250, 2), (99, None)])
def test_a_version_that_holds_some_of_it_already_is_not_gone_back_to(
    first: int, number: int | None
) -> None:
    """Though it does not show it yet."""
    clean = before_all(VERSIONS, VERSIONS[3], [a_source("scraper", 20, first)])

    assert (clean and clean.number) == number


def test_a_source_without_records_before_goes_back_to_the_last_good_version() -> None:
    nothing = {"source": "scraper", "records": 0, "offsets": {}}

    assert before_all(VERSIONS, VERSIONS[2], [nothing]) is VERSIONS[2]


def test_the_command_names_partitions_and_other_topics() -> None:
    """And quotes what a shell would not read as it is."""
    stretch = {"t": {"0": [(5, 9), (12, 13)]}, "t.labels": {"1": [(0, 2)]}}

    assert skips_of(stretch, "t") == ["0:5-8", "0:12-12", "t.labels/1:0-1"]
    assert rewind_command(VERSIONS[0], ["source:two words"]) == (
        "weir rollback returns v1 --mode rewind --skip 'source:two words' --reason TEXT"
    )
