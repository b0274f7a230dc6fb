"""An order: a command as an operator gave it, checked as far as it can be without the store."""

import re
from typing import Literal

from msgspec import Struct

from checkpoints.errors import BadCommand
from checkpoints.operating.verbs import VERBS, Verb
from checkpoints.records.control import Command, ControlRecord, Pointer, Rewinding
from checkpoints.records.skips import skips_of
from config.text.moments import moment_ms

__all__ = ["REASON_MAX", "TAG", "Order", "is_tag_name"]

REASON_MAX = 1000
TAG = "(?!v[0-9]+$)[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
# What is said of a field that the command does not take: its name, and what to do.
_STRAYS = {
    "mode": ("mode", "only rollback has modes"),
    "skip": ("skip", "only rollback replays"),
    "keep_serving": ("keep_serving", "only a rewind can leave the head served"),
    "to": ("version", "leave it out: it is about the whole model"),
    "start": ("start", "only relearn begins at another place"),
    "tag": (
        "tag",
        "only the command tag gives one; a version may be named by a tag that it has",
    ),
}


def is_tag_name(text: str) -> bool:
    """Whether a tag may be called so.

    >>> is_tag_name("stable"), is_tag_name("v7")
    (True, False)
    """
    return re.fullmatch(TAG, text, re.ASCII) is not None


class Order(Struct, frozen=True, kw_only=True):
    """A command as it was given, by either door.

    Attributes:
        command: Which one.
        reason: Why; it goes to the audit.
        to: The version meant, `v17` or the name of a tag. Rollback and pin need one.
        mode: Of a rollback.
        skip: What a rewind is to leave out.
        start: Where relearning begins: `earliest`, or a time.
        keep_serving: A rewind leaves the head served until it has caught up.
        tag: The name that `tag` gives to `to`, or to what is being served.
        expect: Refuse if the model was changed by another command since this version (`v17`).
        dry_run: Say what would happen and change nothing.
    """

    command: str
    reason: str
    to: str | None = None
    mode: str | None = None
    skip: tuple[str, ...] = ()
    keep_serving: bool = False
    start: str | None = None
    tag: str | None = None
    expect: str | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be right whatever the state of the model.

        Raises:
            BadCommand: Something is missing or malformed.
        """
        if self.command not in VERBS:
            raise BadCommand(f"there is no command {self.command!r}", advice=", ".join(VERBS))
        if not self.reason.strip() or len(self.reason) > REASON_MAX:
            advice = f"say why, in at most {REASON_MAX} characters; it goes to the audit"
            raise BadCommand(f"{self.command} needs a reason", advice=advice, field="reason")
        for field, (name, advice) in _STRAYS.items():
            if field not in self.verb.takes and getattr(self, field) not in (None, (), False):
                raise BadCommand(f"{self.command} takes no {name}", advice=advice, field=field)
        if "to" in self.verb.needed and not self.to:
            raise BadCommand(f"{self.command} needs a version", advice="name one, as in v17")
        if "mode" in self.verb.takes:
            self._check_mode()
        if "start" in self.verb.takes:
            self._check_start()
        if "tag" in self.verb.takes and not is_tag_name(self.tag or ""):
            advice = "letters, digits, '.', '_', '-', at most 64, and not like a version"
            raise BadCommand(f"{self.tag!r} is no name for a tag", advice=advice, field="tag")

    @property
    def verb(self) -> Verb:
        """The row of its command."""
        return VERBS[self.command]

    @property
    def is_rewind(self) -> bool:
        """Whether it has what came after a version replayed."""
        return self.mode == "rewind"

    @property
    def begins_anew(self) -> bool:
        """Whether the model begins untrained."""
        return self.command in {"reset", "relearn"}

    @property
    def replays(self) -> bool:
        """Whether the log is read again for it."""
        return self.is_rewind or self.command == "relearn"

    @property
    def start_at(self) -> str | int | None:
        """Where relearning begins: `earliest`, or milliseconds since 1970."""
        return self.start if self.start in {None, "earliest"} else moment_ms(str(self.start))

    @property
    def makes_version(self) -> bool:
        """Whether an older version becomes the head with the order itself."""
        return self.verb.makes_version and not self.is_rewind

    @property
    def is_fencing(self) -> bool:
        """Whether the line's learner has to begin again."""
        return self.verb.is_fencing or self.is_rewind

    def rewinding(self, seq: int, command_id: str, head: Pointer, to: Pointer | None) -> Rewinding:
        """The standing order of a rewind to a version, or of a new beginning without one."""
        kinds: dict[str, Literal["reset", "relearn"]] = {"reset": "reset", "relearn": "relearn"}
        return Rewinding(
            seq=seq,
            id=command_id,
            kind=kinds.get(self.command, "rewind"),
            to=None if self.begins_anew else to,
            head=head,
            start=self.start_at,
            skip=self.skip,
            keeps_serving=self.keep_serving or self.begins_anew,
            may_take_over=self.command != "relearn",
        )

    def replays_as(self, record: ControlRecord) -> bool:
        """Whether a rewind that was ordered leaves out, and has served, what this order says."""
        if not self.is_rewind or not record.rewind:
            return True
        ordered = (record.rewind.skip, record.rewind.keeps_serving)
        return ordered == (self.skip, self.keep_serving)

    def is_same(self, command: Command) -> bool:
        """Whether `command` is what this order became; a tag may have moved since."""
        is_by_tag = self.to is None or not self.to.startswith("v")
        given = (self.command, self.mode, self.tag, self.reason.strip())
        was = (command.command, command.mode, command.tag or None, command.reason)
        return (is_by_tag or self.to == command.to) and given == was

    def _check_mode(self) -> None:
        if self.mode not in {"forget", "rewind"}:
            found = f"no mode {self.mode!r}" if self.mode else "no mode"
            raise BadCommand(
                f"rollback was given {found}",
                advice="--mode forget: what came after the version is forgotten; --mode rewind: "
                "it is replayed, without what --skip names",
                field="mode",
            )
        if self.is_rewind:
            self._check_skips()
            return
        if self.skip:
            advice = "leave it out: what is forgotten is not replayed, so nothing is left out of it"
            raise BadCommand("forgetting takes no skip", advice=advice, field="skip")
        if self.keep_serving:
            advice = "leave it out, or rewind: what is gone back to is served at once"
            raise BadCommand("forgetting keeps nothing serving", advice=advice,
                             field="keep_serving")  # fmt: skip

    def _check_start(self) -> None:
        try:
            _ = self.start_at
        except ValueError as error:
            raise BadCommand(f"earliest or a time: {error}", advice="", field="start") from error

    def _check_skips(self) -> None:
        try:
            skips_of(self.skip)
        except ValueError as error:
            advice = "such as 0:1200-1300, id:order-7, source:till-3 or time:FROM/TO"
            raise BadCommand(str(error), advice=advice, field="skip") from error
