"""A labels topic that is deleted and made anew, or loses records, ends no learning."""

from contextlib import closing

import pytest
from kafka import KafkaAdminClient, TopicPartition

from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from checkpoints.reading.views import labels_view
from checkpoints.records.lineage import accounted, advanced
from stream.kafka import client as kafka_client
from tests.stream.late_trial import moments, send_moments
from tests.stream.rig import events, rig
from tests.stream.test_late_labels import publish

COUNT = 60


def send(at, made, first, following, *, labels):
    """Events without their label, or the labels, of these numbers; on topics of their own."""
    numbers = {f"e-{n}" for n in range(first, following)}
    some = [each for each in moments(made, 1) if each[0] == labels and each[1]["id"] in numbers]
    send_moments(at, some, topics=2)


def labels_anew(at, made, first, following):
    """Delete the labels topic, make it again, with labels of these numbers."""
    topic, kafka = at.model_file.topics.labels, at.settings("test").kafka
    with closing(KafkaAdminClient(bootstrap_servers=at.kafka)) as admin:
        admin.delete_topics([topic])
    at.until(lambda: not kafka_client.describe(kafka, [topic]), "the topic is gone")
    kafka_client.create_topics(kafka, at.model_file, partitions=1)
    send(at, made, first, following, labels=True)


def counts(at):
    return at.head().manifest.counts


def test_labels_made_anew_while_it_is_stopped(place):
    """The new topic is longer than the old one was: read on at its offset, labels would be lost."""
    made = events(COUNT, seed=1)
    with rig(**place) as at:
        process = at.start()
        send(at, made, 0, COUNT, labels=False)
        send(at, made, 0, 10, labels=True)
        at.until(lambda: at.head() and counts(at).labels == 10, "the first are joined")
        assert at.stop(process) == 0
        labels_anew(at, made, 10, COUNT)
        at.start()
        at.until(lambda: counts(at).labels == COUNT, "all are joined")

        head = at.head().manifest
        lost = head.begun_anew[at.model_file.topics.labels]
        assert (lost.times, lost.records) == (1, 10)
        assert (head.counts.learned, head.counts.pending, head.counts.refused) == (COUNT, 0, 0)
        assert accounted(head) == advanced(head) == 2 * COUNT
        assert labels_view(head)["topic_lost"] == 1
        at.until(lambda: "deleted and recreated" in str(at.beat()["last_error"]), "it is said")


def test_labels_made_anew_under_a_running_learner(place):
    """It waits while there is none, goes on from its head, and can be rolled back beyond."""
    made = events(COUNT, seed=2)
    with rig(**place) as at:
        at.start()
        send(at, made, 0, COUNT, labels=False)
        send(at, made, 0, 40, labels=True)
        at.until(lambda: at.head() and counts(at).labels == 40, "the first are joined")
        before = at.head()
        labels_anew(at, made, 40, 50)
        at.until(lambda: counts(at).labels == 50, "the next are joined")
        assert accounted(at.head().manifest) == advanced(at.head().manifest)

        operator = Operator(at.store, at.keys.signer("operator"), at.keys.verifier, who="test")
        order = Order(command="rollback", to=before.manifest.name, mode="forget", reason="test")
        operator.run(at.line, order)
        gap = at.head().manifest.rollback.gap
        assert gap == {at.model_file.topics.labels: {"0": (0, 10)}}
        send(at, made, 50, COUNT, labels=True)
        at.until(lambda: counts(at).labels == COUNT, "the rest is joined")
        assert (counts(at).learned, counts(at).forgotten) == (50, 10)


def test_labels_that_retention_overtakes(place):
    """They were never read: the learner goes on with the first that is left."""
    made = events(COUNT, seed=3)
    with rig(**place) as at:
        process = at.start()
        send(at, made, 0, COUNT, labels=False)
        send(at, made, 0, 10, labels=True)
        at.until(lambda: at.head() and counts(at).labels == 10, "the first are joined")
        assert at.stop(process) == 0
        send(at, made, 10, 30, labels=True)
        with closing(KafkaAdminClient(bootstrap_servers=at.kafka)) as admin:
            admin.delete_records({TopicPartition(at.model_file.topics.labels, 0): 20})
        at.start()
        at.until(lambda: counts(at).labels == 20, "what is left is joined")
        send(at, made, 30, 40, labels=True)
        at.until(lambda: counts(at).labels == 30, "what comes is joined")

        assert counts(at).pending == COUNT - 30
        assert accounted(at.head().manifest) <= advanced(at.head().manifest)


def test_a_label_that_comes_again_is_a_duplicate(place):
    """A new topic that holds what the old one held: each is learned once."""
    made = events(COUNT, seed=4)
    with rig(**place) as at:
        process = at.start()
        send(at, made, 0, COUNT, labels=False)
        send(at, made, 0, 10, labels=True)
        at.until(lambda: at.head() and counts(at).labels == 10, "the first are joined")
        assert at.stop(process) == 0
        labels_anew(at, made, 0, COUNT)
        at.start()
        at.until(lambda: counts(at).labels == COUNT, "all are joined")
        at.until(lambda: counts(at).refused == 10, "the first are refused")

        assert counts(at).refused_by == {"label_duplicate": 10}
        assert counts(at).learned == COUNT


def test_answers_are_scored_beside_events_of_another_topic(place):
    """Before their label or after it; learning waits for none, and their topic may be lost."""
    place["model_text"] += "late_labels: {horizon: 1d}\nlog: {predictions: 1.0}\n"
    made = events(COUNT, seed=5)
    answers = [
        {"prediction_id": f"e-{n}", "model": "m", "version": "v1", "prediction": n % 2 == 0,
         "features": {"x": 1}, "probabilities": {"true": 0.5, "false": 0.5}}
        for n in range(COUNT)
    ]  # fmt: skip
    with rig(**place) as at:
        process = at.start()
        send(at, made, 0, COUNT, labels=False)
        publish(at, at.model_file.topics.predictions, answers[:20])
        send(at, made, 0, 40, labels=True)
        at.until(lambda: at.head() and counts(at).learned == 40, "labels wait for no answer")
        publish(at, at.model_file.topics.predictions, answers[20:])
        at.until(lambda: at.consumed() == COUNT + 40 + COUNT, "all is read")
        at.kill(process)
        at.start()
        send(at, made, 40, COUNT, labels=True)
        at.until(lambda: counts(at).learned == COUNT, "all is learned")

        head = at.head().manifest
        right = [(n % 2 == 0) == each["label"] for n, each in enumerate(made)]
        assert head.served["Accuracy"]["lifetime"] == pytest.approx(sum(right) / COUNT)
        assert (head.counts.skipped, head.counts.refused) == (COUNT, 0)
        assert accounted(head) == advanced(head)
