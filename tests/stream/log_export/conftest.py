"""Fixtures of the exported log."""

import pytest

from tests.servers import SharedKafka
from tests.stream.log_export.answers import MakeTopics, ModelTopics, made


@pytest.fixture
def make_topics(kafka_server: SharedKafka, unique_name: str) -> MakeTopics:
    """`make_topics(more="", partitions=1)`: the topics of a model of the test's own."""

    def make(**options: object) -> ModelTopics:
        return made(kafka_server.address, unique_name, **options)

    return make
