"""A line that was poisoned: real versions of a real learner, and the log that they were made of."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
from kafka import KafkaProducer

from checkpoints.records.manifest import Version
from tests.learner.streams import Pair, binary, only_numbers
from tests.stream.looking_back.judging.poisoned import POISONS
from tests.stream.rig import Rig, rig

MODEL = """
name: {name}
task: binary
learner: {{river: [preprocessing.StandardScaler, linear_model.LogisticRegression]}}
metrics: [Accuracy, LogLoss]
checkpoint: {{every_seconds: 0.05, keep: {{last: 200}}}}
log: {{predictions: 1.0}}
"""
CHUNK = 100
GOOD, BAD, AFTER = 12, 3, 5  # chunks
GOOD_SOURCE, BAD_SOURCE = b"shop", b"scraper"
RUN = "import weir; weir.main()"


class PoisonedLine:
    """Twelve chunks of good events, three of bad ones, five of good ones; a commit after each.

    Attributes:
        at: Its rig.
        pairs: What was sent, in order.
        poison: The first poisoned offset, and the first good one after.
    """

    def __init__(self, at: Rig, poison: str) -> None:
        self.at = at
        self.poison = (GOOD * CHUNK, (GOOD + BAD) * CHUNK)
        good = only_numbers(binary((GOOD + BAD + AFTER) * CHUNK, seed=31))
        self.pairs = [
            POISONS[poison](pair) if self.poison[0] <= place < self.poison[1] else pair
            for place, pair in enumerate(good)
        ]

    def learn(self) -> None:
        """Have all of it learned, a chunk at a time."""
        process = self.at.start()
        for first in range(0, len(self.pairs), CHUNK):
            is_bad = self.poison[0] <= first < self.poison[1]
            source = BAD_SOURCE if is_bad else GOOD_SOURCE
            self.send(self.pairs[first : first + CHUNK], source)
            self.at.until(lambda end=first + CHUNK: self.at.consumed() == end, "a chunk is learned")
        assert self.at.stop(process) == 0

    def send(self, pairs: Sequence[Pair], source: bytes) -> None:
        """Publish events, each with its source."""
        topic = self.at.model_file.topics.events
        with closing(KafkaProducer(bootstrap_servers=self.at.kafka, linger_ms=20)) as producer:
            sent = [
                producer.send(
                    topic,
                    msgspec.json.encode({"features": x, "label": y}),
                    headers=[("weir-source", source)],
                    partition=0,
                )
                for x, y in pairs
            ]
            producer.flush()
            assert all(each.succeeded() for each in sent)

    def publish(self, topic: str, value: dict[str, Any]) -> None:
        """One record of another topic."""
        with closing(KafkaProducer(bootstrap_servers=self.at.kafka)) as producer:
            producer.send(topic, msgspec.json.encode(value), partition=0).get(timeout=30)

    def version_at(self, offset: int) -> Version:
        """The first version that had learned all before an offset."""
        versions = list(self.at.reader().versions(limit=1000))
        topic = self.at.model_file.topics.events
        reached = [v for v in versions if v.manifest.offsets[topic]["0"] >= offset]
        return min(reached, key=lambda each: each.number)

    def weir(self, *words: str) -> tuple[int, str, str]:
        """`weir` as it is typed; its exit code, and what it printed."""
        keys = self.at.folder / "keys"
        environ = {
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "WEIR_KAFKA__BOOTSTRAP_SERVERS": self.at.kafka,
            "WEIR_REDIS__URL": self.at.redis,
            "WEIR_SIGNING__OPERATOR_KEY": str(keys / "operator.pem"),
            "WEIR_SIGNING__LEARNER_PUBLIC": str(keys / "learner.pub"),
        }
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", RUN, *words],
            cwd=self.at.folder, env={**os.environ, **environ},
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr


@contextmanager
def poisoned_line(poison: str, *, name: str, **place: Any) -> Iterator[PoisonedLine]:
    """A line that has learned all of it."""
    with rig(model_text=MODEL.format(name=name), **place) as at:
        line = PoisonedLine(at, poison)
        line.learn()
        yield line
