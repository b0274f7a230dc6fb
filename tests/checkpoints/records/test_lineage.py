"""The arithmetic of going back, and what pruned versions leave behind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from checkpoints.errors import CheckpointCorrupt, Tampered
from checkpoints.records.line import Line
from checkpoints.records.lineage import (
    Lineage,
    Past,
    accounted,
    advanced,
    check_counts,
    fold,
    joined,
    lineage_in,
    open_lineage,
    rolled_back,
    seal_lineage,
)
from checkpoints.records.manifest import BegunAnew, Counts, Rewind, Version
from checkpoints.records.replay import Replay
from tests.checkpoints.builders import LEARNER, OPERATOR, VERIFIER, a_rollback, a_version, ref_of

LINE = Line("phishing")


def a_life(*, learned: int, refused: int, before: Version | None = None, number: int) -> Version:
    """A version after `learned` more events and `refused` more refusals since `before`."""
    was = before.manifest.counts if before else Counts()
    refusals = was.refused + refused
    counts = replace(
        was, learned=was.learned + learned, scored=was.scored + learned, refused=refusals,
        refused_by={"not_json": refusals} if refusals else {},
    )  # fmt: skip
    start = before.manifest.offsets["events"]["0"] if before else 0
    end = start + learned + refused
    return a_version(
        LINE, number=number, parent=before, counts=counts, offsets={"events": {"0": end}},
        runs=(("events", 0, start, end),), segments={
            kind: ref_of(b"%s %d" % (kind.encode(), number))
            for kind in ("model", "window", "background")
        },
        importance={"price": float(number)},
    )  # fmt: skip


@given(steps=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9), st.booleans()), max_size=12))
def test_every_record_stands_in_one_count_whatever_is_rolled_back(
    steps: list[tuple[int, int, bool]],
) -> None:
    versions = [a_life(learned=5, refused=1, number=1)]
    for learned, refused, goes_back in steps:
        head, number = versions[-1], len(versions) + 1
        if goes_back:
            versions.append(a_rollback(head, versions[learned % len(versions)], number=number))
        else:
            versions.append(a_life(learned=learned, refused=refused, before=head, number=number))
    for version in versions:
        check_counts(version.manifest)
        assert accounted(version.manifest) == advanced(version.manifest)


def test_a_rollback_takes_the_target_s_learner_and_the_head_s_offsets() -> None:
    one = a_life(learned=10, refused=2, number=1)
    two = a_life(learned=30, refused=1, before=one, number=2)
    back = rolled_back(two, one, number=3, command_id="c9", reason="spoilt", who="ann", at_ms=1)
    assert (back.kind, back.parent, back.number) == ("rollback", two.id, 3)
    assert back.created_at_ms == one.manifest.created_at_ms
    assert back.offsets == two.manifest.offsets
    assert back.segments["model"] == one.manifest.segments["model"]
    assert back.segments["background"] == one.manifest.segments["background"]
    assert back.importance == one.manifest.importance
    assert back.segments["window"] == two.manifest.segments["window"]
    assert (back.counts.learned, back.counts.refused, back.counts.forgotten) == (10, 3, 30)
    assert back.runs == ()
    assert back.rollback is not None
    assert back.rollback.forgotten == 30
    assert back.rollback.gap == {"events": {"0": (12, 43)}}
    assert (back.rollback.to, back.rollback.to_id) == ("v1", one.id)


def test_an_undone_rollback_remembers_again() -> None:
    one = a_life(learned=10, refused=0, number=1)
    two = a_life(learned=30, refused=0, before=one, number=2)
    back = a_rollback(two, one, number=3)
    undone = a_rollback(back, two, number=4)
    assert undone.manifest.counts.learned == 40
    assert undone.manifest.counts.forgotten == 0


def test_a_rollback_to_what_is_newer_than_the_head_is_a_bug() -> None:
    one = a_life(learned=10, refused=0, number=1)
    two = a_life(learned=30, refused=0, before=one, number=2)
    with pytest.raises(ValueError, match="newer"):
        rolled_back(one, two, number=3, command_id="c", reason="r", who="w", at_ms=1)


def test_topics_and_cadence_stay_the_head_s() -> None:
    one = a_version(LINE, number=1, model_file={"metrics": ["A"], "checkpoint": 1, "topics": 1})
    two = a_version(LINE, number=2, parent=one,
                    model_file={"metrics": ["B"], "checkpoint": 2, "topics": 2})  # fmt: skip
    back = a_rollback(two, one, number=3).manifest
    assert back.model_file == {"metrics": ["A"], "checkpoint": 2, "topics": 2}


def test_too_many_counted_is_refused() -> None:
    one = a_life(learned=10, refused=2, number=1).manifest
    more = replace(one.counts, learned=11)
    with pytest.raises(ValueError, match="13 records"):
        check_counts(replace(one, counts=more))
    unexplained = replace(one.counts, refused_by={"not_json": 1})
    with pytest.raises(ValueError, match="reasons"):
        check_counts(replace(one, counts=unexplained))


def test_gaps_in_the_offsets_are_no_loss() -> None:
    one = a_life(learned=10, refused=2, number=1).manifest
    check_counts(replace(one, offsets={"events": {"0": 15}}))


def test_a_topic_that_was_begun_anew_is_no_gap_and_stays_counted() -> None:
    one = a_life(learned=10, refused=2, number=1)
    offsets = {**one.manifest.offsets, "labels": {"0": 7}}
    begins = {**one.manifest.begins, "labels": {"0": 0}}
    counts = replace(one.manifest.counts, labels=7)
    two = a_version(LINE, number=2, parent=one, counts=counts, offsets=offsets, begins=begins)
    anew = {"labels": BegunAnew(times=1, records=7)}
    three = a_version(
        LINE, number=3, parent=two, counts=replace(counts, labels=9), begun_anew=anew,
        offsets={**offsets, "labels": {"0": 2}}, begins=begins,
    )  # fmt: skip
    check_counts(three.manifest)
    assert accounted(three.manifest) == advanced(three.manifest)
    back = a_rollback(three, two, number=4).manifest
    assert back.rollback is not None
    assert back.rollback.gap == {"labels": {"0": (0, 2)}}
    assert (back.lost_topics, back.offsets) == (anew, three.manifest.offsets)
    assert accounted(back) == advanced(back)


# Folding ---------------------------------------------------------------------------------------


def rebuilt(version: Version, kept: dict[str, Version], lineages: dict[str, Lineage]) -> list[int]:
    """The offsets learned to reach `version`, found as a rebuild would: base by base."""
    lineage = lineages.get(version.id)
    base = lineage.base if lineage else version.manifest.base
    runs = lineage.runs if lineage else version.manifest.runs
    before = rebuilt(kept[base], kept, lineages) if base else []
    return before + [at for _, _, first, after in runs for at in range(first, after)]


@given(
    steps=st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=10),
    drops=st.lists(st.integers(0, 20), max_size=12),
)
def test_a_kept_version_is_rebuilt_from_the_same_records_whatever_is_pruned(
    steps: list[tuple[int, bool]], drops: list[int]
) -> None:
    versions = [a_life(learned=3, refused=0, number=1)]
    for learned, goes_back in steps:
        head, number = versions[-1], len(versions) + 1
        if goes_back:
            versions.append(a_rollback(head, versions[learned % len(versions)], number=number))
        else:
            versions.append(a_life(learned=learned, refused=0, before=head, number=number))
    kept = {version.id: version for version in versions}
    expected = {one: rebuilt(version, kept, {}) for one, version in kept.items()}

    lineages: dict[str, Lineage] = {}
    for drop in drops:
        gone = [kept[one] for one in list(kept)[:-1] if kept[one].number % 20 == drop]
        kept = {one: version for one, version in kept.items() if version not in gone}
        lineages |= fold(list(kept.values()), gone, lineages)
        assert {one: rebuilt(version, kept, lineages) for one, version in kept.items()} == {
            one: expected[one] for one in kept
        }


def test_several_pruned_at_once_fold_into_the_next_kept() -> None:
    one = a_life(learned=10, refused=0, number=1)
    two = a_life(learned=10, refused=0, before=one, number=2)
    three = a_life(learned=10, refused=0, before=two, number=3)
    folded = fold([three], [one, two], {})
    assert folded[three.id].base is None
    assert folded[three.id].runs == (("events", 0, 0, 30),)
    assert folded[three.id].folded == ((1, 2),)
    assert fold([two, three], [], {}) == {}


def a_rewind(number: int, *, to: Version, head: Version) -> Version:
    """Whose replay is in a segment."""
    return a_version(
        LINE, number=number, parent=head, kind="rewind",
        rewind=Rewind(to=to.manifest.name, to_id=to.id, command_id="c", at_ms=1),
        segments={"model": ref_of(b"m"), "replay": ref_of(b"r")},
    )  # fmt: skip


def test_what_a_pruned_rewind_replayed_and_left_out_stays_with_what_went_on_from_it() -> None:
    one = a_life(learned=10, refused=0, number=1)
    two = a_life(learned=10, refused=0, before=one, number=2)
    three = a_rewind(3, to=one, head=two)
    four = a_life(learned=5, refused=0, before=two, number=4)
    four = a_version(LINE, number=4, parent=three, runs=four.manifest.runs)
    replay = Replay(
        runs=(("events", 0, 15, 20),), skipped=(("events", 0, 10, 15),), raised=(("events", 0, 16),)
    )
    standing = {three.id: lineage_in(three, replay)}

    folded = fold([one, two, four], [three], standing)

    assert set(folded) == {four.id}
    assert folded[four.id] == Lineage(
        model="phishing", number=4, id=four.id, base=one.id, runs=(("events", 0, 15, 25),),
        learn_errors=(("events", 0, 16),), folded=((3, 3),), skipped=(("events", 0, 10, 15),),
    )  # fmt: skip
    envelope = seal_lineage(folded[four.id], LEARNER)
    assert open_lineage(envelope, VERIFIER, LINE, version_id=four.id) == folded[four.id]


def test_what_a_pruned_rollback_has_passed_over_is_told() -> None:
    one = a_life(learned=10, refused=0, number=1)
    two = a_life(learned=20, refused=0, before=one, number=2)
    back = a_rollback(two, one, number=3)
    four = a_version(LINE, number=4, parent=back, runs=(("events", 0, 30, 31),))

    folded = fold([one, four], [two, back], {})[four.id]

    assert folded.forgotten == folded.learned_past.left_out == (("events", 0, 10, 30),)
    assert folded.skipped is UNSET
    assert folded.read_past == Past(base=one.id, runs=(("events", 0, 10, 31),))


def test_a_lineage_from_before_there_were_rewinds_has_the_same_bytes() -> None:
    two = a_life(learned=1, refused=0, number=2)
    envelope = seal_lineage(lineage_in(two, None), LEARNER)
    assert b"skipped" not in envelope
    assert b"forgotten" not in envelope
    assert b"read" not in envelope
    assert open_lineage(envelope, VERIFIER, LINE, version_id=two.id).learned_past.left_out == ()


def test_runs_of_other_partitions_are_not_joined() -> None:
    runs = [("a", 0, 0, 5), ("b", 0, 5, 9), ("b", 1, 9, 10), ("b", 1, 11, 12)]
    assert joined(runs) == tuple(runs)


def test_a_lineage_is_signed_for_its_version() -> None:
    three = a_life(learned=1, refused=0, number=3)
    lineage = Lineage(model="phishing", number=3, id=three.id, base=None, folded=((1, 2),))
    envelope = seal_lineage(lineage, LEARNER)
    assert open_lineage(envelope, VERIFIER, LINE, version_id=three.id) == lineage
    with pytest.raises(CheckpointCorrupt):
        open_lineage(envelope, VERIFIER, LINE, version_id="0" * 64)
    with pytest.raises(Tampered, match="phishing"):
        open_lineage(envelope, VERIFIER, Line("other"), version_id=three.id)
    with pytest.raises(ValueError, match="learner"):
        seal_lineage(lineage, OPERATOR)
