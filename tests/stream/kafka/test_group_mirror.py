"""Kafka's group mirrors the head: for lag tools, and to tell an emptied store from a new model."""

from types import SimpleNamespace

import pytest
from kafka import TopicPartition

from config.settings import KafkaSettings
from stream.kafka import client as kafka_client
from stream.kafka.group_mirror import GroupMirror, highest_mirrored


@pytest.fixture
def kafka(kafka_server):
    return KafkaSettings(bootstrap_servers=kafka_server.address)


def head(number, topic, offset):
    return SimpleNamespace(number=number, offsets={topic: {"0": offset}})


def test_the_last_head_shown_is_mirrored_at_the_end(kafka, make_topic, unique_name):
    """Offsets for lag tools, the number for whoever begins again."""
    topic = make_topic()
    assert kafka_client.mirrored(kafka, unique_name) == {}
    assert highest_mirrored(kafka, unique_name) == 0
    mirror = GroupMirror(kafka, unique_name)
    mirror.start()

    mirror.show(head(3, topic, 10))
    mirror.show(head(7, topic, 25))
    mirror.end()

    found = kafka_client.mirrored(kafka, unique_name)
    assert {key: value.offset for key, value in found.items()} == {TopicPartition(topic, 0): 25}
    assert highest_mirrored(kafka, unique_name) == 7


def test_offsets_of_another_tool_have_no_number(kafka, make_topic, unique_name):
    """They are history all the same."""
    topic = make_topic()
    mirror = GroupMirror(kafka, unique_name)
    mirror._write(head("none", topic, 4))

    assert highest_mirrored(kafka, unique_name) == -1
    assert kafka_client.mirrored(kafka, unique_name)
