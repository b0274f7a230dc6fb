"""What operators type: commands that talk to the store, and so work while all else is down.

With `--json` each prints exactly the body of the matching HTTP route.
"""

import functools
import inspect
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from checkpoints.errors import BadCommand, CheckpointError, NoSuchVersion, Tampered
from checkpoints.operating.answers import text_lines
from checkpoints.operating.not_found import NoSuchTag, named_number, no_such_model
from checkpoints.operating.operator import Operator, Order
from checkpoints.operating.removal import removal_lines, removal_of, remove_line
from checkpoints.reading.reader import Damaged, Entry, LineReader, LineState
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
    versions_page,
)
from checkpoints.records.line import Line
from checkpoints.records.manifest import Version
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store

log = logging.getLogger(__name__)

Model = Annotated[str, typer.Argument(help="The model's name.", metavar="MODEL")]
AVersion = Annotated[str, typer.Argument(help="As in v17, or a tag.", metavar="vN")]
Json = Annotated[bool, typer.Option("--json", help="The body of the HTTP route.")]
DataDir = Annotated[Path | None, typer.Option(help="Of the `weir dev` to talk to.")]
Reason = Annotated[str, typer.Option(help="Why; it goes to the audit.")]
Expect = Annotated[
    str | None, typer.Option(metavar="vN", help="Refuse if another command came since vN.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen, do nothing.")]
Limit = Annotated[int, typer.Option(help="Items at most.")]
Before = Annotated[str | None, typer.Option(help="`next` of the page before.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What a command needs: the store, the keys, and in whose name it speaks.

    Attributes:
        forget_group: Has the log forget how far a model's learner was; what came of it, in words.
    """

    store: Store
    keys: Keys
    who: str
    forget_group: Callable[[str], str] = lambda _model: "not asked: no Kafka is given"

    def reader(self, model: str) -> LineReader:
        """A reader of the model's line."""
        return LineReader(self.store, self.keys.verifier, line_of(model))

    def state(self, model: str) -> tuple[LineReader, LineState]:
        """The line's state, which must be beyond doubt.

        Raises:
            NoSuchModel: Nothing was ever committed.
            CheckpointError: Something there does not verify.
        """
        reader = self.reader(model)
        state = reader.checked()
        if state.head is None:
            raise no_such_model(self.store, line_of(model))
        return reader, state

    def found(self, model: str) -> tuple[LineReader, LineState]:
        """As `state`, for those who look at what is damaged; says what is not believed.

        Raises:
            NoSuchModel: Nothing was ever committed.
        """
        reader = self.reader(model)
        state = reader.state()
        if state.head is None and not state.problems and not reader.listing(limit=1):
            raise no_such_model(self.store, line_of(model))
        for problem in state.problems:
            typer.echo(f"weir: not believed: {problem}", err=True)
        return reader, state


Connect = Callable[[Path | None, str], Connection]
Guard = Callable[[Callable[..., None]], Callable[..., None]]


def operator_commands(connect: Connect, guarded: Guard) -> typer.Typer:
    """The commands, as a Typer app to be merged into the program's.

    Args:
        connect: Finds the store and the keys, given `--data-dir` and the model.
        guarded: Turns errors into exit codes.
    """
    app = typer.Typer()

    reads = (status, versions, show, drifts, audit, verify)
    changes = (pin, unpin, rollback, freeze, thaw, tag, remove)
    for function in (*reads, *changes):
        app.command(function.__name__)(guarded(_connected(function, connect)))
    return app


def _connected(function: Callable[..., None], connect: Connect) -> Callable[..., None]:
    """`function` with its first argument, the connection, made from `--data-dir`."""
    signature = inspect.signature(function)
    first, *rest = signature.parameters.values()

    @functools.wraps(function)
    def run(*, data_dir: Path | None = None, **given: Any) -> None:
        function(connect(data_dir, given["model"]), **given)

    option = inspect.Parameter(
        "data_dir", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=DataDir
    )
    vars(run)["__signature__"] = signature.replace(parameters=[*rest, option])
    run.__annotations__ = {p.name: p.annotation for p in (*rest, option)}
    assert first.name == "at"
    return run


def status(at: Connection, model: Model, *, as_json: Json = False) -> None:
    """What the model is doing: its head, scores, offsets and lag."""
    _, state = at.state(model)
    body = model_view(state, now_ms=_now_ms())
    if as_json:
        _print_json(body)
        return
    keys = ("state", "version", "serving", "learned", "scored", "refused", "forgotten", "lag")
    facts = {key: body[key] for key in keys} | {"not finite": body["nonfinite"]} | body["metrics"]
    told = {key: body[key] for key in ("last_error", "advice") if body[key]}
    _print_facts({**facts, "refused": _refused(body), **told})


def versions(
    at: Connection,
    model: Model,
    *,
    limit: Limit = LIMIT_USUAL,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """The versions kept, newest first."""
    reader, state = at.found(model)
    found = reader.listing(limit=page_limit(limit) + 1, before=page_start(before))
    serving = {state.serving.id} if state.serving else set()
    body = versions_page(found, limit=limit, control=state.control, serving=serving)
    if as_json:
        _print_json(body)
        return
    rows = [_version_row(item) for item in body["items"]]
    _print_table(("version", "kind", "created", "learned", "scored", "bytes", "", "scores"), rows)
    for each in body.get("damaged", ()):
        typer.echo(f"{each['version']} is damaged: {each['problem']}")


def show(at: Connection, model: Model, version: AVersion, *, as_json: Json = False) -> None:
    """One version with its manifest."""
    reader, state = at.found(model)
    found = _find(reader, state, version)
    serving = {state.serving.id} if state.serving else set()
    body = version_view(found, control=state.control, serving=serving)
    _print_json(body, indent=None if as_json else 1)


def drifts(
    at: Connection,
    model: Model,
    *,
    limit: Limit = LIMIT_USUAL,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """The drifts detected, newest first."""
    reader, state = at.state(model)
    assert state.head is not None
    segment = reader.load_segments(state.head, ["drifts"])["drifts"]
    body = drifts_view(segment, limit=page_limit(limit), before=page_start(before))
    if as_json:
        _print_json(body)
        return
    keys = ("detector", "index", "version", "partition", "offset", "direction", "episode", "at")
    _print_table(
        (*keys, "error"),
        [
            (*(item[k] for k in keys), f"{_short(item['before'])} -> {_short(item['after'])}")
            for item in body["items"]
        ],
    )
    typer.echo(f"{body['total']} in all")


def audit(
    at: Connection,
    model: Model,
    *,
    limit: Limit = LIMIT_USUAL,
    before: Before = None,
    as_json: Json = False,
) -> None:
    """What operators ordered, newest first."""
    reader, _ = at.found(model)
    found = reader.audit(limit=page_limit(limit) + 1, before=page_start(before))
    body = page(found, limit=limit, view=audit_item, place=lambda each: each.record.seq)
    if as_json:
        _print_json(body)
        return
    keys = ("at", "who", "command", "tag", "from", "to", "version", "outcome", "reason")
    _print_table(keys, [tuple(item[k] for k in keys) for item in body["items"]])


def verify(
    at: Connection,
    model: Model,
    version: Annotated[str | None, typer.Argument(metavar="vN")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Check signatures, hashes and parents of all versions that are kept, or of one."""
    reader, state = at.found(model)
    found = [_entry(reader, state, version)] if version else list(reader.kept())
    bad = problems_of(reader, found, state=None if version else state)
    sound = sum(f"v{each.number}" not in bad for each in found)
    if as_json:
        _print_json({"verified": sound, "problems": bad})
    else:
        for name, what in bad.items():
            typer.echo(f"{name}: {what}")
        typer.echo(f"{sound} of {len(found)} versions verify")
    if bad:
        raise Tampered(f"{line_of(model)} {', '.join(bad)}", "what is stored does not verify")


def pin(
    at: Connection,
    model: Model,
    version: AVersion,
    *,
    reason: Reason,
    expect: Expect = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Serve a version until unpinned; learning goes on beside it."""
    order = Order(command="pin", reason=reason, to=version, expect=expect, dry_run=dry_run)
    _run(at, model, order, as_json=as_json)


def unpin(
    at: Connection,
    model: Model,
    *,
    reason: Reason,
    expect: Expect = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Serve the head again."""
    order = Order(command="unpin", reason=reason, expect=expect, dry_run=dry_run)
    _run(at, model, order, as_json=as_json)


def rollback(
    at: Connection,
    model: Model,
    version: AVersion,
    *,
    mode: Annotated[str, typer.Option(help="forget; rewind comes with a later release.")],
    reason: Reason,
    skip: Annotated[
        list[str] | None, typer.Option(help="For rewind, with a later release.")
    ] = None,
    expect: Expect = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Serve a version at once and learn on from it; what came between is forgotten."""
    order = Order(
        command="rollback",
        reason=reason,
        to=version,
        mode=mode,
        skip=tuple(skip or ()),
        expect=expect,
        dry_run=dry_run,
    )
    _run(at, model, order, as_json=as_json)


def freeze(
    at: Connection,
    model: Model,
    *,
    reason: Reason,
    expect: Expect = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Stop learning; predictions go on."""
    order = Order(command="freeze", reason=reason, expect=expect, dry_run=dry_run)
    _run(at, model, order, as_json=as_json)


def thaw(
    at: Connection,
    model: Model,
    *,
    reason: Reason,
    expect: Expect = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Learn on where it was frozen."""
    order = Order(command="thaw", reason=reason, expect=expect, dry_run=dry_run)
    _run(at, model, order, as_json=as_json)


def tag(
    at: Connection,
    model: Model,
    version: AVersion,
    *,
    name: Annotated[str, typer.Option("--tag", help="The name to give it.")],
    reason: Reason,
    expect: Expect = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Give a version a name; a tagged version is kept."""
    order = Order(
        command="tag", reason=reason, to=version, tag=name, expect=expect, dry_run=dry_run
    )
    _run(at, model, order, as_json=as_json)


def remove(
    at: Connection,
    model: Model,
    *,
    reason: Reason,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Remove a model for good: every version, order and audit record; its topics stay."""
    line = line_of(model)
    at.keys.signer("operator")  # as for every order
    found = removal_of(at.store, at.reader(model), line)
    body = found.body(is_dry_run=dry_run)
    if not dry_run:
        remove_line(at.store, line, who=at.who, reason=reason)
        body["kafka_group"] = at.forget_group(model)
        log.warning(
            "%s: removed by %s, because %r: %d versions, %d bytes, head %s",
            line, at.who, reason.strip(), found.versions, found.bytes, found.head,
        )  # fmt: skip
    if as_json:
        _print_json(body)
        return
    for text in removal_lines(body):
        typer.echo(text)


def _run(at: Connection, model: str, order: Order, *, as_json: bool) -> None:
    operator = Operator(
        at.store, at.keys.signer("operator"), at.keys.verifier,
        who=at.who, on_wait=functools.partial(typer.echo, err=True),
    )  # fmt: skip
    body = operator.run(line_of(model), order)
    if as_json:
        _print_json(body)
        return
    for line in text_lines(model, body):
        typer.echo(line)


def line_of(model: str) -> Line:
    """The line of a model that was named on the command line."""
    try:
        return Line(model)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="MODEL") from error


def _find(reader: LineReader, state: LineState, version: str) -> Version:
    orders = state.control.record if state.control else None
    if orders and version in orders.tags:
        return reader.version_by_id(orders.tags[version].id)
    return reader.version(named_number(version, reader.line, orders))


def _entry(reader: LineReader, state: LineState, version: str) -> Entry:
    """One version for `verify`, damaged or not."""
    try:
        return _find(reader, state, version)
    except (NoSuchVersion, NoSuchTag, BadCommand):
        raise
    except CheckpointError as problem:
        found = (each for each in reader.kept() if f"v{each.number}" == version)
        return next(found, Damaged(number=0, id="", problem=problem))


def _refused(body: Mapping[str, Any]) -> str:
    """How many, and why: the commonest reason first."""
    reasons = sorted(body["refused_by"].items(), key=lambda each: (-each[1], each[0]))
    why = ", ".join(f"{reason} {count:,}" for reason, count in reasons if count)
    return f"{body['refused']} ({why})" if why else str(body["refused"])


def _version_row(item: Mapping[str, Any]) -> tuple[object, ...]:
    marks = [*item["tags"]]
    marks += ["pinned"] if item["pinned"] else []
    marks += ["serving"] if item["serving"] else []
    scores = " ".join(f"{name}={_short(value)}" for name, value in item["metrics"].items())
    facts = (item["version"], item["kind"], item["created_at"], item["learned"], item["scored"])
    return (*facts, item["bytes"], ",".join(marks), scores)


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _print_json(body: object, *, indent: int | None = None) -> None:
    typer.echo(json.dumps(body, ensure_ascii=False, indent=indent))


def _print_facts(facts: Mapping[str, object]) -> None:
    width = max(map(len, facts))
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}  {'-' if value is None else value}")


def _print_table(header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    cells = [header, *[tuple("-" if v is None else str(v) for v in row) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        typer.echo("  ".join(f"{v:<{w}}" for v, w in zip(row, widths, strict=True)).rstrip())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
