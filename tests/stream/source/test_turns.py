"""Events and labels of two topics: each label behind its event, and before what came later."""

import random
from types import SimpleNamespace

from stream.source.turns import DISORDER, Turns

EVENTS, MORE, LABELS = ("e", 0), ("e", 1), ("l", 0)


def records(*times):
    return [SimpleNamespace(timestamp=time) for time in times]


def taken(turns, positions, *, has_more=False):
    """Topic and time of each record, in order."""
    found = turns.ready(positions, lambda: has_more)
    return [(topic, record.timestamp) for topic, _, each in found for record in each]


def test_events_alone_are_taken_as_they_come():
    """Partition by partition."""
    turns = Turns()
    turns.add_events(EVENTS, records(3, 1))
    turns.add_events(MORE, records(2))

    assert taken(turns, {EVENTS: 2, MORE: 1}) == [("e", 3), ("e", 1), ("e", 2)]
    assert turns.is_empty


def test_a_label_waits_for_the_events_that_were_there_when_it_was_read():
    """Of every partition: to the end, or so many later ones that none before can be missing."""
    turns = Turns()
    turns.add_labels(LABELS, records(5), {EVENTS: 2 * DISORDER, MORE: 3})
    assert taken(turns, {EVENTS: 0, MORE: 3}) == []

    turns.add_events(EVENTS, records(4, *range(9, 9 + DISORDER - 1)))
    assert taken(turns, {EVENTS: DISORDER, MORE: 3}) == [("e", 4)]
    assert not turns.is_empty

    turns.add_events(EVENTS, records(4, 9_000))
    found = taken(turns, {EVENTS: DISORDER + 2, MORE: 3})
    assert found[: DISORDER + 1] == [*[("e", time) for time in range(9, 9 + DISORDER - 1)],
                                     ("e", 4)][:DISORDER + 1]  # fmt: skip
    assert taken(turns, {EVENTS: 2 * DISORDER, MORE: 3}) == [("l", 5), ("e", 9_000)]
    assert turns.is_empty


def test_an_event_of_the_future_holds_up_nothing_behind_it():
    """Whatever a producer's clock says: labels go behind the events that stand behind it."""
    turns = Turns()
    turns.add_events(EVENTS, records(1, 10**15))
    turns.add_events(EVENTS, records(2, 3))
    turns.add_labels(LABELS, records(4), {EVENTS: 4})

    found = taken(turns, {EVENTS: 4})
    assert found == [("e", 1), ("e", 10**15), ("e", 2), ("e", 3), ("l", 4)]


def test_times_that_fall_cost_little():
    """Each batch may lower those of all that wait, once."""
    turns = Turns()
    for first in range(20_000, 0, -100):
        turns.add_events(EVENTS, records(*range(first, first - 100, -1)))

    assert turns.held() == {EVENTS: 20_000}
    turns.add_labels(LABELS, records(1), {EVENTS: 20_000})
    assert [topic for topic, _ in taken(turns, {EVENTS: 20_000})] == ["e"] * 20_000 + ["l"]


def test_events_wait_for_labels_that_are_still_to_be_read():
    """A line that is behind learns in the order in which things happened."""
    turns = Turns()
    turns.add_events(EVENTS, records(1, 5, 9))
    assert taken(turns, {EVENTS: 3}, has_more=True) == []
    assert turns.held() == {EVENTS: 3}

    turns.add_labels(LABELS, records(2, 6), {EVENTS: 3})
    assert taken(turns, {EVENTS: 3}, has_more=True) == [("e", 1), ("l", 2), ("e", 5), ("l", 6)]
    assert taken(turns, {EVENTS: 3}) == [("e", 9)]


def test_an_event_of_the_same_time_goes_first():
    """Clocks have a grain."""
    turns = Turns()
    turns.add_labels(LABELS, records(5), {EVENTS: 1})
    turns.add_events(EVENTS, records(5))

    assert taken(turns, {EVENTS: 1}) == [("e", 5), ("l", 5)]


def test_whatever_is_read_when_all_is_taken_once_in_the_order_of_its_partition():
    """And no label before its event, where the event came first."""
    for seed in range(50):
        rng = random.Random(seed)
        events = {
            EVENTS: sorted(rng.choices(range(40), k=20)),
            MORE: sorted(rng.choices(range(40), k=9)),
        }
        labels = sorted(rng.choices(range(5, 50), k=15))
        ends = {key: len(times) for key, times in events.items()}
        turns, positions, read, order = Turns(), dict.fromkeys(events, 0), 0, []
        while read < len(labels) or positions != ends or not turns.is_empty:
            key = rng.choice([*events, LABELS])
            count = rng.randrange(4)
            if key == LABELS:
                some = labels[read : read + count]
                read += len(some)
                if some:
                    turns.add_labels(key, records(*some), ends)
            else:
                some = events[key][positions[key] : positions[key] + count]
                positions[key] += len(some)
                if some:
                    turns.add_events(key, records(*some))
            order += taken(turns, positions, has_more=read < len(labels))
        assert [time for topic, time in order if topic == "l"] == labels
        assert sorted(time for topic, time in order if topic == "e") == sorted(
            [*events[EVENTS], *events[MORE]]
        )
        for place, (topic, time) in enumerate(order):
            if topic == "l":
                assert all(other > time for kind, other in order[place:] if kind == "e")
