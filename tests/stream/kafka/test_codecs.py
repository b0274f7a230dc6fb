"""Topics compressed with any of Kafka's codecs are learned like others."""

from contextlib import closing

import msgspec
from kafka import KafkaProducer

from tests.stream.rig import RECORDER, events, rig

CODECS = ("gzip", "snappy", "lz4", "zstd")
EACH = 200


def test_compressed_events_are_learned_in_order(kafka_server, valkey_server, tmp_path, unique_name):
    """Each once, none refused; one topic may hold them all."""
    made = events(EACH * len(CODECS), seed=1)
    text = RECORDER.format(name=unique_name, every_seconds=0.05)
    with rig(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, model_text=text
    ) as at:
        for number, codec in enumerate(CODECS):
            options = {"bootstrap_servers": at.kafka, "compression_type": codec, "linger_ms": 50}
            with closing(KafkaProducer(**options)) as producer:
                for event in made[number * EACH : (number + 1) * EACH]:
                    producer.send(at.model_file.topics.events, msgspec.json.encode(event))

        process = at.start()
        at.until(lambda: at.consumed() == len(made), "all are learned")
        assert at.stop(process) == 0
        assert at.payload()["estimator"].learned == [*range(len(made))]
