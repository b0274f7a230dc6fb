"""What of a source is in its topic already: each record that can be gone on from has a number.

The topic itself is asked, and no file beside it: a sender that was killed knows nothing of what
Kafka took last, and a record that is sent twice would be learned twice.
"""

import re
from collections.abc import Iterable
from contextlib import closing

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from config.settings import KafkaSettings
from stream.errors import KafkaUnavailableError
from stream.kafka import client as kafka_client

HEADER = "weir-source"

Header = tuple[str, bytes]
_POLL_MS = 500
# Anybody may write such a header: what is no number of ours is passed over.
_NUMBER = re.compile(rb"[0-9]{1,15}")
_AT_ITS_END = re.compile(r"#[0-9]{1,15}$")


def header(source: str, number: int) -> Header:
    """The header of a source's record.

    >>> header("river:Phishing", 17)
    ('weir-source', b'river:Phishing#17')
    """
    return HEADER, f"{source}#{number}".encode()


def unnumbered(source: str) -> str:
    """A source without the number that `header` gave its record.

    >>> unnumbered("river:Phishing#17"), unnumbered("till-3")
    ('river:Phishing', 'till-3')
    """
    return _AT_ITS_END.sub("", source)


class Sent:
    """The numbers of a source's records that are in its topic.

    Args:
        numbers: Those found.
        is_cut: The topic has lost its oldest records. What came before the greatest number found
            is then taken for sent, all of it where none is found: rather left out than sent twice.

    >>> 2 in Sent({0, 1, 3}), 2 in Sent({3}, is_cut=True), 9 in Sent([], is_cut=True)
    (False, True, True)
    """

    def __init__(self, numbers: Iterable[int], *, is_cut: bool = False) -> None:
        self._numbers = set(numbers)
        self._below = max(self._numbers, default=float("inf")) if is_cut else 0

    def __contains__(self, number: int) -> bool:
        return number < self._below or number in self._numbers

    def __len__(self) -> int:
        return len(self._numbers)


def sent_before(kafka: KafkaSettings, topic: str, source: str) -> Sent:
    """Read the whole topic, which exists, for what of `source` is in it.

    Raises:
        KafkaUnavailableError: Kafka does not answer.
    """
    begin_with = f"{source}#".encode()
    numbers: set[int] = set()
    try:
        consumer = KafkaConsumer(
            client_id="weir-send",
            group_id=None,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            **kafka_client.options(kafka),
        )
        with closing(consumer):
            places = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
            consumer.assign(places)
            begins, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
            while any(consumer.position(place) < ends[place] for place in places):
                for records in consumer.poll(timeout_ms=_POLL_MS).values():
                    values = (v for r in records for name, v in r.headers if name == HEADER)
                    ours = (v for v in values if v is not None and v.startswith(begin_with))
                    texts = (value.removeprefix(begin_with) for value in ours)
                    numbers.update(int(each) for each in texts if _NUMBER.fullmatch(each))
    except (KafkaError, OSError) as error:
        raise KafkaUnavailableError(str(kafka.bootstrap_servers), error) from error
    return Sent(numbers, is_cut=any(begins.values()))
