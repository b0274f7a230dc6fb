"""What is told of a trial to whoever keeps trials: a name, what was set, how it went."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field


class TrialRun(Struct, frozen=True, kw_only=True):
    """One trial.

    Attributes:
        name: As people find it again.
        params: What was set, as text.
        metrics: By name, `(step, value)` in the order of steps; a value of None is left out.
        tags: What else is said of it.
        artefacts: The content of files, by name.
        began_ms, ended_ms: When, since the epoch; None: it is not known.
    """

    name: str
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Sequence[tuple[int, float | None]]] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    artefacts: Mapping[str, str] = field(default_factory=dict)
    began_ms: int | None = None
    ended_ms: int | None = None
