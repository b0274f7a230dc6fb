"""A reader believes signatures and nothing else, and keeps what it had when they fail."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from checkpoints.errors import CheckpointCorrupt, NoSuchVersion, Tampered, TooLarge
from checkpoints.reading.reader import LineReader
from checkpoints.records.control import seal_control
from checkpoints.records.line import Line
from checkpoints.records.manifest import seal_version
from checkpoints.records.segments import pack
from checkpoints.records.signing import Signer
from checkpoints.stores.in_memory.store import MemoryStore
from tests.checkpoints.builders import (
    LEARNER,
    STRANGER,
    VERIFIER,
    a_control,
    a_manifest,
    a_rollback,
    a_version,
    committed,
    damage,
    granted,
    history,
    point_control,
    pointer,
    put,
)

LINE = Line("phishing")
FALSE_OPERATOR = Signer(Ed25519PrivateKey.from_private_bytes(b"x" * 32), role="operator")


class Forgeable(MemoryStore):
    """A store whose Redis somebody can write to: it shows what it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.heads: dict[Line, object] = {}
        self.forged_control = None

    def show_head(self, version) -> None:
        self.heads[LINE] = version

    def poll(self, lines):
        found = super().poll(lines)
        if LINE in self.heads:
            head = self.heads[LINE]
            found[LINE] = replace(found[LINE], head=head.id if head else None)
        if self.forged_control is not None:
            control = self.forged_control
            found[LINE] = replace(found[LINE], control=control.id)
        return found

    def manifest(self, line, version_id):
        head = self.heads.get(line)
        if head is not None and head.id == version_id:
            return head.envelope
        return super().manifest(line, version_id)

    def control(self, line):
        return self.forged_control.envelope if self.forged_control else super().control(line)


@pytest.fixture
def store() -> Forgeable:
    return Forgeable()


@pytest.fixture
def versions(store):
    return history(store, LINE, granted(store, LINE).token, length=3)


@pytest.fixture
def reader(store) -> LineReader:
    return LineReader(store, VERIFIER, LINE)


def ordered(store, control, **more) -> None:
    assert store.command(LINE, control=control, **more).outcome.stands


def test_an_empty_line_has_no_head(reader):
    """Nothing there is no problem."""
    state = reader.checked()

    assert (state.head, state.control, state.serving, state.learner) == (None, None, None, None)
    assert (state.is_frozen, state.control_seq) == (False, 0)


def test_the_head_is_served_and_a_pin_instead_of_it(store, reader, versions):
    """The pin holds while the head goes on; then the head is served again."""
    assert reader.checked().serving == versions[2]

    pin = a_control(LINE, command="pin", pin=pointer(versions[0]), to="v1")
    ordered(store, pin)

    assert reader.checked().serving == versions[0]
    assert reader.checked().head == versions[2]

    ordered(store, a_control(LINE, pin, command="unpin", pin=None))

    assert reader.checked().serving == versions[2]
    assert reader.checked().control_seq == 2


def test_a_rollback_is_followed(store, reader, versions):
    """Its version is signed by the operator, and is the head."""
    reader.state()
    back = a_rollback(versions[2], versions[0], number=4)
    ordered(store, a_control(LINE, command="rollback", to="v1"), version=back)

    assert reader.checked().head == reader.checked().serving == back


def test_the_learner_is_heard(store, reader, versions):
    """Its newest beat comes with the state."""
    store.beat(LINE, role="learner", name="a", payload={"state": "idle"}, ttl_s=5)

    assert reader.state().learner == {"state": "idle"}


def signed_by_a_stranger(versions):
    return seal_version(a_manifest(LINE, number=9, parent=versions[2].id), STRANGER)


def of_another_model(versions):
    return a_version(Line("other"), number=9)


def of_another_shard(versions):
    return a_version(Line("phishing", 1), number=9)


def an_old_one(versions):
    return versions[0]


def none_at_all(versions):
    return None


def altered(versions):
    fine = a_version(LINE, number=9, parent=versions[2])
    body = fine.envelope.replace(b'learned\\":90', b'learned\\":91')
    assert body != fine.envelope
    return replace(fine, envelope=body)


@pytest.mark.parametrize(
    "forged",
    [signed_by_a_stranger, of_another_model, of_another_shard, an_old_one, none_at_all, altered],
)
def test_a_head_that_cannot_be_believed_is_not_obeyed(store, reader, versions, forged):
    """The last good head is served on; the problem is told and counted once."""
    reader.state()
    store.show_head(forged(versions))

    state = reader.state()
    reader.state()

    assert state.head == state.serving == versions[2]
    assert len(state.problems) == 1
    assert isinstance(state.problems[0], Tampered | CheckpointCorrupt)
    assert state.problems[0].exit_code == 6
    assert reader.refusals == 1
    with pytest.raises(type(state.problems[0])):
        reader.checked()


def test_after_a_forged_head_a_true_one_is_followed(store, reader, versions):
    """One bad record stops nothing for longer than it stands."""
    reader.state()
    store.show_head(signed_by_a_stranger(versions))
    reader.state()
    store.heads.clear()
    fourth = committed(store, LINE, granted(store, LINE).token, number=4, parent=versions[2])

    assert reader.checked().head == fourth


def test_a_fresh_reader_serves_nothing_it_cannot_verify(store, versions):
    """There is no last good one to keep."""
    store.show_head(signed_by_a_stranger(versions))
    state = LineReader(store, VERIFIER, LINE).state()

    assert state.head is state.serving is None
    assert len(state.problems) == 1


def false_pin(newest, versions):
    record = replace(
        a_control(LINE, newest, command="pin", to="v1").record, pin=pointer(versions[0])
    )
    return seal_control(record, FALSE_OPERATOR)


def for_another_model(newest, versions):
    return a_control(Line("other"), command="pin", to="v1", pin=pointer(versions[0]))


def a_replay(newest, versions):
    return a_control(LINE, command="pin", to="v1", pin=pointer(versions[0]))


@pytest.mark.parametrize("forge", [false_pin, for_another_model, a_replay])
def test_an_order_that_cannot_be_believed_is_not_obeyed(store, reader, versions, forge):
    """A wrong signature, another line, or an older command put in the place of a newer."""
    first = a_control(LINE, command="freeze", frozen=True)
    ordered(store, first)
    newest = a_control(LINE, first, command="thaw", frozen=False)
    ordered(store, newest)
    reader.state()
    store.forged_control = forge(newest, versions)

    state = reader.state()

    assert state.control == newest
    assert state.serving == versions[2]
    assert isinstance(state.problems[0], Tampered)


def test_a_learner_cannot_sign_orders(store, reader, versions):
    """Its key would make it an operator."""
    as_operator = Signer(LEARNER._private, role="operator")
    record = a_control(LINE, command="freeze", frozen=True).record
    store.forged_control = seal_control(record, as_operator)

    assert reader.state().control is None
    assert isinstance(reader.state().problems[0], Tampered)


def test_a_pin_on_what_is_gone_keeps_what_was_served(store, reader, versions):
    """Ordered to serve what is not there, it does not choose for itself."""
    reader.state()
    gone = replace(pointer(versions[0]), id="0" * 64)
    store.forged_control = a_control(LINE, command="pin", pin=gone)

    assert reader.state().serving == versions[2]
    assert isinstance(reader.state().problems[0], NoSuchVersion)
    assert LineReader(store, VERIFIER, LINE).state().serving is None


def test_a_pin_whose_number_is_not_its_ids_is_refused(store, reader, versions):
    """People read the number, machines the id: they must agree."""
    pin = replace(pointer(versions[0]), number=2)
    store.forged_control = a_control(LINE, command="pin", pin=pin)

    assert isinstance(reader.state().problems[0], Tampered)
    assert reader.state().serving is None


def test_versions_and_audit_are_verified_and_in_order(store, reader, versions):
    """Newest first, page after page."""
    first = a_control(LINE, command="freeze", frozen=True)
    ordered(store, first)
    ordered(store, a_control(LINE, first, command="thaw", frozen=False))

    assert [v.number for v in reader.versions(limit=2)] == [3, 2]
    assert [v.number for v in reader.versions(limit=2, before=2)] == [1]
    assert [c.record.seq for c in reader.audit(limit=9)] == [2, 1]
    assert reader.version(2) == versions[1]
    with pytest.raises(NoSuchVersion):
        reader.version(4)


class Shuffled(MemoryStore):
    """Every record in it is true, and stands in the wrong place."""

    def versions(self, line, *, limit, before=None):
        return super().versions(line, limit=limit, before=before)[::-1]

    def manifest_by_number(self, line, number):
        return super().manifest_by_number(line, number - 1)


def test_a_swapped_list_is_refused():
    """Each is signed, their order is not."""
    store = Shuffled()
    history(store, LINE, granted(store, LINE).token, length=3)
    reader = LineReader(store, VERIFIER, LINE)

    with pytest.raises(Tampered, match="out of order"):
        reader.versions(limit=9)
    with pytest.raises(Tampered, match="in its place"):
        reader.version(2)


def test_segments_are_loaded_and_checked(store, reader):
    """What was packed comes back; a missing or overlong one does not."""
    token = granted(store, LINE).token
    (model, packed), (drifts, also_packed) = pack(b"m" * 5000), pack(b"d" * 10)
    put(store, LINE, packed, also_packed)
    segments = {"model": model, "drifts": drifts}
    version = seal_version(a_manifest(LINE, segments=segments, parent=None), LEARNER)
    assert store.commit(LINE, token=token, version=version).stands

    assert reader.load_segments(version) == {"model": b"m" * 5000, "drifts": b"d" * 10}
    assert reader.load_segments(version, ["drifts"]) == {"drifts": b"d" * 10}
    with pytest.raises(TooLarge, match="5000 bytes"):
        LineReader(store, VERIFIER, LINE, segment_bytes_max=4999).load_segments(version)

    lying = replace(drifts, raw_bytes=9)
    false = seal_version(a_manifest(LINE, segments={"model": lying}, parent=None), LEARNER)
    with pytest.raises(CheckpointCorrupt):
        reader.load_segments(false)


def test_a_head_dropped_between_two_looks_is_followed_to_the_newer(store, versions):
    """The id was read, then a commit came and retention took the old one."""
    fourth = committed(store, LINE, granted(store, LINE).token, number=4, parent=versions[2])
    reader = LineReader(store, VERIFIER, LINE)
    position = replace(store.poll([LINE])[LINE], head="1" * 64)

    assert reader.at(position).head == fourth


# --- what was put back, taken away or damaged --------------------------------------------------


def test_a_head_from_before_the_last_order_is_not_obeyed(store, versions):
    """Nor by a reader that has never seen a newer one."""
    control = a_control(LINE, command="freeze", frozen=True, last_version=3)
    ordered(store, control)
    store.show_head(versions[1])

    state = LineReader(store, VERIFIER, LINE).state()

    assert state.head is state.serving is None
    assert "v3 was the head" in str(state.head_problem)
    store.show_head(None)
    assert "nothing stands there" in str(LineReader(store, VERIFIER, LINE).state().head_problem)


def test_an_order_taken_away_is_not_forgotten(store, reader, versions):
    """Who knew it keeps it and counts; a fresh reader does not choose what to serve."""
    pin = a_control(LINE, command="pin", pin=pointer(versions[0]), to="v1")
    ordered(store, pin)
    assert reader.checked().serving == versions[0]
    point_control(store, LINE, None)

    state = reader.state()
    assert (state.serving, reader.refusals) == (versions[0], 1)
    fresh = LineReader(store, VERIFIER, LINE).state()
    assert (fresh.head, fresh.serving) == (versions[2], None)
    assert isinstance(fresh.control_problem, Tampered)

    point_control(store, LINE, pin)
    assert LineReader(store, VERIFIER, LINE).checked().serving == versions[0]


def test_an_older_order_put_back_is_not_obeyed_by_a_fresh_reader(store, versions):
    """Each is signed; the audit knows which is the newest."""
    pin = a_control(LINE, command="pin", pin=pointer(versions[0]), to="v1")
    ordered(store, pin)
    ordered(store, a_control(LINE, pin, command="unpin", pin=None))
    point_control(store, LINE, pin)

    state = LineReader(store, VERIFIER, LINE).state()

    assert state.control is state.serving is None
    assert "the audit holds 2" in str(state.control_problem)


def test_the_head_says_which_order_was_known_when_it_was_made(store, versions):
    """Also when the audit has been cut to fit."""
    first = a_control(LINE, command="freeze", frozen=True)
    ordered(store, first)
    second = a_control(LINE, first, command="thaw", frozen=False)
    ordered(store, second)
    committed(store, LINE, granted(store, LINE).token, number=4, parent=versions[2], control_seq=2)
    del store._books(LINE).controls[second.id]
    point_control(store, LINE, first)

    state = LineReader(store, VERIFIER, LINE).state()

    assert state.control is None
    assert "after command 2" in str(state.control_problem)


def test_a_reader_asks_no_more_than_once_for_orders_that_stand(store, reader, versions):
    """Twenty looks a second, of which one reads."""
    reader.state()
    asked = []
    store.audit = lambda *_, **__: asked.append(1) or []

    reader.state()
    assert asked == []
    ordered(store, a_control(LINE, command="freeze", frozen=True))
    reader.state()
    reader.state()
    assert asked == [1]


def test_a_head_of_another_branch_is_noted_and_followed(store, reader, versions):
    """A store that lost v3 in a failover: the learner went on from v2, above every number."""
    reader.state()
    store._books(LINE).head = versions[1].id
    fourth = committed(store, LINE, granted(store, LINE).token, number=4, parent=versions[1])

    state = reader.state()

    assert (state.head, state.problems) == (fourth, ())
    assert "v4 does not descend from v3" in str(state.warnings[0])
    assert reader.refusals == 1
    assert reader.state().warnings == ()


def test_heads_that_were_not_seen_in_between_are_no_branch(store, reader, versions):
    """Two at once, and one over a version that is pruned or cannot be read."""
    reader.state()
    token = granted(store, LINE).token
    fourth = committed(store, LINE, token, number=4, parent=versions[2])
    fifth = committed(store, LINE, token, number=5, parent=fourth)
    assert (reader.state().head, reader.state().warnings) == (fifth, ())
    sixth = committed(store, LINE, token, number=6, parent=fifth)
    seventh = committed(store, LINE, token, number=7, parent=sixth)
    damage(store, sixth)

    assert (reader.state().head, reader.state().warnings) == (seventh, ())


def test_a_damaged_version_is_listed_by_name_beside_the_others(store, reader, versions):
    """Whoever must have all of them is told."""
    damage(store, versions[1])

    found = reader.listing(limit=9)

    assert [found[0], found[2]] == [versions[2], versions[0]]
    assert (found[1].name, found[1].id) == ("v2", versions[1].id)
    assert [each.number for each in reader.kept()] == [3, 2, 1]
    with pytest.raises(CheckpointCorrupt):
        reader.versions(limit=9)
