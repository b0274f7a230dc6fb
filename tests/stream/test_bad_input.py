"""Each kind of bad input on a real broker: refused, counted, kept; and learning goes on."""

from contextlib import closing
from hashlib import sha256

import msgspec
import pytest
from kafka import KafkaAdminClient

from learner.values import Reason
from stream.kafka import client as kafka_client
from tests.stream.poison import (
    GOOD,
    MODEL,
    POISON,
    TEN_MB,
    Sent,
    dead_letters,
    headers,
    problems,
    publish,
    trial,
    truth,
)
from tests.stream.rig import events, rig


@pytest.fixture
def place(place, unique_name):
    """Where a rig finds its servers, and a model text with a name of its own."""
    return {**place, "model_text": MODEL.format(name=unique_name)}


def test_each_kind_of_bad_input_is_refused_and_kept(place):
    """Once each, and ten megabytes, among good events that are scored as if they were alone."""
    made = events(len(POISON) + 1, seed=5)
    kinds = [*POISON, (TEN_MB, Reason.too_large)]
    sent = []
    for event, poison in zip(made, kinds, strict=True):
        sent += [Sent(*poison), Sent(msgspec.json.encode(event), None)]
    with rig(**place) as at:
        offsets = publish(at, sent)
        process = at.start()
        at.until(lambda: at.consumed() == len(sent), "all is consumed")
        assert at.stop(process) == 0

        assert problems(at, made, sent, offsets) == []


def test_poison_changes_neither_scores_nor_counts(
    kafka_server, valkey_server, tmp_path, unique_name
):
    """400 poison records among 20,000 good ones."""
    found = trial(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, name=unique_name,
        good=20_000, poison=400,
    )  # fmt: skip

    assert found == []


def test_a_letter_too_large_for_its_topic_goes_in_part(place, unique_name):
    """The first 64 KiB, the hash of the whole, and a mark; what fits goes whole."""
    topic = kafka_client.dead_letter_topic(f"{unique_name}.events")
    with closing(KafkaAdminClient(bootstrap_servers=place["kafka"])) as admin:
        options = {"configs": {"max.message.bytes": "100000"}}
        admin.create_topics(
            {topic: {"num_partitions": 1, "replication_factor": 1, **options}},
            wait_for_metadata=True,
        )
    large = b'{"features": {"a": "' + b"x" * 200_000 + b'"}, "label": true}'
    sent = [Sent(b"{", Reason.not_json), Sent(large, Reason.too_large), Sent(GOOD + b"}", None)]
    with rig(**place) as at:
        publish(at, sent)
        process = at.start()
        at.until(lambda: at.consumed() == 3, "all is consumed")
        assert at.stop(process) == 0
        small, part = dead_letters(at)

    assert small.value == b"{"
    assert "weir-dlq-truncated" not in headers(small)
    assert (part.value, part.key) == (large[: 64 * 1024], b"k")
    assert headers(part)["weir-dlq-truncated"] == "true"
    assert headers(part)["weir-dlq-sha256"] == sha256(large).hexdigest()
    assert headers(part)["weir-dlq-reason"] == "too_large"


def test_a_tombstone_without_key_is_kept_too(place):
    """A letter needs a key or a value, so the value becomes empty: the reason says what it was."""
    with rig(**place) as at:
        publish(at, [Sent(None, Reason.tombstone)], key=None)
        process = at.start()
        at.until(lambda: at.consumed() == 1, "it is consumed")
        assert at.stop(process) == 0
        (letter,) = dead_letters(at)

    assert (letter.value, letter.key) == (b"", None)
    assert headers(letter)["weir-dlq-reason"] == "tombstone"


def test_a_duplicate_is_refused_after_a_restart_too(place):
    """The ids seen are part of the version; those of refused events are not among them."""
    made = [{**event, "id": f"e-{n}"} for n, event in enumerate(events(4, seed=9))]
    unfit = {**made[3], "label": "maybe"}
    with rig(**place) as at:
        at.send_events([made[0], made[1], made[0], unfit])
        process = at.start()
        at.until(lambda: at.consumed() == 4, "the first are consumed")
        assert at.stop(process) == 0
        at.send_events([made[1], made[2], made[3]])
        process = at.start()
        at.until(lambda: at.consumed() == 7, "the others are consumed")
        assert at.stop(process) == 0
        counts = at.head().manifest.counts
        metrics = at.head().manifest.metrics

    assert (counts.learned, dict(counts.refused_by)) == (4, {"duplicate": 2, "bad_label": 1})
    lifetime = {name: of["lifetime"] for name, of in metrics.items()}
    assert lifetime == truth(made)
