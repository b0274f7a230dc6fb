"""What a column is, told by its values and its name."""

import pytest

from stream.first_day.columns.column import DISTINCT_MAX, Column
from stream.first_day.columns.kinds import nature_of


def nature(values, name="c"):
    column = Column(name)
    for value in values:
        column.add(value)
    return nature_of(column)


@pytest.mark.parametrize(
    ("values", "kind", "type_"),
    [
        ([1, 2, 2], "int", "int"),
        ([1, 2.5], "float", "float"),
        ([True, False], "bool", "bool"),
        ([True, 0, 1], "bool", "bool"),
        ([True, 7], "string", "string"),
        (["a", "b"], "string", "string"),
        ([1, "b"], "string", "string"),
        ([], "empty", None),
        (["2024-01-02", "2024-01-03"], "time", "string"),
        (["3/12/2024 10:15", "4/12/2024 23:59"], "time", "string"),
        (["2024-01-02T03:04:05.678+01:00"], "time", "string"),
        (["10:15", "23:59:59"], "time", "string"),
        ([1_700_000_000_000, 1_700_000_060_000], "time", "int"),
        ([10**400, 5], "string", "string"),
        ([f"v{n % 300}" for n in range(1000)], "many", "string"),
        ([f"u{n}" for n in range(50)], "id", "string"),
        (range(50), "id", "int"),
        ([n * n for n in range(50)], "int", "int"),
        ([float(n) for n in range(50)], "float", "float"),
        (range(10), "int", "int"),
    ],
)
def test_a_column_is_what_its_values_are(values, kind, type_):
    """Ids and times are told from what they look like."""
    found = nature(values)

    assert (found.kind, found.type) == (kind, type_)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("id", "id"), ("order_id", "id"), ("PassengerId", "id"), ("userID", "id"), ("row", "id"),
     ("paid", "int"), ("humid", "int"), ("GRID", "int"), ("price", "int"), ("identity", "int")],
)  # fmt: skip
def test_numbers_that_never_come_twice_are_ids_by_their_name(name, kind):
    """A price may be another in every row."""
    assert nature([n * n for n in range(50)], name).kind == kind


def test_seconds_are_a_time_by_their_name_alone():
    """Any number may be as large."""
    values = [1_700_000_000 + 7 * n * n for n in range(50)]

    assert nature(values, "created_ts").kind == "time"
    assert nature(values, "population").kind == "int"


def test_words_for_nothing_among_numbers_are_no_texts():
    """Among texts they are one more text."""
    assert nature([1, 2, "?", "N/A"]).words == ("?", "N/A")
    assert nature(["red", "?"]).words == ()
    assert nature(["?", "?"]).type == "string"


def test_memory_does_not_grow_with_the_file():
    """Of a million different texts so many are kept; that there are more is known."""
    column = Column("c")
    for n in range(5 * DISTINCT_MAX):
        column.add(f"t{n}")

    assert len(column.values) == DISTINCT_MAX
    assert column.share_distinct == 1.0
    assert nature_of(column).kind == "id"
