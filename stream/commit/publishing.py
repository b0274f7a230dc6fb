"""What the publish gate says of a version that is being made."""

from msgspec import UNSET, UnsetType

from checkpoints.records.gate import GateRule, PublishGate
from checkpoints.records.manifest import Version
from checkpoints.records.publish_gate import begun_with, judged
from config.model.better import is_bigger_better
from config.model_file import ModelFile
from learner.trainer import Snapshot

__all__ = ["gate_of"]


def gate_of(
    snapshot: Snapshot,
    model_file: ModelFile,
    *,
    head: Version | None,
    is_rewind: bool,
    at_ms: int,
    released: int,
) -> PublishGate | UnsetType:
    """The gate of the version that holds `snapshot`; unset where the model file has none.

    Args:
        head: Its parent.
        is_rewind: It takes over from its parent by an operator's order, and is let through.
        at_ms: When it was cut.
        released: The number of the version that operators have let through last, 0 for none.
    """
    publish = model_file.publish
    if publish is None:
        return UNSET
    rule = GateRule(
        score=publish.score,
        margin=publish.margin,
        window=model_file.scores.rolling,
        is_bigger_better=is_bigger_better(publish.score),
    )
    metrics, scored = snapshot.metrics, snapshot.scored
    if is_rewind:
        return begun_with(rule, metrics=metrics, scored=scored)
    return judged(rule, head, metrics=metrics, scored=scored, at_ms=at_ms, released=released)
