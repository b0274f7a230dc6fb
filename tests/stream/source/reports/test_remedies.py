"""Where more is refused than learned it is said why, with what mends it."""

import json
from types import SimpleNamespace

import pytest

from config.model_file import parse_model_file
from learner.build import build_screen
from learner.events.decode import decoder
from learner.events.gate import Gate
from learner.tasks import TASKS
from learner.values import Reason, Refusal
from stream.source.columns import Columns
from stream.source.reports.remedies import Remedies

MODEL = "name: m\ntask: regression\nlearner: {river: [linear_model.LinearRegression]}\n"

PRICE = Refusal(Reason.wrong_type, "price is text", "gate", mend="missing: [NA]")
TIME = Refusal(Reason.out_of_bounds, "ts is large", "gate", mend="limits: {value: 1.0e+13}")
LABEL = Refusal(Reason.bad_label, "label 2", "gate")


def after(*batches):
    remedies = Remedies()
    for learned, *refused in batches:
        remedies.took(learned, refused)
    return remedies.advice


@pytest.mark.parametrize(
    "batches", [[(0,)], [(1, PRICE)], [(3, PRICE, TIME, LABEL)], [(50,), (0, *[TIME] * 50)]]
)
def test_nothing_is_said_while_more_is_learned(batches):
    """Different refusals are not added up: each has another cause."""
    assert after(*batches) is None


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([(0, PRICE)], ["1 of the last 1", "wrong_type", "price is text", "`missing: [NA]`"]),
        ([(2, PRICE, TIME), (0, TIME, TIME)], ["3 of the last 6", "ts is large", "1.0e+13"]),
        ([(1, LABEL, LABEL)], ["2 of the last 3", "bad_label", "label 2"]),
    ],
)
def test_the_commonest_refusal_is_told_with_its_line(batches, words):
    """Or with its detail alone, where no line of the model file mends it."""
    told = after(*batches)

    assert all(word in told for word in words)
    assert ("model file" in told) == ("bad_label" not in words)


def test_a_stream_that_breaks_is_told_of_however_much_was_learned():
    """What is long past weighs less and less."""
    long_ago = [(100,)] * 10_000

    assert after(*long_ago, *[(0, *[TIME] * 100)] * 10) is None
    assert after(*long_ago, *[(0, *[TIME] * 100)] * 30) is not None
    assert after((0, *[TIME] * 1000), *[(100,)] * 30) is None


def test_what_is_told_apart_is_bounded():
    """A mending line for each of many features."""
    remedies = Remedies()
    for n in range(10_000):
        remedies.took(0, [Refusal(Reason.wrong_type, "", "gate", mend=f"features: {n}")])
        remedies.took(0, [PRICE])

    assert len(remedies._last) <= 101
    assert remedies.commonest == PRICE.mend


def admitted(features, more=""):
    """Events with these features, from bytes to the gate: how many are learned, and the advice."""
    file = parse_model_file(MODEL + more)
    columns, gate = (
        Columns(decoder(file), build_screen(file)),
        Gate(file, TASKS[file.task].labels(file)),
    )
    remedies, count = Remedies(), 0
    for first in range(0, len(features), 100):
        records = [
            SimpleNamespace(
                value=json.dumps({"features": x, "label": 1}).encode(),
                headers=(), offset=first + n, timestamp=0,
            )
            for n, x in enumerate(features[first : first + 100])
        ]  # fmt: skip
        examples, screened = columns.of("t", 0, records)
        taken = gate.admit(examples)
        count += len(taken.xs)
        refused = [refusal for _, refusal in (*screened, *taken.refused)]
        remedies.took(len(taken.xs), refused)
    return count, remedies.advice


NA_FIRST = [{"price": "NA" if n % 10 == 0 else n / 2, "items": n} for n in range(300)]
FLAGS = [{"a": n % 4 == 0 or 1.5} for n in range(200)]
TIMES = [{"at": 1_732_800_000_000 + n} for n in range(50)]


@pytest.mark.parametrize(
    ("features", "learned", "line", "mend", "then"),
    [
        (NA_FIRST, 30, "features: {price: {type: float}} and missing: [NA]",
         "features: {price: {type: float}}\nmissing: [NA]", 300),
        (FLAGS, 50, "features: {a: {type: float}}", "features: {a: {type: float}}", 150),
        (TIMES, 0, "limits: {value: 1.0e+13}", "limits: {value: 1.0e+13}", 50),
        (TIMES, 0, "features: {at: {type: int, max: 1.0e+13}}",
         "features: {at: {type: int, max: 1.0e+13}}", 50),
    ],
)  # fmt: skip
def test_the_line_that_is_told_mends_it(features, learned, line, mend, then):
    """As it is told it may stand in the model file, and most is learned."""
    count, advice = admitted(features)

    assert count == learned
    assert line in advice
    assert admitted(features, mend + "\n") == (then, None)
