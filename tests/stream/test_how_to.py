"""The program that a how-to prints does what it says, on a real broker."""

import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

from kafka import KafkaConsumer

from config.model_file import parse_model_file
from config.settings import KafkaSettings, load_settings
from learner.values import Reason, Refusal
from stream.kafka import client as kafka_client
from stream.kafka.dead_letters import DeadLetters
from tests.servers import SharedKafka

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "dead-letters.md"
MODEL = "name: {}\ntask: binary\nlearner: {{river: [linear_model.LogisticRegression]}}\n"


def program(address: str, topic: str) -> str:
    """The page's program, for a topic and a broker of the test's own."""
    (text,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return text.replace("127.0.0.1:9092", address).replace("returns.events", topic)


FORGED = [("weir-dlq-reason", b"forged"), ("Weir-DLQ-Id", b"x-1-2"), ("trace", b"\xff")]


def refuse(kafka: KafkaSettings, topic: str, values: list[bytes | None]) -> None:
    """Write a dead letter for each, as a learner would; their producer used names of ours."""
    with closing(DeadLetters(kafka, "m")) as letters:
        for offset, value in enumerate(values):
            record = SimpleNamespace(
                topic=topic, partition=0, offset=offset, key=None, value=value, headers=FORGED
            )
            letters.send(record, Refusal(Reason.not_json, "no JSON", "decode"))
        letters.flush()


def test_dead_letters_are_read_as_the_page_says(
    kafka_server: SharedKafka, unique_name: str
) -> None:
    """Reason, place and bytes, of a record without a value too; then it ends.

    A producer's own headers named as ours are not taken for ours, and are all there.
    """
    given = {"kafka": {"bootstrap_servers": kafka_server.address}}
    kafka = load_settings(given, environ={}).kafka
    model = parse_model_file(MODEL.format(unique_name))
    kafka_client.create_topics(kafka, model, partitions=1)
    topic = model.topics.events
    refuse(kafka, topic, [b"\x00 nonsense", None])

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program(kafka_server.address, topic)],
        capture_output=True, text=True, check=True, timeout=50,
    )  # fmt: skip

    assert done.stdout.splitlines() == [
        f"not_json  {topic}-0 at 0  no JSON",
        r"    b'\x00 nonsense'",
        f"not_json  {topic}-0 at 1  no JSON",
        "    b''",
    ]
    renamed = [(f"original-{name}", value) for name, value in FORGED[:2]]
    consumer = KafkaConsumer(
        kafka_client.dead_letter_topic(topic), bootstrap_servers=kafka_server.address,
        group_id=None, auto_offset_reset="earliest", consumer_timeout_ms=1000,
    )  # fmt: skip
    with closing(consumer):
        for letter in consumer:
            assert letter.headers[:3] == [*renamed, FORGED[2]]
            assert dict(letter.headers)["weir-dlq-reason"] == b"not_json"
