"""Lines as an image: whatever they hold, it is one that can be read."""

from xml.etree import ElementTree

import pytest

from config.text.line_chart import LINES_MAX, ChartLine, html_page, line_chart

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*lines: ChartLine) -> ElementTree.Element:
    return ElementTree.fromstring(line_chart("a < b & c", "events", lines))


def test_a_gap_parts_a_line() -> None:
    """Of values that are none, or not finite."""
    image = drawn(ChartLine("m", [(0, 1.0), (1, 2.0), (2, None), (3, float("nan")), (4, 1.0)]))

    points = [each.get("points", "").split() for each in image.iter(f"{SVG}polyline")]
    assert [len(each) for each in points] == [2, 1]


def test_all_points_lie_within_the_image() -> None:
    """And a greater value higher up."""
    image = drawn(ChartLine("m", [(0, -5.0), (50, 0.0), (100, 1e9)]))

    (line,) = image.iter(f"{SVG}polyline")
    places = [tuple(map(float, each.split(","))) for each in line.get("points", "").split()]
    assert all(0 <= x <= 860 and 0 <= y <= 420 for x, y in places)
    assert places[0][1] > places[2][1]


@pytest.mark.parametrize("points", [[], [(3, 0.5)], [(0, 0.5), (9, 0.5)], [(0, None)]])
def test_few_points_are_an_image_too(points: list) -> None:
    """None, one, or a constant."""
    assert drawn(ChartLine("m", points)).tag == f"{SVG}svg"


def test_names_are_escaped_and_lines_can_be_told_apart() -> None:
    """Each by colour and dash, up to 21."""
    lines = [ChartLine(f"<{n}>", [(0, n), (1, n)]) for n in range(LINES_MAX + 5)]
    image = drawn(*lines)

    looks = [(e.get("stroke"), e.get("stroke-dasharray")) for e in image.iter(f"{SVG}polyline")]
    assert len(looks) == len(set(looks)) == LINES_MAX
    assert next(e.text for e in image.iter(f"{SVG}title")) == "<0>"
    assert "<script>" not in html_page("<script>", [], "<script>")
