"""Pictures: what they show, and that they stay readable and small whatever they are given."""

import itertools
import math
from pathlib import Path
from xml.etree import ElementTree

import pytest

from config.text.plot import (
    PANELS_MAX,
    POINTS_MAX,
    SERIES_MAX,
    NoPictureError,
    Panel,
    Series,
    picture_for,
    svg_text,
    thinned,
)

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*series, title="Accuracy"):
    """The picture of one panel, parsed."""
    text = svg_text([Panel(title=title, x_name="events", series=series)], title="m")
    return ElementTree.fromstring(text)


def lines(picture):
    """The paths that are data."""
    return [each for each in picture.iter(f"{SVG}path") if each.get("class") == "line"]


def texts(picture):
    return [each.text for each in picture.iter(f"{SVG}text")]


def ys(path):
    """The heights of a path's points."""
    return [float(part.split()[1]) for part in path.get("d")[1:].split("L")]


def test_higher_is_drawn_higher_and_within_the_axes():
    """The axis begins and ends at round numbers."""
    picture = drawn(Series(name="up", points=[(0, 0.61), (500, 0.7), (1000, 0.93)]))

    (line,) = lines(picture)
    heights = ys(line)
    assert heights == sorted(heights, reverse=True)
    assert {"0.6", "0.7", "0.8", "0.9", "1"} <= set(texts(picture))
    assert {"up", "0.93"} <= set(texts(picture)), "its name, and at its end its last value"


def test_a_line_is_broken_where_there_is_no_value():
    """And a stretch of one point is a dot; NaN and infinity are no values."""
    points = [(0, 1.0), (1, 2.0), (2, None), (3, 1.0), (4, math.nan), (5, math.inf), (6, 1), (7, 2)]
    picture = drawn(Series(name="a", points=points))

    assert len(lines(picture)) == 2
    assert len(list(picture.iter(f"{SVG}circle"))) == 1


def test_what_is_beside_is_dashed_and_never_hides_the_rest():
    """Thin, in a colour of its own."""
    series = (
        Series(name="model", points=[(0, 1), (1, 2)]),
        Series(name="no_change", points=[(0, 1), (1, 1)], is_beside=True),
    )
    second, first = lines(drawn(*series))

    assert (first.get("stroke-dasharray"), first.get("stroke-width")) == (None, "2")
    assert (second.get("stroke-dasharray"), second.get("stroke-width")) == ("5 4", "1.5")
    assert second.get("stroke") == "#6b7280", "grey, which no model has"


def test_of_many_lines_no_two_look_alike_and_the_first_stands_out() -> None:
    """Where the colours are used up, the next round is dashed."""
    series = [Series(name=f"m{n}", points=[(0, n), (1, n)]) for n in range(SERIES_MAX)]
    series.append(Series(name="no_change", points=[(0, 1), (1, 1)], is_beside=True))
    drawn_lines = lines(drawn(*series[:-2], series[-1]))

    looks = {(each.get("stroke"), each.get("stroke-dasharray")) for each in drawn_lines}
    assert len(looks) == len(drawn_lines) == SERIES_MAX
    assert [each.get("stroke-width") for each in drawn_lines].count("3") == 1


def test_a_legend_stands_once_and_a_name_looks_the_same_in_each_panel() -> None:
    """Also where a panel lacks one of them."""
    a, b = (Series(name=name, points=[(0, 1), (1, 2)]) for name in "ab")
    panels = [Panel(title=t, x_name="x", series=s) for t, s in (("one", [a, b]), ("two", [b]))]
    picture = ElementTree.fromstring(svg_text(panels, title="m"))

    assert [texts(picture).count(name) for name in "ab"] == [1, 1]
    strokes = {each.get("stroke") for each in lines(picture) if each[0].text == "b"}
    assert len(strokes) == 1


def test_values_at_the_ends_of_lines_do_not_overlap() -> None:
    """Lines that end together have theirs one below the other."""
    series = [Series(name=f"m{n}", points=[(0, 0), (1, 1 + n / 1e6)]) for n in range(5)]
    picture = drawn(*series, Series(name="low", points=[(0, 0), (1, 0)]))

    heights = sorted(
        float(each.get("y")) for each in picture.iter(f"{SVG}text") if each.text == "1"
        and float(each.get("x")) > 830
    )  # fmt: skip
    assert len(heights) == 5
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 11


@pytest.mark.parametrize(
    "points",
    [[], [(0, None)], [(0, 0)], [(5, 1e300), (6, -1e300)], [(0, 1e-12), (1, 1.1e-12)],
     [(1, 3), (1, 3)]],
)  # fmt: skip
def test_odd_data_is_drawn_all_the_same(points):
    """No data, one point, huge and tiny spans."""
    picture = drawn(Series(name="a", points=points))

    places = [float(n) for each in lines(picture) for n in ys(each)]
    assert all(math.isfinite(place) for place in places)


def test_names_cannot_break_out_of_their_place():
    """A model or a score may be called anything."""
    name = '</text><script>alert("&")</script>'
    picture = drawn(Series(name=name, points=[(0, 1), (1, 2)]), title=name)

    assert not list(picture.iter(f"{SVG}script"))
    assert name in texts(picture)


def test_thinning_keeps_the_extremes_and_the_ends():
    """One event among a million that stands out is still seen."""
    points = [(n, 0.0) for n in range(100_000)]
    points[54_321] = (54_321, 9.0)
    few = thinned(points)

    assert len(few) <= POINTS_MAX
    assert (54_321, 9.0) in few
    assert few == sorted(few)


def test_thinning_keeps_where_a_line_is_broken():
    """A rollback among a million events is still one."""
    points = [(n, 1.0) for n in range(100_000)]
    points[50_000] = (50_000, None)

    assert (50_000, None) in thinned(points)
    assert len(thinned([(n, None if n % 2 else 1.0) for n in range(100_000)])) <= POINTS_MAX


def test_a_picture_has_a_limit_and_says_what_it_leaves_out():
    """Of panels, lines and points."""
    long = Series(name="a", points=[(n, n % 10) for n in range(3_000)])
    panel = Panel(title="t", x_name="x", series=[long] * (SERIES_MAX + 3))
    text = svg_text([panel] * (PANELS_MAX + 2), title="m")

    assert "3 more lines are not drawn" in text
    assert "2 more are not drawn" in text
    assert len(lines(ElementTree.fromstring(text))) == SERIES_MAX * PANELS_MAX


def test_the_name_of_the_file_says_what_is_drawn():
    """A page stands by itself: no address is asked for anything."""
    panels = [Panel(title="t", x_name="x", series=[Series(name="a", points=[(0, 1), (1, 2)])])]
    page = picture_for(Path("a.HTML"))(panels, title="<m>")

    assert page.startswith("<!doctype html>")
    assert "pre{overflow-x:auto}" in page, "a table that is wider than the window is scrolled"
    assert "<title>&lt;m&gt;</title>" in page
    assert page.replace("http://www.w3.org/2000/svg", "").count("http") == 0
    assert picture_for(Path("a.svg"))(panels, title="m").startswith("<svg")
    with pytest.raises(NoPictureError, match=r"a\.png: a picture is FILE\.svg or FILE\.html"):
        picture_for(Path("a.png"))
