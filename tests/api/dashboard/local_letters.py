"""Dead letters without Kafka, as the publisher of `running` takes records without."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LocalLetter:
    """One dead letter."""

    id: str
    topic: str
    partition: int = 0
    offset: int
    reason: str
    stage: str = "gate"
    detail: str
    at_ms: int
    size: int
    key: bytes | None
    value: bytes


class LocalLetters:
    """Letters of one topic.

    Args:
        values: Of each reason, detail, and the record's bytes.
    """

    def __init__(self, topic: str, values: Sequence[tuple[str, str, bytes]]) -> None:
        self.topic = topic
        self.letters = [
            LocalLetter(
                id=f"{topic}-0-{offset}", topic=topic, offset=offset, reason=reason, detail=detail,
                at_ms=1_795_000_000_000 + offset, size=len(value), key=b"order-7",
                value=value[:1024],
            )
            for offset, (reason, detail, value) in enumerate(values)
        ]  # fmt: skip

    def last(
        self, topics: Sequence[str], *, model: str, reason: str | None, limit: int
    ) -> Sequence[LocalLetter]:
        """The newest first."""
        assert self.topic in topics
        assert self.topic.startswith(model)
        return [it for it in reversed(self.letters) if reason in (None, it.reason)][:limit]
