"""The feed: records into batches, and the learner's answers back to their records."""

from dataclasses import dataclass

import msgspec

from learner.build import build_screen
from learner.events.decode import decoder
from learner.values import Reason
from stream.between.messages import Took, decode, encode
from stream.between.positions import fingerprint
from stream.source.columns import Columns
from stream.source.in_flight import Feed
from tests.learner.streams import model_file

FILE = model_file("binary", {"river": ["linear_model.LogisticRegression"]})
CLEAN = Took(100, [], [])


@dataclass
class Record:
    value: bytes | None
    offset: int
    timestamp: int = 1_700_000_000_000
    headers: tuple = ()


def records(count, first=0, bad=()):
    """Consecutive records, some of them no JSON."""
    return [
        Record(b"{" if n in bad else msgspec.json.encode({"features": {"a": n}, "label": True}), n)
        for n in range(first, first + count)
    ]


def feed(*, is_warm=True):
    """A feed whose learner has proved quick, or one that has just begun."""
    made = Feed(Columns(decoder(FILE), build_screen(FILE)))
    if is_warm:
        for n in range(7):
            made.add("warm", 0, records(2**n))
            for _ in list(made.batches()):
                made.took(CLEAN)
    return made


def test_batches_are_consecutive_and_hold_every_record_once():
    """A hundred at most, the anchor being the last record's."""
    one = feed()
    polled = records(250, first=7)
    one.add("t", 3, polled)

    sent = [decode(encode(batch)) for batch in one.batches()]

    assert [(batch.first, batch.count) for batch in sent] == [(7, 100), (107, 100), (207, 50)]
    offsets = [offset for batch in sent for offset in batch.examples.offsets]
    assert offsets == list(range(7, 257))
    assert [batch.examples.partition for batch in sent] == [3, 3, 3]
    last = polled[-1]
    assert sent[-1].anchor == fingerprint(last.offset, last.value, last.timestamp)
    assert not one.is_empty
    for _ in sent:
        one.took(CLEAN)
    assert one.is_empty


def test_what_is_refused_comes_back_with_its_record_in_order():
    """By the screen here, and by the gate in the other process: places are told apart."""
    one = feed()
    one.add("t", 0, records(6, bad={1, 4}))

    (batch,) = one.batches()
    answer = Took(
        3, [(0, "duplicate", "seen", "gate", ""), (2, "bad_label", "no", "gate", "x")], []
    )
    taken = one.took(answer)

    assert batch.refused == ["not_json", "not_json"]
    assert batch.examples.offsets == [0, 2, 3, 5]
    assert [(record.offset, refusal.reason) for record, refusal in taken.refused] == [
        (0, Reason.duplicate), (1, Reason.not_json), (3, Reason.bad_label), (4, Reason.not_json),
    ]  # fmt: skip
    assert [refusal.mend for _, refusal in taken.refused][:3] == ["", "", "x"]


def test_what_is_in_flight_is_bounded():
    """By records and by bytes; what is taken makes room."""
    one = feed()
    one.add("t", 0, records(20_000))
    sent = len(list(one.batches()))

    assert sent == 100
    assert not one.has_room
    one.took(CLEAN)
    assert len(list(one.batches())) == 1

    huge = feed()
    huge.add("t", 0, [Record(b"{" * (40 << 20), 0)])
    huge.add("t", 0, [Record(b"{" * (40 << 20), 1)])
    huge.add("t", 0, [Record(b"{", 2)])
    assert len(list(huge.batches())) == 2
    huge.took(Took(0, [], []))
    assert len(list(huge.batches())) == 1


def test_what_waits_is_all_that_was_added_and_not_taken():
    """Sent or not; of what is passed over, the one record that the learner answers for."""
    one = feed()
    one.add("t", 0, records(150))
    one.add("t", 0, records(30, first=150), is_left_out=True)
    assert one.waiting == 180

    sent = list(one.batches())
    assert (len(sent), one.waiting) == (3, 151)
    for left in (51, 1, 0):
        one.took(CLEAN)
        assert one.waiting == left


def test_batches_are_as_long_as_the_learner_is_quick():
    """It looks at its orders between two of them; what is queued is a few seconds' work at most."""
    one = feed(is_warm=False)
    one.add("t", 0, records(3000))
    sizes = []
    while not one.is_empty and len(sizes) < 400:
        batches = list(one.batches())
        assert sum(batch.count for batch in batches) <= 100 * max(batch.count for batch in batches)
        for batch in batches:
            sizes.append(batch.count)
            one.took(Took(batch.count, [], [], batch.count * 0.02))

    assert sizes[0] == 1
    assert max(sizes) == 2  # 20 ms an event, 50 ms a batch


def test_one_slow_event_is_a_batch():
    """However slow it is."""
    one = feed()
    one.add("t", 0, records(1000))
    assert next(iter(one.batches())).count == 100
    one.took(Took(100, [], [], 70.0))

    assert next(iter(one.batches())).count == 1
