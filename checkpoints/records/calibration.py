"""The reliability diagram that a version keeps of a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET, Struct, UnsetType, convert, field

__all__ = ["Calibration", "ReliabilityBin", "calibration_of"]


class ReliabilityBin(Struct, frozen=True, kw_only=True):
    """Scored events whose probability lay in one bin: what was predicted, what came true."""

    from_: float = field(name="from")
    to: float
    count: int
    predicted: float | None
    observed: float | None


class Calibration(Struct, frozen=True, kw_only=True):
    """The reliability diagram over the model's life, and the two scores that it stands for."""

    bins: tuple[ReliabilityBin, ...]
    ece: float | None
    brier: float | None


def calibration_of(found: Mapping[str, Any] | None) -> Calibration | UnsetType:
    """A snapshot's reliability diagram as a manifest has it."""
    return UNSET if found is None else convert(found, Calibration)
