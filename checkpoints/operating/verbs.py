"""The commands that change a line's orders, one row each: what operators can order, said once.

The command line, the routes, the OpenAPI document, the checks of an order, the operator's steps and
the answers all read these rows. A new command is a row here, a function that says what it changes,
and its name in `checkpoints.records.control.CommandName`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import UNSET, Struct
from msgspec.structs import replace

from checkpoints.errors import BadCommand
from checkpoints.records.control import CommandName, ControlRecord, Pointer

__all__ = ["AT_BOTH_DOORS", "EVERY", "FIELDS", "VERBS", "Verb"]

_TAGS_MAX = 100

# What each field of an order is, for the help and for the document.
FIELDS: Mapping[str, str] = {
    "to": "As in v17, or a tag.",
    "mode": "forget what came after it, or rewind: replay that, without what --skip names.",
    "tag": "The name to give it.",
    "reason": "Why; it goes to the audit.",
    "skip": "Of a rewind, repeatable: [TOPIC/]PARTITION:FIRST-LAST (offsets, both included), "
    "id:ID, source:NAME, time:FROM/TO.",
    "start": "earliest, or a time (RFC 3339): the first record that is learned.",
    "keep_serving": "Of a rewind: go on serving the head until the replay has caught up.",
    "expect": "Refuse if another command came since vN.",
    "dry_run": "Say what would happen, do nothing.",
}
EVERY = ("reason", "expect", "dry_run")  # fields of every order


class Verb(Struct, frozen=True, kw_only=True):
    """One command.

    Attributes:
        name: As the audit, the command line and the route have it.
        takes: Which of `FIELDS` it takes besides `EVERY`.
        changes: Which standing orders it changes, and to what, given the orders as they stood, the
            version meant, and the order's tag.
        usual: What it means where `to` is not given: the head, the version that is served, or the
            head if that is held back.
        before: What its `from` is: the head, the version that was served, or where the tag stood.
        waits_for: The roles whose live processes must obey before it is in force.
        fences: Where no learner says to obey, the line is fenced.
        is_fencing: The line is fenced with an order that changes anything: its learner begins
            again.
        makes_version: It makes an older version the head, as a new one.
        needs_head: Whether a head that cannot be read keeps it from being done.
        is_minded: Whether `expect` minds it: it changes what is served or learned.
        is_of_a_file: Its version comes out of a file: it has a command of its own, and no route.
        help: On the command line.
        summary: In the OpenAPI document.
        stood: How people are told that nothing changed, a format of the answer's body.
        would: How people are told what it would do, given the answer of a dry run; None where the
            answer's figures say it.
        example: A body of its route, which a line whose `v1` is kept can be sent.
    """

    name: CommandName
    takes: tuple[str, ...] = ()
    changes: Callable[[ControlRecord, Pointer | None, str | None], Mapping[str, Any]]
    usual: Literal["head", "served", "held"] | None = None
    before: Literal["head", "served", "tag"] = "head"
    waits_for: tuple[str, ...] = ("api",)
    fences: bool = False
    is_fencing: bool = False
    makes_version: bool = False
    needs_head: bool = True
    is_minded: bool = True
    is_of_a_file: bool = False
    help: str
    summary: str
    stood: str = ""
    would: Callable[[Mapping[str, Any]], str] | None = None
    example: Mapping[str, Any]

    @property
    def fields(self) -> tuple[str, ...]:
        """All that it takes."""
        return (*EVERY, *self.takes)

    @property
    def needed(self) -> frozenset[str]:
        """The fields that must be given."""
        left_out = {"skip", "keep_serving"} | ({"to"} if self.usual else set())
        return frozenset({"reason", *self.takes} - left_out)


def _name(was: ControlRecord, target: Pointer | None, tag: str | None) -> Mapping[str, Any]:
    tags = {**was.tags, str(tag): target}
    if len(tags) > _TAGS_MAX:
        advice = "move one that is no longer needed"
        raise BadCommand(f"there are {_TAGS_MAX} tags already", advice=advice, field="tag")
    return {"tags": tags}


def _release(was: ControlRecord, target: Pointer | None, _tag: str | None) -> Mapping[str, Any]:
    changes: dict[str, Any] = {"released": target} if target else {}
    if was.rewind and not was.rewind.may_take_over:
        changes["rewind"] = replace(was.rewind, may_take_over=True)
    return changes


_ROWS = (
    Verb(
        name="pin",
        takes=("to",),
        changes=lambda _was, target, _tag: {"pin": target},
        before="served",
        needs_head=False,
        help="Serve a version until unpinned; learning goes on beside it.",
        summary="Serve one version, whatever is learned beside it",
        stood="{to} is pinned already",
        would=lambda it: f"{it['to']} would be served, whatever is learned beside it",
        example={"to": "v1", "reason": "audit under way"},
    ),
    Verb(
        name="unpin",
        changes=lambda _was, _target, _tag: {"pin": None},
        usual="head",
        before="served",
        help="Serve the head again.",
        summary="Serve the newest version again",
        stood="it was not pinned",
        would=lambda it: f"the pin of {it['from']} would be removed",
        example={"reason": "audit done"},
    ),
    Verb(
        name="rollback",
        takes=("to", "mode", "skip", "keep_serving"),
        changes=lambda _was, _target, _tag: {"pin": None},
        makes_version=True,
        needs_head=False,
        help="Serve a version at once and learn on from it; what came between is forgotten, or "
        "replayed without what spoilt it.",
        summary="Go back to a version, and forget or replay what was learned after it",
        example={"to": "v1", "mode": "forget", "reason": "bad labels since noon"},
    ),
    Verb(
        name="cancel",
        changes=lambda _was, _target, _tag: {"rewind": UNSET},
        waits_for=("api", "learner"),
        is_fencing=True,
        usual="head",
        before="served",
        help="End a rewind that is under way; the head stays as it was.",
        summary="End a rewind that is under way, and leave the head as it was",
        stood="no rewind was under way",
        would=lambda it: f"{it['to']} would stay the head, and be served and learned on from",
        example={"reason": "the wrong version"},
    ),
    Verb(
        name="reset",
        changes=lambda _was, _target, _tag: {},
        waits_for=("api", "learner"),
        is_fencing=True,
        needs_head=False,
        help="Begin untrained where the log was read to; undone by a rollback.",
        summary="Begin untrained at this place in the log",
        would=lambda it: (
            f"it would begin untrained; {it['forgotten']:,} learned events would be "
            "forgotten, and what waits for its label"
        ),
        example={"reason": "it learned from the wrong labels from the first"},
    ),
    Verb(
        name="relearn",
        takes=("start",),
        changes=lambda _was, _target, _tag: {},
        waits_for=("api", "learner"),
        is_fencing=True,
        help="Learn the log again by the model file as it is now, beside the version that is "
        "served, until `release` lets it take over.",
        summary="Learn the log again by the model file as it is now",
        would=lambda it: (
            f"{it['replayed']:,} learned events would be learned again beside "
            f"{it['from']}, until a release lets it take over"
        ),
        example={"start": "earliest", "reason": "a new learner"},
    ),
    Verb(
        name="freeze",
        changes=lambda _was, _target, _tag: {"frozen": True},
        waits_for=("api", "learner"),
        fences=True,
        needs_head=False,
        help="Stop learning; predictions go on.",
        summary="Stop learning; go on serving",
        stood="it is frozen already",
        would=lambda it: f"nothing more would be learned; {it['serving']} would go on answering",
        example={"reason": "the labels look wrong"},
    ),
    Verb(
        name="thaw",
        changes=lambda _was, _target, _tag: {"frozen": False},
        waits_for=("api", "learner"),
        help="Learn on where it was frozen.",
        summary="Learn on from where it stopped",
        stood="it was not frozen",
        would=lambda _it: "it would learn on from where it stopped",
        example={"reason": "the labels are mended"},
    ),
    Verb(
        name="tag",
        takes=("tag", "to"),
        changes=_name,
        usual="served",
        before="tag",
        is_minded=False,
        help="Give a version a name; a tagged version is kept.",
        summary="Give a version a name, which also keeps it",
        stood="{tag} is {to} already",
        example={"to": "v1", "tag": "stable", "reason": "good all week"},
    ),
    Verb(
        name="import",
        changes=lambda _was, _target, _tag: {"pin": None},
        makes_version=True,
        is_of_a_file=True,
        help="Serve an exported version at once and learn on from it.",
        summary="Go on from a version of another store",
        example={"reason": "tried in staging for a week"},
    ),
    Verb(
        name="release",
        changes=_release,
        waits_for=("api", "learner"),
        usual="held",
        before="served",
        help="Serve the head although the publish gate holds it back; let what is relearned take "
        "over when it has caught up.",
        summary="Serve the head that is held back, or let what is relearned take over",
        stood="nothing is held",
        would=lambda it: (
            f"{it['to']} would be served"
            if it["to"]
            else "what is relearned would take over when it has caught up"
        ),
        example={"reason": "the scores fell with the season, not with the model"},
    ),
)
VERBS: Mapping[str, Verb] = {each.name: each for each in _ROWS}
# What is ordered by words alone, over HTTP as on the command line.
AT_BOTH_DOORS = tuple(each for each in _ROWS if not each.is_of_a_file)
