"""What is asked for and not there: told with what is there, the nearest first."""

from collections.abc import Mapping, Sequence

from checkpoints.errors import BadCommand, NoSuchModel, NotFound, StoreUnavailable
from checkpoints.operating.order import is_tag_name
from checkpoints.reading.reader import Damaged, LineReader
from checkpoints.reading.views import words_of_learner
from checkpoints.records.control import ControlRecord
from checkpoints.records.line import Line
from checkpoints.records.manifest import version_number
from checkpoints.stores.heads import Heads
from checkpoints.stores.presence import Beat
from config.text.nearest import nearest_first

__all__ = ["NoSuchTag", "VersionDropped", "dropped", "named_number", "no_such_model"]

_NAMED_MAX = 5
_KEPT_MAX = 1000


class VersionDropped(NotFound):
    """The version existed, and retention has dropped it since.

    Operator: go back to one of the kept versions that the message names.
    """

    def __init__(self, line: Line, number: int, *, nearest: Sequence[int]) -> None:
        kept = " and ".join(f"v{each}" for each in nearest) or "none"
        super().__init__(
            f"{line} v{number}: retention has dropped it",
            advice=f"nearest of those still kept: {kept}; a pin or a tag keeps a version",
        )
        self.line, self.number, self.nearest = line, number, tuple(nearest)


class NoSuchTag(NotFound):
    """No version has this name. Operator: use one of the tags that the message lists."""

    def __init__(self, line: Line, tag: str, *, there_are: str) -> None:
        super().__init__(
            f"{line}: no version has the tag {tag!r}",
            advice=f"{there_are}; `weir versions` lists what is kept, a version is named as in v17",
        )
        self.line, self.tag = line, tag


def no_such_model(store: Heads, line: Line, learner: Beat | None = None) -> NoSuchModel:
    """The error for a line without a version, with the models that the store holds; or with what
    its learner says, where one is about to make the first.
    """
    if words := words_of_learner(learner):
        return NoSuchModel(line, there_are="", learner=words)
    try:
        models = sorted({each.model for each in store.lines()})
    except StoreUnavailable:  # it may answer what it holds of a line and not what lines it has
        return NoSuchModel(line, there_are="check the name")
    if not models:
        return NoSuchModel(
            line, there_are="it holds no model at all: check WEIR_REDIS__URL, or --data-dir"
        )
    return NoSuchModel(line, there_are=f"it holds {_listed(line.model, models)}")


def named_number(text: str, line: Line, orders: ControlRecord | None) -> int:
    """The number in `v17`; tags are looked up before.

    Raises:
        NoSuchTag: It is written like a tag, and there is none of that name.
        BadCommand: It is written like neither.
    """
    try:
        return version_number(text)
    except ValueError as error:
        if is_tag_name(text) and not text.isdigit():
            raise NoSuchTag(line, text, there_are=_tags(text, orders)) from error
        raise BadCommand(str(error), advice="`weir versions` lists those that are kept") from error


def dropped(reader: LineReader, line: Line, number: int) -> VersionDropped:
    """The error for a version that was, with the kept ones on either side."""
    entries = reader.listing(limit=_KEPT_MAX)
    kept = sorted(each.number for each in entries if not isinstance(each, Damaged))
    older = [each for each in kept if each < number][-1:]
    newer = [each for each in kept if each > number][:1]
    return VersionDropped(line, number, nearest=[*older, *newer])


def _tags(sought: str, orders: ControlRecord | None) -> str:
    tags: Mapping[str, str] = (
        {name: f"{name} (v{pointer.number})" for name, pointer in orders.tags.items()}
        if orders
        else {}
    )
    pin = f"; v{orders.pin.number} is pinned" if orders and orders.pin else ""
    found = f"the tags are {_listed(sought, list(tags), tags)}" if tags else "there are no tags"
    return found + pin


def _listed(sought: str, names: Sequence[str], shown: Mapping[str, str] | None = None) -> str:
    """Some of the names, the nearest first, and how many more there are."""
    first = nearest_first(sought, names)[:_NAMED_MAX]
    more = len(names) - len(first)
    told = ", ".join((shown or {}).get(name, name) for name in first)
    return told + (f" and {more} more" if more else "")
