"""What a command is answered with: the JSON body of the API, and the same said for people."""

import re
from collections.abc import Mapping
from typing import Any

from checkpoints.operating.verbs import VERBS
from checkpoints.reading.going_back import Going
from checkpoints.records.control import Command, ControlRecord
from checkpoints.records.manifest import Unreadable
from checkpoints.records.skips import skips_of

__all__ = ["NOTHING_CHANGED", "body_of", "forgotten_by", "outcome_of", "replayed_by",
           "text_lines", "unpinned_by"]  # fmt: skip

NOTHING_CHANGED = "nothing changed"  # outcome of an order that stood already


def outcome_of(
    going: Going | None,
    *,
    replays: bool,
    unreadable: Unreadable | None,
    unpinned: str | None,
    ended: str | None,
    is_change: bool,
) -> str:
    """For the audit, so that nobody takes an older place in the log for the head's.

    Args:
        going: What a rollback, or a new beginning, comes to; None of any other command.
        replays: Whether the log is read again for it.
        unreadable: The head, where it could not be read.
        unpinned: The version whose pin a rollback removes.
        ended: The rewind, or new beginning, under way that it ends.
        is_change: Whether the standing orders are others than before.
    """
    parts = []
    if going and replays:
        parts.append(f"replays {going.replayed}")
        parts += [f"leaves out {going.forgotten}"] if going.forgotten else []
    elif going:
        parts.append(f"forgot {going.forgotten}")
    if unpinned:
        parts.append(f"removed the pin of {unpinned}")
    if ended:
        parts.append(f"ended the {ended}")
    if unreadable:
        head, place = unreadable.head, unreadable.place
        parts.append(f"{head} could not be read, the place in the log is that of {place}")
    return "; ".join(parts) or ("done" if is_change else NOTHING_CHANGED)


def forgotten_by(command: Command) -> int:
    """Learned events that a command forgot, or leaves out at most, as its outcome says."""
    return _counted(command, "forgot") or _counted(command, "leaves out")


def replayed_by(command: Command) -> int:
    """Learned events that a command has replayed, as its outcome says."""
    return _counted(command, "replays")


def _counted(command: Command, what: str) -> int:
    found = re.search(rf"(?:^|; ){what} ([0-9]+)", command.outcome)
    return int(found[1]) if found else 0


def _ended_by(command: Command) -> str | None:
    """What was under way that a command has ended, as its outcome says."""
    found = re.search(r"(?:^|; )ended the (rewind to v[0-9]+|reset|relearn)", command.outcome)
    return found[1] if found else None


def body_of(
    record: ControlRecord,
    was: ControlRecord | None,
    *,
    serving: str,
    unreadable: Unreadable | None,
    is_dry_run: bool,
) -> dict[str, Any]:
    """The JSON body (docs/reference/http.md).

    Args:
        record: The command and the orders after it; of a dry run, as they would be.
        was: The orders before it.
        serving: What is served now.
        unreadable: The head, where it could not be read.
        is_dry_run: Nothing was written.
    """
    command = record.command
    body: dict[str, Any] = {
        "command_id": None if is_dry_run else command.id,
        "command": command.command,
        "from": command.from_,
        "to": command.to,
        "version": None if is_dry_run else command.version,
        "serving": serving,
        "forgotten": forgotten_by(command),
        "replayed": replayed_by(command),
        "changed": command.outcome != NOTHING_CHANGED,
        "dry_run": is_dry_run,
    }
    if command.mode:
        body["mode"] = command.mode
    if command.tag:
        body["tag"] = command.tag
    if command.mode == "rewind" and record.rewind:
        body["skip"] = list(record.rewind.skip)
    if unpinned := unpinned_by(command, was):
        body["unpinned"] = unpinned
    if ended := _ended_by(command):
        body["ended"] = ended
    if unreadable:
        facts = {"head": unreadable.head, "place": unreadable.place, "why": unreadable.why}
        body["unreadable"] = facts
    return body


def unpinned_by(command: Command, was: ControlRecord | None) -> str | None:
    """The version whose pin a rollback removes."""
    pin = was.pin if was and VERBS[command.command].makes_version else None
    return f"v{pin.number}" if pin else None


def text_lines(model: str, body: Mapping[str, Any]) -> list[str]:
    """The body, for people.

    >>> usual = {"dry_run": False, "from": "v7", "serving": "v9", "changed": True}
    >>> text_lines("m", {**usual, "command": "tag", "to": "v8", "tag": "stable"})
    ['m: tag in force; stable is now v8 (was v7); serving v9']
    >>> text_lines("m", {**usual, "command": "unpin", "to": "v9", "changed": False})
    ['m: it was not pinned: nothing changed; serving v9']
    """
    lines = [_first_line(model, body)]
    if body["dry_run"] and not body["changed"]:
        lines.append(f"{_stood_already(body)}: nothing would change")
    elif body["dry_run"] and "tag" in body:
        lines.append(_tagged(body))
    elif body["dry_run"] and (would := VERBS[body["command"]].would):
        lines.append(would(body))
    if ended := body.get("ended"):
        lines.append(f"the {ended} under way {'would be' if body['dry_run'] else 'is'} ended")
    if body.get("mode") == "rewind":
        lines += _rewind_lines(model, body)
    elif VERBS[body["command"]].makes_version:
        lines += _rollback_lines(model, body)
    elif not body["dry_run"]:
        lines += _anew_lines(model, body)
    return lines + _would_lines(body)


def _first_line(model: str, body: Mapping[str, Any]) -> str:
    command, serving = body["command"], body["serving"]
    if body["dry_run"]:
        return f"{model}: nothing was done; {serving} is serving"
    if not body["changed"]:
        return f"{model}: {_stood_already(body)}: nothing changed; serving {serving}"
    tagged = f"{_tagged(body)}; " if "tag" in body else ""
    return f"{model}: {command} in force; {tagged}serving {serving}"


def _stood_already(body: Mapping[str, Any]) -> str:
    return VERBS[body["command"]].stood.format_map(body)


def _tagged(body: Mapping[str, Any]) -> str:
    would_be, was = ("would be", "is") if body["dry_run"] else ("is now", "was")
    before = f" ({was} {body['from']})" if body["from"] else ""
    return f"{body['tag']} {would_be} {body['to']}{before}"


def _rollback_lines(model: str, body: Mapping[str, Any]) -> list[str]:
    lines = []
    unpinned, forgotten = body.get("unpinned"), f"{body['forgotten']:,} learned events"
    if found := body.get("unreadable"):
        lines.append(
            f"{found['head']} cannot be read ({found['why']}): the place in the log is that of "
            f"{found['place']}, and what was read after it is read again"
        )
    if body["dry_run"]:
        lines.append(f"{body['to']} would be the head; {forgotten} would be forgotten")
        return lines + ([f"the pin of {unpinned} would be removed"] if unpinned else [])
    lines.append(f"{body['to']} is the head as {body['version']}; {forgotten} forgotten")
    lines += [f"the pin of {unpinned} is removed"] if unpinned else []
    if "unreadable" not in body:
        lines.append(f"to undo it: weir rollback {model} {body['from']} --mode forget --reason …")
        lines += [f"then: weir pin {model} {unpinned} --reason …"] if unpinned else []
    elif unpinned:
        lines.append(f"to pin it again: weir pin {model} {unpinned} --reason …")
    return lines


def _anew_lines(model: str, body: Mapping[str, Any]) -> list[str]:
    if body["command"] == "reset":
        undo = f"weir rollback {model} {body['from']} --mode forget --reason …"
        return [f"{body['forgotten']:,} learned events forgotten", f"to undo it: {undo}"]
    if body["command"] == "relearn":
        return [
            f"{body['replayed']:,} learned events are learned again beside {body['from']}",
            f"to follow it: weir status {model}; to end it: weir cancel {model} --reason …",
            f"to have it take over once it has caught up: weir release {model} --reason …",
        ]
    return []


def _rewind_lines(model: str, body: Mapping[str, Any]) -> list[str]:
    is_sure = not skips_of(body["skip"]).asks_records
    replayed = f"{'' if is_sure else 'at most '}{body['replayed']:,} learned events"
    left_out = f"{'' if is_sure else 'at least '}{body['forgotten']:,} left out"
    if body["dry_run"]:
        lines = [f"{replayed} would be replayed after {body['to']}, {left_out}"]
    else:
        what = f"{replayed} are replayed after {body['to']}, {left_out}"
        lines = [f"{what}; {body['from']} stays the head until that has caught up"]
    if not is_sure:
        lines.append("what is left out by id, source or time is known when it is replayed")
    if unpinned := body.get("unpinned"):
        lines.append(f"the pin of {unpinned} {'would be' if body['dry_run'] else 'is'} removed")
    if body["dry_run"]:
        return lines
    return [*lines, f"to follow it: weir status {model}; to end it: weir cancel {model} --reason …"]


def _would_lines(body: Mapping[str, Any]) -> list[str]:
    """What a dry run has found out beside."""
    would = body.get("would")
    if would is None:
        return []
    between, records = f"{would['versions']} versions", f"{would['records']:,} records"
    lines = [
        f"{between} and {records} lie between, {would['since']} to {would['until']}"
        if would["since"]
        else f"{between} and {records} up to {would['until']}"
    ]
    lines = [*would["notes"], *lines]
    for name, of in would["scores"].items():
        lines.append(f"{name}: {_figure(of['then'])} then, {_figure(of['now'])} now")
    if would["seconds"] is not None and body["replayed"]:
        rate = would["events_per_second"]
        lines.append(f"about {would['seconds']:,.0f} s, at {rate:,.0f} events a second")
    return lines


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
