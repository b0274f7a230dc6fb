"""What a command is answered with: the JSON body of the API, and the same said for people."""

import re
from collections.abc import Mapping
from typing import Any

from checkpoints.operating.verbs import VERBS
from checkpoints.reading.going_back import Going
from checkpoints.records.control import Command, ControlRecord
from checkpoints.records.manifest import Unreadable

__all__ = ["NOTHING_CHANGED", "body_of", "forgotten_by", "outcome_of", "replayed_by",
           "text_lines", "unpinned_by"]  # fmt: skip

NOTHING_CHANGED = "nothing changed"  # outcome of an order that stood already


def outcome_of(
    going: Going | None,
    *,
    is_rewind: bool,
    unreadable: Unreadable | None,
    unpinned: str | None,
    ended: str | None,
    is_change: bool,
) -> str:
    """For the audit, so that nobody takes an older place in the log for the head's.

    Args:
        going: What a rollback comes to; None of any other command.
        unreadable: The head, where it could not be read.
        unpinned: The version whose pin a rollback removes.
        ended: The rewind, or new beginning, under way that it ends.
        is_change: Whether the standing orders are others than before.
    """
    if going is None:
        return "done" if is_change else NOTHING_CHANGED
    parts = [f"replays {going.replayed}"] if is_rewind else [f"forgot {going.forgotten}"]
    if is_rewind and going.forgotten:
        parts.append(f"leaves out {going.forgotten}")
    if unpinned:
        parts.append(f"removed the pin of {unpinned}")
    if ended:
        parts.append(f"ended the {ended}")
    if unreadable:
        head, place = unreadable.head, unreadable.place
        parts.append(f"{head} could not be read, the place in the log is that of {place}")
    return "; ".join(parts)


def forgotten_by(command: Command) -> int:
    """Learned events that a command forgot, or leaves out at most, as its outcome says."""
    return _counted(command, "forgot") or _counted(command, "leaves out")


def replayed_by(command: Command) -> int:
    """Learned events that a command has replayed, as its outcome says."""
    return _counted(command, "replays")


def _counted(command: Command, what: str) -> int:
    found = re.search(rf"(?:^|; ){what} ([0-9]+)", command.outcome)
    return int(found[1]) if found and VERBS[command.command].makes_version else 0


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
    if unpinned := unpinned_by(command, was):
        body["unpinned"] = unpinned
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
    if body.get("mode") == "rewind":
        lines += _rewind_lines(model, body)
    elif VERBS[body["command"]].makes_version:
        lines += _rollback_lines(model, body)
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


def _rewind_lines(model: str, body: Mapping[str, Any]) -> list[str]:
    replayed, left_out = f"{body['replayed']:,} learned events", f"{body['forgotten']:,}"
    if body["dry_run"]:
        return [f"{replayed} would be replayed after {body['to']}, {left_out} left out"]
    unpinned = body.get("unpinned")
    what = f"{replayed} are replayed after {body['to']}, {left_out} left out"
    lines = [f"{what}; {body['from']} stays the head until that has caught up"]
    lines += [f"the pin of {unpinned} is removed"] if unpinned else []
    return [*lines, f"to follow it: weir status {model}; to end it: weir cancel {model} --reason …"]


def _would_lines(body: Mapping[str, Any]) -> list[str]:
    """What a dry run has found out beside."""
    would = body.get("would")
    if would is None:
        return []
    between = f"{would['versions']} versions and {would['records']:,} records lie between"
    lines = [f"{between}, {would['since']} to {would['until']}"]
    for name, of in would["scores"].items():
        lines.append(f"{name}: {_figure(of['then'])} then, {_figure(of['now'])} now")
    if would["is_at_most"]:
        lines.append("what is left out by id, source or time is known when it is replayed")
    if would["seconds"] is not None:
        rate = would["events_per_second"]
        lines.append(f"about {would['seconds']:,.0f} s, at {rate:,.0f} events a second")
    return lines


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
