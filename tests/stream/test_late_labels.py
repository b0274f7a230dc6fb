"""Labels that come late, on a real broker: each joined once, whatever is killed or taken back."""

from contextlib import closing

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from tests.stream.late_trial import late_trial, moments, send_moments
from tests.stream.rig import events, rig


@pytest.mark.parametrize("topics", [1, 2])
def test_each_label_is_joined_once_across_kills(place, topics, unique_name):
    """On one topic, equal to River's own loop with a dictionary, to the last bit."""
    del place["model_text"]
    kills, problems = late_trial(**place, name=unique_name, seed=topics, topics=topics)

    assert problems == []
    assert kills > 0


def test_a_rollback_keeps_what_waits(place):
    """Events that wait come from the head: their label is joined after the rollback, too."""
    made = events(60, seed=3)
    with rig(**place) as at:
        at.start()
        at.send_events(made[:20])
        at.until(lambda: at.consumed() == 20, "the first are learned")
        first = at.head()
        send_moments(at, [each for each in moments(made, 1) if not each[0]], topics=1)
        at.send_events(made[:20])
        at.until(lambda: at.consumed() == 100, "60 wait and 20 more are learned")
        before = at.head().manifest.counts

        operator = Operator(at.store, at.keys.signer("operator"), at.keys.verifier, who="test")
        order = Order(command="rollback", to=first.manifest.name, mode="forget", reason="test")
        operator.run(at.line, order)
        back = at.head().manifest.counts
        send_moments(at, [each for each in moments(made, 1) if each[0]], topics=2)
        at.until(lambda: at.consumed() == 160, "the labels are joined")
        after = at.head().manifest.counts

        assert (before.learned, before.pending) == (40, 60)
        assert (back.learned, back.forgotten, back.pending) == (20, 20, 60)
        assert (after.learned, after.pending, after.labels, after.refused) == (80, 0, 60, 0)


def test_a_label_of_nothing_is_a_dead_letter_of_its_topic(place):
    """With its bytes, and what was wrong."""
    with rig(**place) as at:
        at.start()
        send_moments(at, [(True, {"id": "nobody", "label": True})], topics=2)
        at.until(lambda: at.consumed() == 1, "it is refused")
        letters = f"dlq.{at.model_file.topics.labels}"
        consumer = KafkaConsumer(
            bootstrap_servers=at.kafka, auto_offset_reset="earliest", consumer_timeout_ms=10_000
        )
        consumer.assign([TopicPartition(letters, 0)])
        letter = next(iter(consumer))
        consumer.close(autocommit=False)

        assert msgspec.json.decode(letter.value) == {"id": "nobody", "label": True}
        headers = dict(letter.headers)
        assert headers["weir-dlq-reason"] == b"label_unknown"
        assert at.head().manifest.counts.refused_by == {"label_unknown": 1}


def test_an_answer_of_the_api_is_the_event_that_waits(place):
    """Whichever is read first, answer or label; what was served is scored beside."""
    place["model_text"] += "late_labels: {horizon: 1d, features: predictions}\n"
    made = events(300, seed=5)
    answers = [
        {
            "prediction_id": f"p-{n}", "model": "m", "version": "v1", "features": each["features"],
            "prediction": n % 2 == 0, "probabilities": {"true": 0.5, "false": 0.5},
        }
        for n, each in enumerate(made)
    ]  # fmt: skip
    labels = [{"id": f"p-{n}", "label": each["label"]} for n, each in enumerate(made)]
    with rig(**place) as at:
        process = at.start()
        at.until(lambda: at.head() is not None, "it has begun")
        publish(at, at.model_file.topics.labels, labels[:100])
        at.until(lambda: at.head().manifest.counts.pending == 100, "labels wait for their answers")
        at.kill(process)
        at.start()
        publish(at, at.model_file.topics.predictions, answers)
        publish(at, at.model_file.topics.labels, labels[100:] + labels[:3])
        at.until(lambda: at.consumed() == 603, "all is read")

        head = at.head().manifest
        right = [(n % 2 == 0) == each["label"] for n, each in enumerate(made)]
        assert (head.counts.learned, head.counts.labels, head.counts.pending) == (300, 300, 0)
        assert head.counts.refused_by == {"label_duplicate": 3}
        assert head.served["Accuracy"]["lifetime"] == sum(right) / 300
        assert sorted(at.payload()["estimator"].learned) == list(range(300))


def publish(at, topic, records):
    """In order."""
    with closing(KafkaProducer(bootstrap_servers=at.kafka, linger_ms=5)) as producer:
        sent = [producer.send(topic, value=msgspec.json.encode(each)) for each in records]
        for future in sent:
            future.get(timeout=30)


def test_a_transaction_that_stays_open_on_the_labels_holds_no_event_up(place):
    """The log has more labels then than may be read."""
    with rig(**place) as at:
        at.start()
        at.until(lambda: at.head() is not None, "it has begun")
        with closing(
            KafkaProducer(bootstrap_servers=at.kafka, transactional_id=f"{at.line.model}-labels")
        ) as producer:
            producer.init_transactions()
            producer.begin_transaction()
            producer.send(at.model_file.topics.labels, value=b'{"id": "x", "label": true}')
            producer.flush()
            at.send_events(events(200, seed=1))
            at.until(lambda: at.head().manifest.counts.learned == 200, "all is learned", 20)
            producer.abort_transaction()
        at.until(lambda: at.beat().get("state") == "idle", "nothing is left", 20)
        assert at.head().manifest.counts.refused == 0
