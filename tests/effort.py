"""How much is tried: `make check` samples what `make test` sweeps."""

from collections.abc import Iterable
from typing import TypeVar

from hypothesis import settings

_T = TypeVar("_T")
_SAMPLED = 4  # of so many cases, one
_PROFILE = "quick"


def be_quick() -> None:
    """From now on; called before any test is imported."""
    settings.register_profile(_PROFILE, max_examples=10)
    settings.load_profile(_PROFILE)


def is_quick() -> bool:
    """Whether this is `make check`."""
    return settings.get_current_profile_name() == _PROFILE


def examples(count: int) -> int:
    """How often a property is tried that is worth so many examples."""
    return max(5, count // 10) if is_quick() else count


def each_of(cases: Iterable[_T]) -> list[_T]:
    """All cases, or a sample that is the same each time."""
    return list(cases)[:: _SAMPLED if is_quick() else 1]
