"""The way on which a version is made again: from which one, over which, and what is compared."""

from __future__ import annotations

import msgspec
import pytest

from checkpoints.keeping.pruner import Pruner
from checkpoints.reading.lineages import Lineages
from checkpoints.records.manifest import BegunAnew
from checkpoints.stores.heads import Outcome
from checkpoints.stores.in_memory.store import MemoryStore
from config.model.parts import Keep
from config.model_file import parse_model_file
from stream.replay.rebuild import NotMadeHereError, stages_of
from tests.checkpoints.builders import LEARNER, VERIFIER, a_rollback, a_version, granted, put
from tests.checkpoints.operators import LINE

TEXT = "name: phishing\ntask: binary\nlearner: {river: [linear_model.LogisticRegression]}\n"
LATE = TEXT + "late_labels: {horizon: 1h}\n"


@pytest.fixture
def line():
    """v1 to v3, of ten records each; v4, a rollback to v2; v5 and v6, of ten more each."""
    return a_line(TEXT)


def a_line(text, lost=None):
    """Args:
    lost: Of a version's number: the topics of labels that were lost by then.
    """
    sections = msgspec.json.decode(msgspec.json.encode(parse_model_file(text).sections()))
    store = MemoryStore()
    token = granted(store, LINE).token
    put(store, LINE, b"weights")
    versions = []
    for number in range(1, 7):
        head = versions[-1] if versions else None
        if number == 4:
            version = a_rollback(head, versions[1], number=4)
        else:
            begin = head.manifest.offsets["events"]["0"] if head else 0
            version = a_version(
                LINE, number=number, parent=head, model_file=sections,
                offsets={"events": {"0": begin + 10}}, runs=(("events", 0, begin, begin + 10),),
                begun_anew=(lost or {}).get(number, msgspec.UNSET),
            )  # fmt: skip
        assert store.commit(LINE, token=token, version=version) is Outcome.OK
        versions.append(version)
    return store, token, versions


def way(store, version, *, is_whole=False):
    """The number of the base, those of the stages, and whether all counts are compared."""
    found = stages_of(Lineages(store, VERIFIER, LINE), version, is_whole=is_whole)
    base = found.base.number if found.base else None
    return base, [stage.version.number for stage in found.stages], found.is_by_log


def test_a_version_is_made_again_from_the_one_before_it_or_from_the_beginning(line):
    store, _, versions = line
    assert way(store, versions[2]) == (2, [3], True)
    assert way(store, versions[2], is_whole=True) == (None, [1, 2, 3], True)
    assert way(store, versions[0]) == (None, [1], True)


def test_no_way_leads_past_a_rollback(line):
    """Its model is of one place in the log, and what waits there of another."""
    store, _, versions = line
    assert way(store, versions[4], is_whole=True) == (4, [5], True)
    assert way(store, versions[5], is_whole=True) == (4, [5, 6], True)
    assert way(store, versions[5]) == (5, [6], True)


def test_a_rollback_is_the_model_that_it_went_back_to(line):
    """What it has of the log is its head's, and is not compared."""
    store, _, versions = line
    assert way(store, versions[3]) == (1, [2, 4], False)
    assert way(store, versions[3], is_whole=True) == (None, [1, 2, 4], False)


def test_where_a_rollback_is_kept_no_more_its_place_in_the_log_is_not_compared(line):
    store, token, versions = line
    keep = Keep(last=1, minutely=0, hourly=0, daily=0)
    Pruner(store, LEARNER, VERIFIER, LINE, keep=keep, token=token).prune(head=versions[-1])
    assert way(store, versions[5]) == (None, [6], False)
    found = stages_of(Lineages(store, VERIFIER, LINE), versions[5], is_whole=False)
    assert found.stages[0].runs == (("events", 0, 0, 20), ("events", 0, 30, 50))


def test_what_waited_at_a_rollback_that_is_kept_no_more_is_not_made_up():
    store, token, versions = a_line(LATE)
    assert way(store, versions[5], is_whole=True) == (4, [5, 6], True)
    keep = Keep(last=1, minutely=0, hourly=0, daily=0)
    Pruner(store, LEARNER, VERIFIER, LINE, keep=keep, token=token).prune(head=versions[-1])
    with pytest.raises(NotMadeHereError, match="goes on from a rollback that is kept no more"):
        way(store, versions[5])


def test_no_way_leads_over_a_topic_that_was_lost():
    """What it held would be waited for in vain; after that, versions are made of one another."""
    once = {"labels": BegunAnew(times=1, records=7)}
    store, _, versions = a_line(LATE, lost={3: once, 5: once, 6: once})
    assert way(store, versions[1], is_whole=True) == (None, [1, 2], True)
    assert way(store, versions[5]) == (5, [6], True)
    for number, is_whole, base in [(3, False, "v2"), (3, True, "its beginning")]:
        with pytest.raises(NotMadeHereError, match=f"topic labels was lost since .*{base}"):
            way(store, versions[number - 1], is_whole=is_whole)
