"""Commands that read: by the views that the HTTP routes show, too."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from checkpoints.errors import BadCommand, CheckpointError, NoSuchVersion, Tampered
from checkpoints.operating.connection import Connection, Model, Told, line_of
from checkpoints.operating.not_found import NoSuchTag, named_number
from checkpoints.operating.tables import short, signed, table
from checkpoints.operating.verbs import FIELDS
from checkpoints.reading.as_of import as_of_view
from checkpoints.reading.reader import Damaged, Entry, LineReader, LineState
from checkpoints.reading.score_views import best_of, scored_versions_page
from checkpoints.reading.served_then import served_then
from checkpoints.reading.verify import problems_of
from checkpoints.reading.views import (
    LIMIT_USUAL,
    audit_item,
    drifts_view,
    model_view,
    page,
    page_limit,
    page_start,
    version_view,
)
from checkpoints.records.manifest import BASELINES, Version
from config.text.moments import moment_ms

AVersion = Annotated[str, typer.Argument(help=FIELDS["to"], metavar="vN")]
Limit = Annotated[int, typer.Option(help="Items at most.")]
Before = Annotated[str | None, typer.Option(help="`next` of the page before.")]


def status(at: Connection, model: Model) -> Told:
    """What the model is doing: its head, scores, offsets and lag."""
    _, state = at.state(model)
    assert state.head is not None
    body = model_view(state, now_ms=time.time_ns() // 1_000_000)
    keys = ("state", "version", "serving", "learned", "scored", "refused", "forgotten", "lag")
    facts = {key: body[key] for key in keys} | {"not finite": body["nonfinite"]}
    facts |= {name: _scored(of) for name, of in state.head.manifest.metrics.items()}
    told = {key: body[key] for key in ("pending", "expired", "last_error", "advice") if body[key]}
    told |= {"pinned": body["pinned"]} if body["pinned"] else {}
    told |= {"rewind": _rewinding(model, body["rewind"])} if body["rewind"] else {}
    told |= {"held": _held(body["held"])} if body["held"] else {}
    return Told(body=body, lines=_facts({**facts, "refused": _refused(body), **told}))


def versions(
    at: Connection, model: Model, *, limit: Limit = LIMIT_USUAL, before: Before = None
) -> Told:
    """The versions kept, newest first, with their scores and how these changed."""
    reader, state = at.found(model)
    found = reader.listing(limit=page_limit(limit) + 1, before=page_start(before))
    serving = {state.serving.id} if state.serving else set()
    body = scored_versions_page(
        found, limit=limit, control=state.control, serving=serving, best=best_of(reader.kept())
    )
    names = list(dict.fromkeys(name for item in body["items"] for name in item["scores"]))
    keys = ("version", "kind", "created", "learned", "scored", "bytes", "")
    scores = [key for name in names for key in (name, "rolling", "change")]
    rows = [_version_row(item, names) for item in body["items"]]
    damaged = (f"{it['version']} is damaged: {it['problem']}" for it in body.get("damaged", ()))
    return Told(body=body, lines=[*table((*keys, *scores), rows), *damaged])


def show(
    at: Connection,
    model: Model,
    version: Annotated[str | None, typer.Argument(help=FIELDS["to"], metavar="vN")] = None,
    *,
    moment: Annotated[
        str | None, typer.Option("--at", help="The version that served then (RFC 3339).")
    ] = None,
) -> Told:
    """One version with its manifest; or which version served at a time, and by whose order."""
    reader, state = at.found(model)
    if (version is None) == (moment is None):
        raise BadCommand("show needs one of the two", advice="a version, as in v17, or --at TIME")
    if moment is not None:
        return _shown_at(reader, state, moment)
    found = find_version(reader, state, str(version))
    serving = {state.serving.id} if state.serving else set()
    body = version_view(found, control=state.control, serving=serving)
    return Told(body=body, lines=[json.dumps(body, ensure_ascii=False, indent=1)])


def _shown_at(reader: LineReader, state: LineState, moment: str) -> Told:
    try:
        at_ms = moment_ms(moment)
    except ValueError as error:
        raise BadCommand(str(error), advice="end it with Z for UTC", field="at") from error
    if at_ms > time.time_ns() // 1_000_000:
        raise BadCommand(f"{moment} is still to come", advice="name a time in the past", field="at")
    body = as_of_view(served_then(reader, at_ms), state.control)
    keys = ("at", "version", "kept", "before", "after", "note")
    facts: dict[str, object] = {key: body[key] for key in keys}
    if order := body["order"]:
        what = f"{order['command']} {order['to'] or ''} by {order['who']} at {order['at']}"
        facts["order"] = f"{what}: {order['reason']}"
    return Told(body=body, lines=_facts(facts))


def drifts(
    at: Connection, model: Model, *, limit: Limit = LIMIT_USUAL, before: Before = None
) -> Told:
    """The drifts detected, newest first."""
    reader, state = at.state(model)
    assert state.head is not None
    segment = reader.load_segments(state.head, ["drifts"])["drifts"]
    body = drifts_view(segment, limit=page_limit(limit), before=page_start(before))
    keys = ("detector", "index", "version", "partition", "offset", "direction", "episode", "at")
    rows = [
        (*(item[k] for k in keys), f"{short(item['before'])} -> {short(item['after'])}")
        for item in body["items"]
    ]
    return Told(body=body, lines=[*table((*keys, "error"), rows), f"{body['total']} in all"])


def audit(
    at: Connection, model: Model, *, limit: Limit = LIMIT_USUAL, before: Before = None
) -> Told:
    """What operators ordered, newest first."""
    reader, _ = at.found(model)
    found = reader.audit(limit=page_limit(limit) + 1, before=page_start(before))
    body = page(found, limit=limit, view=audit_item, place=lambda each: each.record.seq)
    keys = ("at", "who", "command", "tag", "from", "to", "version", "outcome", "reason")
    return Told(body=body, lines=table(keys, [[it[k] for k in keys] for it in body["items"]]))


def verify(
    at: Connection,
    model: Model,
    version: Annotated[str | None, typer.Argument(metavar="vN")] = None,
) -> Told:
    """Check signatures, hashes and parents of all versions that are kept, or of one."""
    reader, state = at.found(model)
    found = [_entry(reader, state, version)] if version else list(reader.kept())
    bad = problems_of(reader, found, state=None if version else state)
    sound = sum(f"v{each.number}" not in bad for each in found)
    lines = [f"{name}: {what}" for name, what in bad.items()]
    error = None
    if bad:
        error = Tampered(f"{line_of(model)} {', '.join(bad)}", "what is stored does not verify")
    return Told(
        body={"verified": sound, "problems": bad},
        lines=[*lines, f"{sound} of {len(found)} versions verify"],
        error=error,
    )


def find_version(reader: LineReader, state: LineState, version: str) -> Version:
    """The kept version that is meant by a number, as in `v17`, or by a tag.

    Raises:
        NoSuchVersion, NoSuchTag, BadCommand: There is none, or it is named like none.
    """
    orders = state.control.record if state.control else None
    if orders and version in orders.tags:
        return reader.version_by_id(orders.tags[version].id)
    return reader.version(named_number(version, reader.line, orders))


def _entry(reader: LineReader, state: LineState, version: str) -> Entry:
    """One version for `verify`, damaged or not."""
    try:
        return find_version(reader, state, version)
    except (NoSuchVersion, NoSuchTag, BadCommand):
        raise
    except CheckpointError as problem:
        found = (each for each in reader.kept() if f"v{each.number}" == version)
        return next(found, Damaged(number=0, id="", problem=problem))


def _rewinding(model: str, under_way: Mapping[str, Any]) -> str:
    """How far a rewind, or a new beginning, has come."""
    what = f"to {under_way['to']}" if under_way["to"] else under_way["kind"]
    records, left = under_way["records"], under_way["left"]
    if left is None:
        return f"{what}: its learner has not said how far it has come"
    if not left:
        release = f"weir release {model} --reason … lets it take over"
        return f"{what}: caught up; {'it takes over' if under_way['takes_over'] else release}"
    told = f"{what}: {left:,} of {records:,} records left"
    if under_way["seconds_left"] is None:
        return told
    rate, seconds = under_way["records_per_second"], under_way["seconds_left"]
    return f"{told}, {rate:,.0f} a second, about {seconds:,.0f} s"


def _held(held: Mapping[str, Any]) -> str:
    """What holds the head back."""
    return (
        f"{held['version']}, by rolling {held['score']}: {short(held['value'])}, the best of late "
        f"{short(held['best'])}, margin {short(held['margin'])}; since {held['since']}"
    )


def _refused(body: Mapping[str, Any]) -> str:
    """How many, and why: the commonest reason first."""
    reasons = sorted(body["refused_by"].items(), key=lambda each: (-each[1], each[0]))
    why = ", ".join(f"{reason} {count:,}" for reason, count in reasons if count)
    return f"{body['refused']} ({why})" if why else str(body["refused"])


def _version_row(item: Mapping[str, Any], names: Iterable[str]) -> list[object]:
    marks = ["best"] if item["best"] else []
    marks += item["tags"]
    marks += ["pinned"] if item["pinned"] else []
    marks += ["serving"] if item["serving"] else []
    facts = (item["version"], item["kind"], item["created_at"], item["learned"], item["scored"])
    scores = [item["scores"].get(name, {}) for name in names]
    told = [
        text
        for score in scores
        for text in (short(score.get("lifetime")), short(score.get("rolling")),
                     signed(score.get("change")))
    ]  # fmt: skip
    return [*facts, item["bytes"], ",".join(marks), *told]


def _scored(score: Mapping[str, float | None]) -> str | None:
    """A score's lifetime value, and beside it what its baselines have."""
    value = score.get("lifetime")
    beside = ", ".join(
        f"{key} {short(score[key])}" for key in BASELINES if score.get(key) is not None
    )
    return None if value is None else f"{value}  ({beside})" if beside else str(value)


def _facts(facts: Mapping[str, object]) -> list[str]:
    width = max(map(len, facts))
    return [f"{name:<{width}}  {_told(it)}" for name, it in facts.items()]


def _told(fact: object) -> object:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return "-" if fact is None else fact
