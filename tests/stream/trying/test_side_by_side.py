"""Several models on the same records: each compared with the first, event by event."""

import math
import random

import pytest
from msgspec import UNSET
from msgspec.structs import replace
from river import compose, datasets, dummy, linear_model, metrics, preprocessing

from learner.scores.tally import EventLoss
from stream.errors import KafkaUnavailableError, SendError
from stream.send.csv_file import CsvColumns
from stream.trying.beside.pairs import EventPairs, Scored
from stream.trying.sources import FileSource
from tests.stream.trying.runs import LOGISTIC, TREE, MadeSource, candidate, stream, tried


def test_differences_are_those_of_the_scores() -> None:
    """Of those that are means over events; the interval holds the difference, and is narrower."""
    first, second = tried(stream("Bananas"), LOGISTIC, TREE).rows

    found = second.metrics["Accuracy"].difference
    assert found.events == 5_299  # a tree predicts nothing of its first event
    gained = second.metrics["Accuracy"].lifetime - first.metrics["Accuracy"].lifetime
    assert found.mean == pytest.approx(gained, abs=2 / 5_299)
    assert found.low < found.mean < found.high
    assert not second.metrics["F1"].difference
    assert not first.metrics["Accuracy"].difference


def test_a_model_is_no_different_from_itself() -> None:
    """Zero, and an interval around it."""
    same = tried(stream("Phishing"), LOGISTIC, LOGISTIC).rows[1].metrics

    assert same["Accuracy"].difference.mean == same["LogLoss"].difference.mean == 0.0
    assert same["Accuracy"].difference.low < 0 < same["Accuracy"].difference.high


def test_records_are_compared_with_themselves_whatever_each_refuses() -> None:
    """One of the models refuses some: what follows is not compared with its neighbour."""
    events = [{"features": {"a": n % 7, "b": n % 5}, "label": n % 3 == 0} for n in range(1_000)]
    strict = LOGISTIC.replace("logistic", "strict") + "features: {b: {type: int, max: 3}}\n"
    kept = [each for each in events if each["features"]["b"] <= 3]

    first, second = tried(MadeSource(events), strict, LOGISTIC).rows
    alone, _ = tried(MadeSource(kept), strict, LOGISTIC).rows

    found = second.metrics["Accuracy"].difference
    assert (first.learned, second.learned, found.events) == (800, 1_000, 800)
    assert first.metrics == alone.metrics


def test_places_that_differ_are_paired_by_place() -> None:
    """And what one of them did not score is left out."""
    hits = {"Accuracy": EventLoss(lambda y, p, _: float(y == p), (0.0, 1.0))}
    pair = EventPairs(hits)

    pair.take(
        Scored([0, 1, 2, 4], {"Accuracy": [1.0, 0.0, math.nan, 0.0]}),
        Scored([0, 2, 3, 4], {"Accuracy": [0.0, 1.0, 1.0, 1.0]}),
    )

    told = pair.differences()["Accuracy"]
    assert (told.events, told.mean) == (2, 0.0)


def test_an_interval_holds_what_it_says() -> None:
    """Of 200 pairs of coins, seldom one whose interval is ever off, looked at again and again."""
    hits = {"Accuracy": EventLoss(lambda y, p, _: float(y == p), (0.0, 1.0))}
    off = 0
    for seed in range(200):
        rng, pair, is_off = random.Random(seed), EventPairs(hits), False
        for _ in range(10):
            first, other = (
                Scored(range(100), {"Accuracy": [float(rng.random() < p) for _ in range(100)]})
                for p in (0.7, 0.8)
            )
            pair.take(first, other)
            told = pair.differences()["Accuracy"]
            is_off = is_off or not told.low <= 0.1 <= told.high
        off += is_off
    assert off <= 10


@pytest.mark.parametrize("texts", [(LOGISTIC,), (LOGISTIC, TREE)])
def test_a_server_that_goes_away_leaves_the_rows_so_far(texts: tuple[str, ...]) -> None:
    """All models have seen the same; what ended it is told."""
    events = [{"features": {"a": float(n % 7)}, "label": n % 2 == 0} for n in range(1_000)]

    done = tried(MadeSource(events, breaks_at=730), *texts)

    assert isinstance(done.ended_by, KafkaUnavailableError)
    assert [row.learned for row in done.rows] == [700] * len(texts)


def test_a_source_that_cannot_be_read_at_all_is_an_error() -> None:
    """There are no rows to print."""
    with pytest.raises(KafkaUnavailableError):
        tried(MadeSource([{"features": {}, "label": True}], breaks_at=0), LOGISTIC)


def test_files_are_read_as_each_model_file_types_them(tmp_path) -> None:
    """Two readings in step, where the model files see other types."""
    path = tmp_path / "zip.csv"
    path.write_text("zip,label\n" + "".join(f"{n % 3}0{n % 2},{n % 2}\n" for n in range(400)))
    typed = (
        LOGISTIC.replace("logistic", "typed").replace(
            "preprocessing.StandardScaler", "preprocessing.OneHotEncoder"
        )
        + "features: {zip: {type: string}}\n"
    )

    source = FileSource(str(path), CsvColumns(label="label"), limit=None)
    assert source.total() == 400, "the line of the columns' names is no record"
    first, second = tried(source, LOGISTIC, typed).rows

    assert (first.learned, second.learned) == (400, 400)
    assert second.metrics["Accuracy"].lifetime > 0.98 > first.metrics["Accuracy"].lifetime


def test_a_stream_without_an_end_needs_a_limit() -> None:
    """It would be read for ever."""
    with pytest.raises(SendError, match="river:SEA has no end: say how much of it, as in --limit"):
        stream("SEA")
    assert tried(stream("SEA", 250), LOGISTIC).rows[0].learned == 250
    assert candidate(LOGISTIC, **{"a.l2": 0.5}).name == "logistic l2=0.5"


@pytest.mark.parametrize("first", [250, 300])
def test_scores_from_a_record_on_are_rivers_of_what_comes_after_it(first: int) -> None:
    """Progressive over all, as to the last bit River's metric that is updated from there on."""
    learners = {
        "model": compose.Pipeline(
            preprocessing.StandardScaler(), linear_model.LogisticRegression()
        ),
        "no_change": dummy.NoChangeClassifier(),
        "majority": dummy.PriorClassifier(),
    }
    rivers = {name: (metrics.Accuracy(), metrics.F1()) for name in learners}
    for place, (x, y) in enumerate(datasets.Phishing()):
        for name, model in learners.items():
            predicted = model.predict_one(x)
            for metric in rivers[name] if place >= first and predicted is not None else ():
                metric.update(y, predicted)
            model.learn_one(x, y)

    one, same, tree = tried(
        stream("Phishing"), LOGISTIC, LOGISTIC, TREE, scores_from=first, has_curve=True
    ).rows

    for place, name in enumerate(("Accuracy", "F1")):
        score = one.metrics[name]
        assert score.lifetime == rivers["model"][place].get()
        assert (score.no_change, score.majority) == (
            rivers["no_change"][place].get(), rivers["majority"][place].get(),
        )  # fmt: skip
    assert (one.learned, one.scored) == (1_250, 1_250 - first)
    assert one.metrics == {n: replace(s, difference=UNSET) for n, s in same.metrics.items()}
    found = tree.metrics["Accuracy"].difference
    gained = tree.metrics["Accuracy"].lifetime - one.metrics["Accuracy"].lifetime
    assert (found.events, found.mean) == (1_250 - first, pytest.approx(gained))
    assert all(point.events > first for point in one.curve)
