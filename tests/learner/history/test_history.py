"""The history: the same rows whoever takes the events, however they are cut, and never too many."""

from itertools import pairwise

import pytest

from checkpoints.unpickle import loads
from learner.history.history import PAST_ROWS, RECENT_ROWS, SEGMENT, History
from learner.history.reading import by_score, is_of_history, rows_of, thinned
from learner.history.rows import CHUNK_ROWS
from learner.trainer import Saved, Trainer
from learner.values import Event
from tests.learner.streams import binary, model_file, only_numbers
from tests.learner.taking import Taking

LEARNER = {"river": ["preprocessing.StandardScaler", "linear_model.LogisticRegression"]}
FILE = model_file("binary", LEARNER, metrics=["Accuracy", "ROCAUC"])
EVENTS = [Event(features=x, label=y) for x, y in only_numbers(binary(1000))]


def segments_of(trainer, written=()):
    """What a version keeps of the history."""
    found = trainer.snapshot(version="v1", written=written).segments
    return {name: raw for name, raw in found.items() if is_of_history(name)}


def taken(sizes, file=FILE, events=EVENTS):
    """A trainer that took the events in batches of these sizes, again and again."""
    trainer, taking, first = Trainer(file), Taking(file), 0
    while first < len(events):
        for size in sizes:
            some = events[first : first + size]
            stamps = [1_700_000_000_000 + first + n for n in range(len(some))]
            taking.all(trainer, some, first=first, timestamps=stamps)
            first += size
    return trainer


def going_on(trainer, file=FILE):
    """The trainer as a version brings it back."""
    snapshot = trainer.snapshot(version="v1")
    payload = loads(snapshot.segments["model"], ())
    return Trainer(file, None, Saved(payload=payload, segments=snapshot.segments, refused_by={}))


def filled(rows, *, scores=1):
    history = History(scores)
    for _ in range(rows):
        history.add({"learned": history.due, "Accuracy rolling": history.due / 2})
    return history


def test_no_bit_depends_on_how_the_events_were_cut():
    whole = segments_of(taken([len(EVENTS)]))

    assert segments_of(taken([1])) == whole
    assert segments_of(taken([7, 250, 3])) == whole


def test_a_row_has_the_scores_as_they_were_at_that_event():
    row = rows_of(segments_of(taken([1000])))[2]
    then = taken([300], events=EVENTS[:300])

    assert (row["learned"], row["scored"], row["at_ms"]) == (300, 300, 1_700_000_000_299)
    for name, told in then.report().items():
        assert row[f"{name} rolling"] == told["rolling"]
        assert row[f"{name} lifetime"] == told["lifetime"]
        assert row[f"{name} no_change"] == told["no_change"]


def test_what_was_brought_back_goes_on_as_if_it_had_never_stopped():
    first = taken([350], events=EVENTS[:350])
    back, taking = going_on(first), Taking(FILE)
    stamps = [1_700_000_000_000 + n for n in range(350, 1000)]
    taking.all(back, EVENTS[350:], first=350, timestamps=stamps)

    assert segments_of(back) == segments_of(taken([1000]))


def test_an_older_version_without_a_history_begins_one_where_it_is():
    first = taken([350], events=EVENTS[:350])
    snapshot = first.snapshot(version="v1")
    older = {name: raw for name, raw in snapshot.segments.items() if not is_of_history(name)}
    saved = Saved(payload=loads(snapshot.segments["model"], ()), segments=older, refused_by={})

    back = Trainer(FILE, None, saved)
    Taking(FILE).all(back, EVENTS[350:], first=350)

    assert [row["learned"] for row in back.history.rows()][:2] == [450, 550]


def test_scores_that_come_and_go_are_told_where_they_were():
    only = model_file("binary", LEARNER, metrics=["Accuracy"])
    back = going_on(taken([500], events=EVENTS[:500]), only)
    Taking(only).all(back, EVENTS[500:], first=500)

    found = by_score(rows_of(segments_of(back)), ["Accuracy", "ROCAUC"])

    assert None not in found["Accuracy"]["rolling"]
    assert [value is None for value in found["ROCAUC"]["rolling"]] == [False] * 5 + [True] * 4


def test_an_event_that_cannot_be_predicted_moves_no_row():
    """A learner that raises on what it has learned: the rows are those of a stream without it."""
    learner = {"python": "tests.stream.raising:Spoilt"}
    file = model_file("binary", learner, metrics=["Accuracy"], trust=["tests"])
    first = [Event(features={"n": n}, label=bool(n % 3)) for n in range(500)]
    mixed = [*first[:90], *first[:20], *first[90:100], *first[20:60], *first[100:]]

    with_repeats = taken([64], file=file, events=mixed)
    without = taken([64], file=file, events=first)

    assert with_repeats.refused_by == {"learn_error": 60}
    assert [_untimed(row) for row in with_repeats.history.rows()] == [
        _untimed(row) for row in without.history.rows()
    ]
    assert len(list(without.history.rows())) == 5


def _untimed(row):
    return {name: value for name, value in row.items() if name != "at_ms"}


def test_there_are_never_more_rows_than_the_limit_and_the_newest_are_all_there():
    history = filled(6_000)
    rows = [row["learned"] for row in history.rows()]

    assert RECENT_ROWS + PAST_ROWS / 2 <= len(rows) <= RECENT_ROWS + CHUNK_ROWS + PAST_ROWS
    assert {b - a for a, b in pairwise(rows[-RECENT_ROWS:])} == {4_000}
    assert rows == sorted(set(rows))
    assert rows[0] < rows[-1] / 100


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 65, 1_200, 3_000])
def test_a_version_writes_what_the_one_before_has_not(rows):
    history = filled(rows)
    before = history.segments()
    history.add({"learned": history.due, "Accuracy rolling": 0.0})

    more = history.segments(written=before)
    restored = History(1)
    restored.restore({**before, **more}, learned=0)

    assert len(more) <= 1 + (rows % CHUNK_ROWS == CHUNK_ROWS - 1) + 1
    assert list(restored.rows()) == list(history.rows())
    assert (restored.due, restored.segments()) == (history.due, history.segments())
    assert len(more[SEGMENT]) < 8_000


def test_points_are_even_and_end_with_the_newest():
    rows = [{"learned": n} for n in range(1000)]

    assert thinned(rows, 1000) == rows
    assert [row["learned"] for row in thinned(rows, 3)] == [331, 665, 999]
    assert thinned([], 10) == []
