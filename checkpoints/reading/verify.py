"""What `weir verify` finds wrong with the kept versions of a line, all of it."""

from collections.abc import Sequence
from itertools import pairwise

from checkpoints.errors import CheckpointError, StoreUnavailable
from checkpoints.reading.reader import Damaged, Entry, LineReader, LineState
from checkpoints.records.manifest import Version

__all__ = ["problems_of"]


def problems_of(
    reader: LineReader, found: Sequence[Entry], *, state: LineState | None
) -> dict[str, str]:
    """What is wrong, by version name; and of `head`, `control` and `pin`, where that is wrong.

    Args:
        found: Newest first.
        state: Where the line stands, if `found` is all that is kept: then the chain of parents
            is checked, too.
    """
    problems = {f"v{each.number}": _problem(reader, each) for each in found}
    bad = {name: what for name, what in problems.items() if what}
    if state is None:
        return bad
    for newer, older in pairwise(found):
        if isinstance(newer, Version) and (what := _not_its_child(newer, older, found)):
            bad.setdefault(newer.manifest.name, what)
    return bad | _of_the_line(state, found)


def _problem(reader: LineReader, entry: Entry) -> str | None:
    if isinstance(entry, Damaged):
        return str(entry.problem)
    try:
        reader.check_segments(entry)
    except StoreUnavailable:
        raise
    except CheckpointError as error:
        return str(error)
    return None


def _not_its_child(newer: Version, older: Entry, found: Sequence[Entry]) -> str | None:
    """History is one line: a parent that is kept is the next older version.

    A rollback of a head that could not be read is the child of whatever stood there.
    """
    parent = newer.manifest.parent
    if parent == older.id or newer.manifest.unreadable is not None:
        return None
    if parent is None:
        return f"it has no parent, and v{older.number} is older"
    kept = next((each for each in found if each.id == parent), None)
    if kept is None:
        return None  # pruned
    return f"its parent is v{kept.number}, and v{older.number} stands between them"


def _of_the_line(state: LineState, found: Sequence[Entry]) -> dict[str, str]:
    named = {each.id for each in found if isinstance(each, Damaged)}
    problems = {
        "head": None if state.head_id in named else state.head_problem,
        "control": state.control_problem,
        "pin": state.pin_problem,
    }
    bad = {name: str(problem) for name, problem in problems.items() if problem}
    if "head" not in bad and found and state.head_id != found[0].id:
        bad["head"] = f"it is not the newest version, v{found[0].number}"
    return bad
