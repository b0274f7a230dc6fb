"""Columns that a model file does not speak of are told of where it seems to speak of all."""

import pytest

from config.model_file import parse_model_file
from stream.send.unlisted import unlisted

MODEL = """
name: shop
task: binary
learner: {{river: {river}}}
features: {features}
{more}
"""
LISTED = "{price: {type: float}, items: {type: int}}"
PLAIN = "[{compose.Discard: [day]}, linear_model.LogisticRegression]"
CASES = {
    "one of three": (PLAIN, LISTED, "", ["day", "price", "items", "paid"], ["paid"]),
    "it lists fewer than it does not": (PLAIN, LISTED, "", ["price", "paid", "sold"], []),
    "it lists none": (PLAIN, "null", "", ["price", "items", "paid"], []),
    "it refuses them": (PLAIN, LISTED, "strict: true", ["price", "items", "paid"], []),
    "it selects by itself": (
        "[{compose.Select: [price]}, linear_model.LogisticRegression]",
        LISTED, "", ["price", "items", "paid"], [],
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("river", "features", "more", "names", "found"), CASES.values(), ids=list(CASES)
)
def test_what_is_told_of(river, features, more, names, found):
    model = parse_model_file(MODEL.format(river=river, features=features, more=more))
    assert unlisted(model, names) == found
