"""Manifests and control records: read exactly as written, or refused by name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from checkpoints.errors import CheckpointCorrupt, Tampered, UnknownFormat
from checkpoints.records.control import Command, following, open_control, seal_control
from checkpoints.records.line import Line
from checkpoints.records.manifest import (
    Anchor,
    Counts,
    SegmentRef,
    TopicAnchors,
    open_version,
    seal_version,
    version_number,
)
from checkpoints.records.signing import canonical
from tests.checkpoints.builders import (
    LEARNER,
    OPERATOR,
    VERIFIER,
    a_control,
    a_manifest,
    a_rollback,
    a_version,
    pointer,
    ref_of,
)

LINE = Line("phishing")


def forged(body: Any, *, signer: Any = LEARNER, kind: Any = "manifest") -> bytes:
    """Signed by the right key, with any body: what a bug, or a later build, could write."""
    return signer.seal(kind, body if isinstance(body, bytes) else canonical(body))


def fields() -> dict[str, Any]:
    return msgspec.json.decode(canonical(a_manifest(LINE)))


def test_a_full_manifest_comes_back() -> None:
    anchors = {"events": TopicAnchors(
        topic_id="x", partitions={"0": Anchor(offset=9, sha256="ab", timestamp_ms=1)}
    )}  # fmt: skip
    version = a_version(
        LINE,
        anchors=anchors,
        counts=Counts(learned=9, refused=1, refused_by={"not_json": 1}),
        runs=(("events", 0, 0, 10),),
        learn_errors=(("events", 0, 3),),
        model_file={"limits": {"value": 1e12}, "learner": {"river": [{"optim.SGD": [0.005]}]}},
        adopted=("metrics",),
        software={"river": "0.26.1"},
        drift_total=2,
    )
    assert open_version(version.envelope, VERIFIER, LINE, expected_id=version.id) == version
    assert version.manifest.runs == (("events", 0, 0, 10),)


def test_numbers_are_stored_as_their_type_reads_them() -> None:
    metrics = {"Accuracy": {"lifetime": 1, "rolling": float("nan"), "fading": float("inf")}}
    version = a_version(LINE, metrics=metrics)
    read = {"lifetime": 1.0, "rolling": None, "fading": None}
    assert version.manifest.metrics == {"Accuracy": read}
    assert open_version(version.envelope, VERIFIER, LINE) == version


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("number", 0),
        ("number", "17"),
        ("counts", {"learned": -1}),
        ("segments", {}),
        ("segments", {"model": {"sha256": "../etc", "bytes": 1, "raw_bytes": 1}}),
        ("offsets", {"events": {"0": -1}}),
        ("kind", "rollback"),
        ("kind", "magic"),
        ("more", 1),
        ("model", "a}b"),
        ("runs", [["events", 0, 1]]),
        ("control_seq", -1),
        ("control_seq", None),
    ],
)
def test_a_signed_body_that_is_no_manifest_is_refused(field: str, wrong: object) -> None:
    with pytest.raises(Tampered, match="phishing"):
        open_version(forged(fields() | {field: wrong}), VERIFIER, LINE)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b"[" * 50_000, b'{"number":1e999}'])
def test_a_signed_body_that_is_nothing_is_refused(body: bytes) -> None:
    with pytest.raises(Tampered):
        open_version(forged(body), VERIFIER, LINE)


def test_a_missing_field_is_refused_not_guessed() -> None:
    for name in fields():
        partial = {key: value for key, value in fields().items() if key != name}
        with pytest.raises(Tampered):
            open_version(forged(partial), VERIFIER, LINE)


def test_a_version_from_before_a_field_came_is_read_as_it_was_written() -> None:
    """What it does not say counts as nothing, and is not written into it."""
    old = fields()
    assert "control_seq" not in old
    read = open_version(forged(old), VERIFIER, LINE)
    assert (read.manifest.orders_seen, read.manifest.unreadable) == (0, None)

    one, two = a_version(LINE, number=1), a_version(LINE, number=2, control_seq=7)
    back = a_rollback(two, one, number=3, control_seq=8)
    assert b"unreadable" not in back.envelope
    for version, seen in ((two, 7), (back, 8)):
        assert open_version(version.envelope, VERIFIER, LINE).manifest.orders_seen == seen


def test_a_later_format_says_so() -> None:
    later = fields() | {"format": 2, "novelty": {}}
    with pytest.raises(UnknownFormat, match="format 2"):
        open_version(forged(later), VERIFIER, LINE)


def test_another_line_s_version_is_refused() -> None:
    version = a_version(Line("other"))
    with pytest.raises(Tampered, match="of other"):
        open_version(version.envelope, VERIFIER, LINE)
    with pytest.raises(Tampered, match="not of phishing/1"):
        open_version(a_version(LINE).envelope, VERIFIER, Line("phishing", 1))


def test_another_version_in_its_place_is_corrupt() -> None:
    one, two = a_version(LINE, number=1), a_version(LINE, number=2)
    with pytest.raises(CheckpointCorrupt, match=one.id[:12]):
        open_version(two.envelope, VERIFIER, LINE, expected_id=one.id)


def test_each_kind_has_its_signer() -> None:
    one, two = a_version(LINE, number=1), a_version(LINE, number=2)
    back = a_rollback(two, one, number=3)
    with pytest.raises(ValueError, match="learner key"):
        seal_version(back.manifest, LEARNER)
    for version, signer in ((one, OPERATOR), (back, LEARNER)):
        with pytest.raises(Tampered, match="signed by"):
            open_version(forged(version.manifest, signer=signer), VERIFIER, LINE)


def test_a_version_knows_where_its_state_came_from() -> None:
    one, two = a_version(LINE, number=1), a_version(LINE, number=2)
    assert a_version(LINE, number=3, parent=two).manifest.base == two.id
    assert a_rollback(two, one, number=3).manifest.base == one.id
    assert one.manifest.base is None


def test_bytes_are_the_sum_of_the_segments() -> None:
    segments = {"model": ref_of(b"12345"), "window": ref_of(b"678")}
    assert a_manifest(LINE, segments=segments).bytes == 8


@pytest.mark.parametrize(
    "text", ["", "1", "v", "v0", "v01", "V1", "v1 ", "v-1", "v\uff11", "v" + "9" * 16]
)
def test_what_is_no_version_name(text: str) -> None:
    with pytest.raises(ValueError, match="no version"):
        version_number(text)


@pytest.mark.parametrize(("sha", "size"), [("A" * 64, 1), ("a" * 63, 1), ("a" * 64, 0)])
def test_what_is_no_segment(sha: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"SHA-256|bytes"):
        SegmentRef(sha256=sha, bytes=size, raw_bytes=1)


# Control records -------------------------------------------------------------------------------


def test_orders_stand_until_they_are_changed() -> None:
    one = a_version(LINE)
    pinned = a_control(LINE, command="pin", pin=pointer(one), tags={"stable": pointer(one)})
    frozen = a_control(LINE, pinned, frozen=True)
    assert (frozen.record.pin, frozen.record.seq) == (pointer(one), 2)
    assert frozen.record.previous == pinned.id
    assert frozen.record.protected == {one.id}
    assert open_control(frozen.envelope, VERIFIER, LINE, expected_id=frozen.id) == frozen


def test_an_order_is_signed_by_an_operator_for_one_line() -> None:
    control = a_control(LINE)
    with pytest.raises(ValueError, match="operator"):
        seal_control(control.record, LEARNER)
    signed_by_learner = forged(control.record, kind="control")
    with pytest.raises(Tampered, match="signed by a learner key"):
        open_control(signed_by_learner, VERIFIER, LINE)
    with pytest.raises(Tampered, match="not for"):
        open_control(control.envelope, VERIFIER, Line("other"))
    with pytest.raises(CheckpointCorrupt):
        open_control(control.envelope, VERIFIER, LINE, expected_id="0" * 64)


def test_a_record_names_the_one_before_it() -> None:
    order = Command(id="c", command="freeze", who="ann", reason="why")
    record = following(None, LINE, command=order, at_ms=1)
    for wrong in ({"seq": 2}, {"previous": "a" * 64}, {"seq": 0}):
        with pytest.raises(ValueError, match="control record"):
            replace(record, **wrong)
