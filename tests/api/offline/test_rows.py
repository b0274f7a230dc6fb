"""What callers have becomes what a request's JSON would have been."""

import math

import numpy as np
import pytest

from api.offline.errors import RowRefusedError
from api.offline.rows import CHUNK, chunks_of, features_of, with_way_out
from config.model.parts import FeatureSpec
from learner.events.kinds import refused_by_spec
from tests.api.offline.frames import pd


def test_numbers_of_numpy_become_pythons():
    """Of the very same value, and of the type that JSON would give."""
    given = {"f": np.float64(0.1), "s": np.float32(0.1), "i": np.int64(7), "b": np.bool_(True),
             "t": np.str_("red"), "z": np.array(3)}  # fmt: skip

    found = features_of(given)

    assert found == {"f": 0.1, "s": float(np.float32(0.1)), "i": 7, "b": True, "t": "red", "z": 3}
    assert [type(each) for each in found.values()] == [float, float, int, bool, str, int]


def test_a_frame_keeps_types_and_leaves_out_what_is_absent():
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], dtype="Int64"),
            "x": [0.5, math.nan, 1.5],
            "t": ["a", None, "c"],
            "b": [True, False, True],
            "at": [pd.NaT, pd.NaT, pd.NaT],
        }
    )

    (rows,) = chunks_of(frame)

    assert rows == [
        {"n": 1, "x": 0.5, "t": "a", "b": True},
        {"b": False},
        {"n": 3, "x": 1.5, "t": "c", "b": True},
    ]
    assert [type(each) for each in rows[0].values()] == [int, float, str, bool]


def test_many_rows_come_some_at_a_time_and_all_of_them():
    frame = pd.DataFrame({"n": range(2 * CHUNK + 1)})

    chunks = list(chunks_of(frame))

    assert [len(each) for each in chunks] == [CHUNK, CHUNK, 1]
    assert [row["n"] for each in chunks for row in each] == list(range(2 * CHUNK + 1))


@pytest.mark.parametrize(
    ("given", "reason", "what"),
    [
        ({"x": math.nan}, "not_finite", "feature 'x' is nan: no number; leave out what is absent"),
        ({"x": np.float64("inf")}, "not_finite", "feature 'x' is inf"),
        ({"x": [1, 2]}, "wrong_type", "feature 'x' is a list"),
        ({"x": {"y": {"z": 1}}}, "wrong_type", "feature 'x.y' is a dict"),
        ({"x": pd.Timestamp("2026-01-01")}, "wrong_type", "feature 'x' is a Timestamp"),
        ({0: 1.5}, "wrong_type", "a feature's name is text, not '0' (int)"),
        ({"x": "a\0b"}, "null_byte", "feature 'x' holds a null character"),
        ({"x": "\ud800"}, "not_json", "feature 'x' is no Unicode"),
        ([1.5], "wrong_type", "a row is a mapping of features to values, not a list"),
    ],
)
def test_what_json_does_not_have_is_refused_by_name(given, reason, what):
    with pytest.raises(RowRefusedError) as refused:
        features_of(given)

    assert (refused.value.reason, what in refused.value.detail) == (reason, True)


def test_of_many_rows_the_one_that_is_refused_is_told():
    with pytest.raises(RowRefusedError, match="row 2: not_finite: feature 'x' is nan"):
        list(chunks_of([{"x": 1.0}, {"x": 2.0}, {"x": math.nan}]))


def test_one_row_is_not_taken_for_many():
    with pytest.raises(TypeError, match="predict_many takes several rows"):
        list(chunks_of({"x": 1.0}))


def test_a_frame_with_two_columns_of_one_name_is_refused():
    """pandas would give each row the last of them."""
    frame = pd.DataFrame([[0.1, 99.0, 1.0]], columns=["a", "a", "b"])

    with pytest.raises(TypeError, match="two columns of the frame are named 'a'"):
        list(chunks_of(frame))


def test_a_whole_number_that_pandas_has_as_a_float_is_refused_with_what_keeps_it_whole():
    """It is refused all the same: nothing is repaired."""
    frame = pd.DataFrame({"n": [79.0, math.nan]})
    spec = FeatureSpec(type="int")
    refused = refused_by_spec("n", 79.0, spec).detail

    assert refused == "feature 'n' is 79.0, the model file says int; send 79, without a fraction"
    assert refused_by_spec("n", 79.5, spec).detail.endswith("the model file says int")
    assert "send 79" not in with_way_out(refused, frame)
    assert 'frame.astype({"n": "Int64"})' in with_way_out(refused, frame)
    assert list(chunks_of(frame.astype({"n": "Int64"}))) == [[{"n": 79}, {}]]
    for detail, rows in [
        (refused, [{"n": 79.0}]),
        ("feature 'n' is 79.5, the model file says int", frame),
        ("feature 'n' is text (x), the model file says int", frame),
    ]:
        assert with_way_out(detail, rows) == detail
