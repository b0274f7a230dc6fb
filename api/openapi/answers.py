"""The shapes of answers, for the OpenAPI document; docs/reference/http.md shows them.

The bodies themselves are made by `checkpoints.reading.views`, `learner.served_model` and the
handlers. Tests hold the two together: every answer must read strictly as its type here.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


def absent() -> Any:
    """The value of a field that an answer may leave out."""
    return None


class Strict(BaseModel):
    """Nothing but what is listed."""

    model_config = ConfigDict(extra="forbid", strict=True, serialize_by_alias=True)


class Prediction(Strict):
    """An answer, and which version gave it. `prediction` is null while the model has none;
    `unknown_features` are names that it has never learned, 20 at most."""

    prediction: bool | int | float | str | None
    prediction_id: str
    model: str
    version: str
    version_id: str
    learned: int
    age_seconds: float
    probabilities: dict[str, float | None] = Field(default_factory=absent)
    unknown_features: list[str] = Field(default_factory=absent)
    reason: Literal["not_finite"] = Field(default_factory=absent)


class Predictions(Strict):
    """Answers in the order of the instances, all by one version."""

    predictions: list[Prediction]


class PublishedEvent(Strict):
    """Where Kafka keeps an event."""

    id: str
    topic: str
    partition: int
    offset: int


class PublishedEvents(Strict):
    """All are acknowledged."""

    items: list[PublishedEvent]


class Windows(Strict):
    """A score over the model's life, its last events, and fading; null where it has no value.

    Beside it what predictors without a feature score over the life: the last label, the majority
    so far (of classes) or the mean so far (of numbers). Between `low` and `high` the lifetime value
    lies with 95 % confidence, of a mean over events.
    """

    lifetime: float | None
    rolling: float | None
    fading: float | None
    no_change: float | None = Field(default_factory=absent)
    majority: float | None = Field(default_factory=absent)
    mean: float | None = Field(default_factory=absent)
    low: float | None = Field(default_factory=absent)
    high: float | None = Field(default_factory=absent)


class CalibrationBin(Strict):
    """Scored events whose probability lay in one bin: what was predicted, what came true."""

    from_: float = Field(alias="from")
    to: float
    count: int
    predicted: float | None
    observed: float | None


class CalibrationView(Strict):
    """The reliability diagram over the model's life, and the two scores that it stands for."""

    bins: list[CalibrationBin]
    ece: float | None
    brier: float | None


class ScoreView(Windows):
    """A score, and the same of what the API answered, where its answers are joined with labels."""

    served: Windows | None = None


class Lately(Strict):
    """A score over the life and over the rolling window."""

    lifetime: float | None
    rolling: float | None


class SliceItem(Strict):
    """The scores of the events that have one value of a feature."""

    value: str
    scored: int
    metrics: dict[str, Lately]


class SliceView(Strict):
    """Scores by the values of a feature, those with the most events first, `other` last."""

    slice: str
    items: list[SliceItem]


class Delay(Strict):
    """Seconds within which so many of all labels came; null before the first."""

    p50: float | None
    p90: float | None
    p99: float | None


class LabelsView(Strict):
    """Events that wait for their label, and what became of labels."""

    pending: int
    oldest_at: str | None
    matched: int
    expired: int
    late: int
    unknown: int
    duplicate: int
    conflict: int
    topic_lost: int
    delay: Delay


Offsets = dict[str, dict[str, int]]


class RewindUnderWay(Strict):
    """A rewind, reset or relearning under way, and how far its learner says it has come.

    `takes_over` is false of what is relearned until it is released.
    """

    kind: str
    to: str | None
    command_id: str
    skip: list[str]
    takes_over: bool
    records: int | None
    left: int | None
    records_per_second: float | None
    seconds_left: float | None


class HeldHead(Strict):
    """The head, held back by the publish gate: what is served instead, and by which values.

    `value` is the rolling one of the head; `best` is what it is compared with.
    """

    version: str
    good: str
    score: str
    value: float | None
    best: float | None
    margin: float
    since: str


class ModelView(Strict):
    """One version, the head; `serving` is what this process answers with."""

    name: str
    task: str | None
    state: str
    version: str
    version_id: str
    serving: str | None
    serving_id: str | None
    ready: bool
    created_at: str
    age_seconds: float | None
    learned: int
    scored: int
    unscored: int
    nonfinite: int
    refused: int
    refused_by: dict[str, int]
    skipped: int
    forgotten: int
    pending: int
    expired: int
    labels: int
    metrics: dict[str, float | None]
    drifts: int
    offsets: Offsets
    lag: int | None
    advice: str | None
    last_error: str | None
    rewind: RewindUnderWay | None
    held: HeldHead | None
    frozen: bool
    pinned: str | None
    tags: dict[str, str]


class ModelList(Strict):
    """The models that this process serves."""

    items: list[ModelView]
    next: str | None


class DriftItem(Strict):
    """A detection: `index` counts the events scored before the one that raised it."""

    detector: str
    on: str
    index: int
    version: str | None
    topic: str
    partition: int
    offset: int
    before: float | None
    after: float | None
    direction: str
    episode: int
    at: str


class DriftList(Strict):
    """The last detections, newest first; `total` counts all."""

    total: int
    items: list[DriftItem]
    next: str | None


class VersionItem(Strict):
    """One committed version."""

    version: str
    id: str
    parent: str | None
    kind: str
    created_at: str
    learned: int
    scored: int
    refused: int
    metrics: dict[str, float | None]
    offsets: Offsets
    bytes: int
    tags: list[str]
    pinned: bool
    serving: bool
    kept: bool


class ScoreChange(Lately):
    """A score, and how far its rolling value is from that of the version before."""

    change: float | None


class ListedVersion(VersionItem):
    """One of several: `best` has the best rolling value of the first score, of all kept."""

    scores: dict[str, ScoreChange]
    best: bool


class DamagedVersion(Strict):
    """A kept version that cannot be read."""

    version: str
    id: str
    problem: str


class VersionList(Strict):
    """Kept versions, newest first; those that cannot be read stand apart, where there are any."""

    items: list[ListedVersion]
    next: str | None
    damaged: list[DamagedVersion] = Field(default_factory=absent)


class VersionView(VersionItem):
    """One version with all it says about itself."""

    manifest: dict[str, Any]


class AuditItem(Strict):
    """One command, from the signed record."""

    id: str
    at: str
    who: str
    command: str
    reason: str
    outcome: str
    from_: str | None = Field(alias="from")
    to: str | None
    mode: str | None
    tag: str | None
    version: str | None


class AuditList(Strict):
    """Commands, newest first."""

    items: list[AuditItem]
    next: str | None


class VersionThen(Strict):
    """What was served at a moment; `version` is null where it is not known, or was none.

    `items` has the one that served, or else the newest kept one that was made before.
    """

    items: list[VersionItem]
    next: str | None
    at: str
    version: str | None
    between: list[str] | None
    kept: bool
    pinned: bool
    order: AuditItem | None
    before: str | None
    after: str | None
    note: str


class UnreadableHead(Strict):
    """A head that could not be read, and the version whose place in the log was taken."""

    head: str
    place: str
    why: str


class ScoreThenAndNow(Strict):
    """A score's lifetime value at the version that is gone back to, and at the head."""

    then: float | None
    now: float | None


class GoingBack(Strict):
    """What lies between the head and the version, or, with `since` null, the line's beginning;
    `seconds` as long as a replay would take.

    `is_at_most`: how much is left out by id, source or time is known when it is replayed. `notes`:
    offsets that are to be left out, and were read before the version, or not yet.
    """

    versions: int
    since: str | None
    until: str
    records: int
    scores: dict[str, ScoreThenAndNow]
    events_per_second: float | None
    seconds: float | None
    is_at_most: bool
    notes: list[str]


class CommandAnswer(Strict):
    """What a command did, or with `dry_run` would do; the counts are of learned events.

    `changed` is false where the order stood already. `mode` is a rollback's, `tag` the name given,
    `unpinned` the version whose pin a rollback removed, `would` what a dry run of going back found.
    `skip` is what a rewind leaves out, `ended` the rewind, or new beginning, that was under way.
    """

    command_id: str | None
    command: str
    from_: str | None = Field(alias="from")
    to: str | None
    version: str | None
    serving: str | None
    forgotten: int
    replayed: int
    changed: bool
    dry_run: bool
    mode: str = Field(default_factory=absent)
    tag: str = Field(default_factory=absent)
    unpinned: str = Field(default_factory=absent)
    skip: list[str] = Field(default_factory=absent)
    ended: str = Field(default_factory=absent)
    would: GoingBack = Field(default_factory=absent)
    unreadable: UnreadableHead = Field(default_factory=absent)


class HealthAnswer(Strict):
    """The version that each model is served by."""

    status: str
    models: dict[str, str | None] = Field(default_factory=absent)


class FieldError(Strict):
    """A field of the request (RFC 6901), and what is wrong with it."""

    pointer: str
    message: str


class ProblemDocument(Strict):
    """RFC 9457. `code` is for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldError]
