"""What was learned in a stretch, by source and label: in bounded memory."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from learner.values import Event, Reason, Refusal
from stream.looking_back.event_log import ReadRecord
from stream.looking_back.learned import OTHER, LabelTally, by_source
from tests.learner.streams import model_file

BINARY = model_file("binary", {"river": ["linear_model.LogisticRegression"]}, labels=["DOWN", "UP"])
CLASSES = model_file("multiclass", {"river": ["naive_bayes.GaussianNB"]})


def a_record(offset: int, source: str | None, event: Event | Refusal) -> ReadRecord:
    headers = [] if source is None else [("weir-source", source.encode())]
    record = SimpleNamespace(
        topic="t", partition=0, offset=offset, timestamp=offset, value=b"{}", headers=headers
    )
    return ReadRecord(record, event)


def test_each_source_has_its_records_labels_and_offsets() -> None:
    found = by_source(
        [
            a_record(5, "shop", Event(features={}, label="UP")),
            a_record(6, None, Event(features={}, label=None)),
            a_record(7, "shop", Event(features={}, label="SIDEWAYS")),
            a_record(8, "shop", Refusal(Reason.not_json, "no JSON", "decode")),
            a_record(9, "shop", Event(features={}, label="UP")),
        ],
        BINARY,
    )

    assert found == [
        {
            "source": "shop", "records": 4, "refused": 2, "unlabelled": 0, "labels": {"UP": 2},
            "offsets": {"t": {"0": [5, 9]}},
        },
        {
            "source": None, "records": 1, "refused": 0, "unlabelled": 1, "labels": {},
            "offsets": {"t": {"0": [6, 6]}},
        },
    ]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=200))
def test_sums_are_right_and_what_is_beyond_a_limit_is_told_together(
    rows: list[tuple[int, int]],
) -> None:
    records = (
        a_record(n, f"s{source}", Event(features={}, label=label))
        for n, (source, label) in enumerate(rows)
    )

    found = by_source(records, CLASSES, sources_max=5, labels_max=4)

    assert sum(each["records"] for each in found) == len(rows)
    assert sum(sum(each["labels"].values()) for each in found) == len(rows)
    assert len(found) <= 6
    assert all(len(each["labels"]) <= 5 for each in found)
    if len({source for source, _ in rows}) > 5:
        assert OTHER in {each["source"] for each in found}


def test_numbers_are_told_by_their_range() -> None:
    tally = LabelTally(is_number=True)

    assert tally.body() == {"count": 0}
