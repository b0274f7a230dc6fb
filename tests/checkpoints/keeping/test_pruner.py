"""Retention beside damage: what cannot be read stays, and so does what it stands on."""

import logging

import pytest
from msgspec.structs import replace

from checkpoints.keeping.pruner import Pruner
from checkpoints.reading.reader import Damaged, LineReader
from checkpoints.records.control import seal_control
from checkpoints.records.lineage import open_lineage
from checkpoints.stores.in_memory.store import MemoryStore
from config.model.parts import Keep
from tests.checkpoints.builders import (
    LEARNER,
    OPERATOR,
    VERIFIER,
    a_control,
    a_rollback,
    committed,
    damage,
    granted,
    history,
    point_control,
    pointer,
)
from tests.checkpoints.gated import held_back
from tests.checkpoints.operators import LINE

KEEP = Keep(last=2, minutely=0, hourly=0, daily=0)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def a_pruner(store, token: str) -> Pruner:
    return Pruner(store, LEARNER, VERIFIER, LINE, keep=KEEP, token=token)


def kept(store) -> list[int]:
    return [each.number for each in store.versions(LINE, limit=1000)][::-1]


def bases(store) -> dict[int, int | None]:
    """What each readable version stands on, by number; each must still be kept."""
    entries = list(LineReader(store, VERIFIER, LINE).kept())
    numbers = {each.id: each.number for each in entries}
    found = {}
    for each in entries:
        if isinstance(each, Damaged):
            continue
        envelope = store.lineage(LINE, each.id)
        base = each.manifest.base
        if envelope:
            base = open_lineage(envelope, VERIFIER, LINE, version_id=each.id).base
        found[each.number] = numbers[base] if base else None
    return found


def test_a_damaged_old_version_stops_nothing(store, caplog):
    """One line names it; it stays, and so does the version before it, which it stands on."""
    token = granted(store, LINE).token
    versions = history(store, LINE, token, length=8)
    damage(store, versions[3])

    with caplog.at_level(logging.ERROR):
        pruner = a_pruner(store, token)
    said = [each for each in caplog.messages if "damaged" in each]
    assert len(said) == 1
    assert "v4 is damaged and is never pruned" in said[0]
    pruner.prune(head=versions[7])

    assert kept(store) == [3, 4, 7, 8]
    assert bases(store) == {3: None, 7: 4, 8: 7}


def test_versions_that_only_refuse_leave_those_that_learned(store):
    """Until the next that learns: it is the same model, at other offsets."""
    token = granted(store, LINE).token
    versions = history(store, LINE, token, length=4)
    for number in range(5, 12):
        last = versions[-1].manifest
        refused = replace(last.counts, refused=last.counts.refused + 1)
        versions.append(
            committed(store, LINE, token, parent=versions[-1], number=number, counts=refused,
                      metrics=last.metrics)
        )  # fmt: skip
    a_pruner(store, token).prune(head=versions[-1])

    assert kept(store) == [3, 4, 11]
    assert bases(store) == {3: None, 4: 3, 11: 4}


def test_a_version_that_is_whole_again_can_be_rebuilt(store):
    """Nothing was folded over it: its base is there, and those after it lead to it."""
    token = granted(store, LINE).token
    versions = history(store, LINE, token, length=8)
    damage(store, versions[3], b"")
    a_pruner(store, token).prune(head=versions[7])
    damage(store, versions[3], versions[3].envelope)

    assert bases(store) == {3: None, 4: 3, 7: 4, 8: 7}


def test_a_damaged_rollback_holds_the_version_it_went_back_to(store):
    """The audit says which that was."""
    token = granted(store, LINE).token
    versions = history(store, LINE, token, length=4)
    back = a_rollback(versions[3], versions[1], number=5)
    control = a_control(LINE, command="rollback", to="v2", last_version=5)
    command = _ordering(control, "v5")
    assert store.command(LINE, control=command, version=back).outcome.stands
    token = granted(store, LINE).token
    for number in (6, 7, 8):
        back = committed(store, LINE, token, number=number, parent=back, model=b"%d" % number)
    damage(store, next(v for v in store._books(LINE).versions.values() if v.number == 5))
    a_pruner(store, token).prune(head=back)

    assert kept(store) == [2, 5, 7, 8]


def _ordering(control, version: str):
    command = control.record.command
    fields = {name: getattr(command, name) for name in command.__struct_fields__}
    made = type(command)(**{**fields, "version": version})
    return seal_control(replace(control.record, command=made), OPERATOR)


def test_what_has_a_lineage_holds_what_that_names(store):
    """It was folded before it was damaged, so its base is known."""
    token = granted(store, LINE).token
    versions = history(store, LINE, token, length=4)
    a_pruner(store, token).prune(head=versions[3])
    assert kept(store) == [3, 4]
    last = versions[3]
    for number in (5, 6, 7):
        last = committed(store, LINE, token, number=number, parent=last, model=b"%d" % number)
    damage(store, versions[2])
    a_pruner(store, token).prune(head=last)

    assert kept(store) == [3, 6, 7]


def test_a_lineage_that_cannot_be_read_is_damage_too(store, caplog):
    """What it stands for is not known, so nothing is folded into it or away from it."""
    token = granted(store, LINE).token
    versions = history(store, LINE, token, length=4)
    a_pruner(store, token).prune(head=versions[3])
    last = versions[3]
    for number in (5, 6, 7):
        last = committed(store, LINE, token, number=number, parent=last, model=b"%d" % number)
    store._books(LINE).lineages[versions[2].id] = b"{}"
    a_pruner(store, token).prune(head=last)

    assert "v3 is damaged" in caplog.text
    assert kept(store) == [3, 6, 7]


def test_nothing_is_pruned_while_the_newest_order_is_in_doubt(store, caplog):
    """A pinned or tagged version would go with the rest."""
    token = granted(store, LINE).token
    versions = history(store, LINE, token, length=6)
    tag = a_control(LINE, command="tag", to="v1", tags={"stable": pointer(versions[0])})
    assert store.command(LINE, control=tag).outcome.stands
    point_control(store, LINE, None)
    pruner = a_pruner(store, token)
    pruner.prune(head=versions[5])
    assert kept(store) == [1, 2, 3, 4, 5, 6]
    assert "pruning put off" in caplog.text

    point_control(store, LINE, tag)
    pruner.prune(head=versions[5])
    assert kept(store) == [1, 5, 6]


def test_what_is_served_for_a_head_that_is_held_back_stays(store):
    """However many versions are held after it; once one is let through it goes like any other."""
    token = granted(store, LINE).token
    good = history(store, LINE, token, length=3)[-1]
    head, pruner = good, a_pruner(store, token)
    for _ in range(25):
        head = held_back(store, LINE, token, head, good)
        pruner.committed(head)
    assert kept(store)[0] == good.number
    assert LineReader(store, VERIFIER, LINE).checked().serving == good

    head = committed(store, LINE, token, number=29, parent=head)
    pruner.committed(head)
    pruner.prune(head=head)

    assert kept(store) == [28, 29]
    assert set(bases(store)) == {28, 29}
