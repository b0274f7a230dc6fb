"""Topics compressed with any of Kafka's codecs are learned like others."""

from contextlib import closing

import msgspec
import pytest
from kafka import KafkaProducer

from tests.stream.rig import RECORDER, events, rig

COUNT = 500


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_events_are_learned_in_order(
    kafka_server, valkey_server, tmp_path, unique_name, codec
):
    """Each once, none refused."""
    text = RECORDER.format(name=unique_name, every_seconds=0.05)
    with rig(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, model_text=text
    ) as at:
        options = {"bootstrap_servers": at.kafka, "compression_type": codec, "linger_ms": 50}
        with closing(KafkaProducer(**options)) as producer:
            for event in events(COUNT, seed=1):
                producer.send(at.model_file.topics.events, msgspec.json.encode(event))

        process = at.start()
        at.until(lambda: at.consumed() == COUNT, "all are learned")
        assert at.stop(process) == 0
        assert at.payload()["estimator"].learned == [*range(COUNT)]
