"""The publish gate: which versions are held back, judged from signed values alone. Pure.

A version is held back where the rolling value of its score is worse by more than the margin than
the best of those let through within the last window of scored events. By the last one alone a model
that is spoilt slowly, or committed often, would slip through step by step.

    state      what is done                            what moves it on
    beginning  everything is let through               a window of events is scored: open
    open       a value is compared with the best of    worse by more than the margin: held
               the last window
    held       values are compared with the best that  within the margin, or let through by an
               stood when it began; the last version   operator: open
               let through is served

The versions of a rollback or a rewind are an operator's order, and are let through.
"""

from collections.abc import Mapping

from msgspec import UnsetType
from msgspec.structs import replace

from checkpoints.records.gate import GateRule, HeldBack, PublishGate
from checkpoints.records.line import Pointer
from checkpoints.records.manifest import Manifest, Version

__all__ = ["begun_with", "judged", "let_through"]

Scores = Mapping[str, Mapping[str, float | None]]


def judged(
    rule: GateRule,
    head: Version | None,
    *,
    metrics: Scores,
    scored: int,
    at_ms: int,
    released: int,
) -> PublishGate:
    """The gate of the version that follows `head`.

    Args:
        rule: As the model file has it now. What is held stays so by the score it is held for.
        metrics: The new version's, each with its value `rolling`.
        scored: Events that it has scored.
        at_ms: When it was cut (Unix, UTC).
        released: The number of the version that operators have let through last, 0 for none.
    """
    before = let_through(head.manifest, released) if head else None
    if head is None or not isinstance(before, PublishGate):
        return PublishGate(rule=rule, best_scored=head.manifest.counts.scored if head else 0)
    if before.held is None and _measure(rule) != _measure(before.rule):
        return PublishGate(rule=rule, best_scored=head.manifest.counts.scored)
    gate = replace(before, rule=rule if rule.score == before.rule.score else before.rule)
    value = _rolling(metrics, gate.rule)
    if _is_held(gate, value):
        good = Pointer(number=head.number, id=head.id)
        return replace(gate, held=gate.held or HeldBack(good=good, since_ms=at_ms))
    return _passed(gate, value, scored)


def let_through(manifest: Manifest, released: int) -> PublishGate | UnsetType:
    """The gate of a version, open where operators have let it through: its own value counts.

    Args:
        released: The number of the version that they have let through last.
    """
    gate = manifest.gate
    if isinstance(gate, UnsetType) or gate.held is None or manifest.held_back(released):
        return gate
    return begun_with(gate.rule, metrics=manifest.metrics, scored=manifest.counts.scored)


def begun_with(rule: GateRule, *, metrics: Scores, scored: int) -> PublishGate:
    """The gate of a version that goes on from no other: open at once, if its window is full."""
    value = _rolling(metrics, rule)
    if value is None or scored < rule.window:
        return PublishGate(rule=rule, best_scored=0)
    return PublishGate(rule=rule, best=value, best_scored=scored)


def _is_held(gate: PublishGate, value: float | None) -> bool:
    """Without a value nothing begins to be held, and nothing that is held is let through."""
    if value is None or gate.best is None:
        return gate.held is not None
    return gate.rule.is_worse(value, gate.best)


def _passed(gate: PublishGate, value: float | None, scored: int) -> PublishGate:
    """The gate of a version with this value that is let through."""
    if value is None:
        return replace(gate, held=None)
    is_old = scored - gate.best_scored >= gate.rule.window
    if is_old or (gate.best is not None and gate.rule.is_better(value, gate.best)):
        return PublishGate(rule=gate.rule, best=value, best_scored=scored)
    return replace(gate, held=None)


def _measure(rule: GateRule) -> tuple[str, int]:
    return rule.score, rule.window


def _rolling(metrics: Scores, rule: GateRule) -> float | None:
    return metrics.get(rule.score, {}).get("rolling")
