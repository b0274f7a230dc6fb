"""A head that cannot be read: who stops, who goes on, and the one way out."""

import pytest
from msgspec.structs import replace

from checkpoints.errors import (
    CheckpointCorrupt,
    DamagedHead,
    ReadFurther,
    Refused,
    Stale,
    Tampered,
    UnknownKey,
)
from checkpoints.reading.damaged_head import taken
from checkpoints.reading.reader import LineReader
from checkpoints.records.control import open_control
from checkpoints.records.line import Line
from checkpoints.records.lineage import accounted, advanced, check_counts
from checkpoints.records.manifest import Anchor, Counts, TopicAnchors
from checkpoints.records.signing import Verifier
from checkpoints.stores.in_memory.store import MemoryStore
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from tests.checkpoints.builders import (
    OPERATOR,
    VERIFIER,
    a_version,
    committed,
    damage,
    damage_segment,
    envelopes,
    flipped,
    granted,
    point_control,
    point_head,
    put,
    ref_of,
)
from tests.checkpoints.operators import Steady, an_operator, order


@pytest.fixture(params=["memory", "redis"])
def store(request, valkey_server):
    if request.param == "memory":
        yield MemoryStore()
        return
    redis = RedisStore(RedisConnection(valkey_server.url))
    yield redis
    redis.close()


@pytest.fixture
def line(unique_name) -> Line:
    return Line(unique_name)


@pytest.fixture
def operator(store):
    return Operators(store)


class Operators:
    """Commands on one store; nobody has to be waited for."""

    def __init__(self, store) -> None:
        self._operator = an_operator(store, Steady())

    def __call__(self, line, command, to=None, **more):
        key = more.pop("key", None)
        return self._operator.run(line, order(command, to, **more), idempotency_key=key)


def a_life(store, line, *, length: int = 5):
    """Versions that each learned 8 events more and refused 2, each with its window and anchor."""
    versions = []
    token = granted(store, line).token
    for number in range(1, length + 1):
        model, window = b"model %d" % number, b"window %d" % number
        put(store, line, window)
        versions.append(
            committed(
                store, line, token, number=number, parent=versions[-1] if versions else None,
                model=model,
                counts=Counts(
                    learned=8 * number, scored=8 * number, refused=2 * number,
                    refused_by={"not_json": 2 * number},
                ),
                offsets={"events": {"0": 10 * number}},
                anchors={"events": TopicAnchors(topic_id="t", partitions={
                    "0": Anchor(offset=10 * number - 1, sha256=str(number), timestamp_ms=1),
                })},
                runs=(("events", 0, 10 * (number - 1), 10 * number),),
                segments={"model": ref_of(model), "window": ref_of(window)},
            )
        )  # fmt: skip
    return versions


def spoil(store, versions, how: str) -> None:
    """Spoil the head, so that its place in the log cannot be told or trusted."""
    if how == "window":
        damage_segment(store, versions[-1], "window")
    elif how == "put back":
        point_head(store, versions[0])
    else:
        damage(store, versions[-1], flipped(versions[-1].envelope) if how == "flipped" else b"")


def head_of(store, line):
    return LineReader(store, VERIFIER, line).checked().head


# --- the operator's way out --------------------------------------------------------------------


@pytest.mark.parametrize("how", ["flipped", "gone", "window"])
def test_a_rollback_mends_a_damaged_head(store, line, operator, how):
    """The place in the log is that of the newest version that can be read: nothing is skipped,
    and what is read again was learned by no model that is left.
    """
    versions = a_life(store, line)
    spoil(store, versions, how)

    answer = operator(line, "rollback", "v3")

    made, place = head_of(store, line), versions[3].manifest
    assert (answer["from"], answer["to"], answer["version"]) == ("v5", "v3", "v6")
    assert (answer["forgotten"], answer["replayed"]) == (8, 0)
    assert answer["unreadable"]["head"] == "v5"
    assert answer["unreadable"]["place"] == "v4"
    assert answer["unreadable"]["why"]
    assert (made.number, made.manifest.parent) == (6, versions[4].id)
    assert made.manifest.segments["model"] == versions[2].manifest.segments["model"]
    assert made.manifest.segments["window"] == place.segments["window"]
    assert (made.manifest.offsets, made.manifest.anchors) == (place.offsets, place.anchors)
    counts = made.manifest.counts
    assert (counts.learned, counts.forgotten, counts.refused) == (24, 8, 8)
    check_counts(made.manifest)
    assert accounted(made.manifest) == advanced(made.manifest) == 40
    assert made.manifest.rollback.gap == {"events": {"0": (30, 40)}}


def test_it_is_on_record_whose_place_was_taken(store, line, operator):
    """In the signed manifest and in the audit."""
    versions = a_life(store, line)
    spoil(store, versions, "flipped")

    operator(line, "rollback", "v4")

    found = head_of(store, line).manifest.unreadable
    assert (found.head, found.place, found.place_id) == ("v5", "v4", versions[3].id)
    control = open_control(store.control(line), VERIFIER, line).record
    assert control.command.outcome.startswith("forgot 0; v5 could not be read")
    assert "v4" in control.command.outcome
    assert control.last_version == 6


def test_the_newest_version_whose_place_can_be_read_is_taken(store, line, operator):
    """A version whose model alone is lost still knows what was read."""
    versions = a_life(store, line)
    spoil(store, versions, "flipped")
    damage_segment(store, versions[3], "model")

    with pytest.raises(CheckpointCorrupt, match=r"v4 segment model"):
        operator(line, "rollback", "v4")
    answer = operator(line, "rollback", "v3")

    assert (answer["unreadable"]["place"], answer["forgotten"]) == ("v4", 8)
    assert head_of(store, line).manifest.offsets == versions[3].manifest.offsets


def test_a_head_whose_model_alone_is_lost_keeps_its_place(store, line, operator):
    """What it had read is known: nothing is read again, and nothing is unreadable."""
    versions = a_life(store, line)
    damage_segment(store, versions[4], "model")

    answer = operator(line, "rollback", "v4")

    assert "unreadable" not in answer
    made = head_of(store, line).manifest
    assert made.offsets == versions[4].manifest.offsets
    assert (made.counts.learned, made.counts.forgotten) == (32, 8)


def test_a_head_put_back_below_an_order_is_mended_from_the_newest(store, line, operator):
    """The true head is still kept, and knows what was read."""
    versions = a_life(store, line)
    operator(line, "freeze")
    point_head(store, versions[1])

    with pytest.raises(Tampered, match="v5 was the head"):
        operator(line, "thaw")
    answer = operator(line, "rollback", "v3")

    assert (answer["version"], answer["unreadable"]["place"]) == ("v6", "v5")
    made = head_of(store, line).manifest
    assert (made.parent, made.offsets) == (versions[1].id, versions[4].manifest.offsets)


def test_a_head_that_was_taken_away_is_mended(store, line, operator):
    """Versions without a head are no new line."""
    versions = a_life(store, line)
    if isinstance(store, MemoryStore):
        store._books(line).head = None
    else:
        store._redis.ask("DEL", f"{line.prefix}head", doing="take it away")

    with pytest.raises(DamagedHead, match="rollback") as refusal:
        taken(store, VERIFIER, line, granted(store, line))
    assert f"weir rollback {line.model} v5 --mode forget" in str(refusal.value)
    assert operator(line, "rollback", "v5")["version"] == "v6"
    assert head_of(store, line).manifest.offsets == versions[4].manifest.offsets


def test_a_dry_run_says_so_too(store, line, operator):
    """And changes nothing."""
    spoil(store, a_life(store, line), "gone")
    answer = operator(line, "rollback", "v4", dry_run=True)

    assert answer["unreadable"]["place"] == "v4"
    assert store.control(line) is None


def test_a_repeated_key_repeats_that_answer(store, line, operator):
    """The facts are in the version that was made."""
    spoil(store, a_life(store, line), "flipped")
    first = operator(line, "rollback", "v3", key="k")

    assert operator(line, "rollback", "v3", key="k") == first
    assert store.highest(line) == 6


@pytest.mark.parametrize(("command", "to"), [("pin", "v3"), ("freeze", None)])
def test_a_damaged_head_keeps_nobody_from_pinning_and_freezing(store, line, operator, command, to):
    """What serves an older version at once needs no head; what serves the head does."""
    spoil(store, a_life(store, line), "flipped")
    answer = operator(line, command, to)

    assert (answer["from"], answer["serving"]) == ("v5", to or "v5")
    for other in ("unpin", "thaw"):
        with pytest.raises(Refused):
            operator(line, other)
    assert operator(line, "rollback", "v4")["version"] == "v6"


def test_numbers_and_counts_hold_through_damage_after_damage(store, line, operator):
    """Learned on, damaged again, mended again: each number once, each record in one count."""
    versions = a_life(store, line)
    spoil(store, versions, "flipped")
    operator(line, "rollback", "v2")
    made = head_of(store, line)
    model, window = b"model 7", b"window 7"
    put(store, line, window)
    seventh = committed(
        store, line, granted(store, line).token, number=7, parent=made, model=model,
        counts=replace(made.manifest.counts, learned=24),
        offsets={"events": {"0": 48}}, control_seq=1,
        segments={"model": ref_of(model), "window": ref_of(window)},
    )  # fmt: skip
    damage(store, seventh)

    answer = operator(line, "rollback", "v4")

    assert (answer["version"], answer["unreadable"]["place"]) == ("v8", "v6")
    made = head_of(store, line).manifest
    assert (made.parent, made.offsets) == (seventh.id, {"events": {"0": 40}})
    assert accounted(made) == advanced(made) == 40
    assert made.orders_seen == 2


def test_what_has_read_beyond_the_place_is_not_gone_back_to(store, line, operator):
    """A damaged version that is whole again holds records that will be learned once more."""
    versions = a_life(store, line)
    spoil(store, versions, "flipped")
    operator(line, "rollback", "v4")
    damage(store, versions[4], versions[4].envelope)

    with pytest.raises(ReadFurther, match="twice") as refusal:
        operator(line, "rollback", "v5")
    assert refusal.value.exit_code == 6


def test_nothing_stands_in_for_a_key_that_is_lacking(store, line, operator):
    """The head is whole: another process can read it, and going back would lose it."""
    versions = a_life(store, line)
    other = Verifier(learner=[], operator=[OPERATOR.public])

    with pytest.raises(UnknownKey, match="WEIR_SIGNING__LEARNER_PUBLIC") as refusal:
        taken(store, other, line, granted(store, line))
    assert "weir rollback" not in str(refusal.value)
    assert head_of(store, line) == versions[4]


def test_without_any_sound_version_there_is_no_way_but_a_backup(store, line, operator):
    """It says so; nothing is made up."""
    versions = a_life(store, line, length=2)
    for version in versions:
        damage(store, version)

    with pytest.raises(DamagedHead, match="restore Redis from a backup"):
        taken(store, VERIFIER, line, granted(store, line))
    with pytest.raises(Refused):
        operator(line, "rollback", "v1")
    assert store.control(line) is None


# --- the learner -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["flipped", "gone"])
def test_a_learner_stops_and_names_the_command_that_mends_it(store, line, operator, how):
    """It never goes on from an older one by itself; the command it names works."""
    versions = a_life(store, line)
    spoil(store, versions, how)
    damage_segment(store, versions[3], "drifts" if "drifts" in versions[3].manifest.segments
                   else "model")  # fmt: skip

    with pytest.raises(DamagedHead) as refusal:
        taken(store, VERIFIER, line, granted(store, line))

    assert refusal.value.exit_code == 6
    mend = f'`weir rollback {line.model} v3 --mode forget --reason "v5 is damaged"`'
    assert mend in str(refusal.value)
    operator(line, "rollback", "v3")
    assert taken(store, VERIFIER, line, granted(store, line)).number == 6


def test_a_sound_line_is_taken(store, line, operator):
    """Its head; None for a new one."""
    assert taken(store, VERIFIER, line, granted(store, line)) is None
    versions = a_life(store, line)
    operator(line, "freeze")

    assert taken(store, VERIFIER, line, granted(store, line), obeyed=1) == versions[4]


def test_a_rollback_while_the_line_is_taken_is_no_attack(store, line, operator):
    """Its head is newer than the one that was handed over: take it again."""
    a_life(store, line)
    grant = granted(store, line)
    operator(line, "rollback", "v2")

    with pytest.raises(Stale):
        taken(store, VERIFIER, line, grant)


def test_an_order_taken_back_stops_a_learner_and_the_operators(store, line, operator):
    """Frozen stays frozen: a fresh learner would not know. What the advice says mends it."""
    a_life(store, line)
    operator(line, "tag", "v1", tag="old")
    operator(line, "freeze")
    newest = open_control(store.control(line), VERIFIER, line)
    older = open_control(store.audit(line, limit=2)[1], VERIFIER, line)
    for stands in (None, older):
        point_control(store, line, stands)
        with pytest.raises(Tampered, match="taken back") as refusal:
            taken(store, VERIFIER, line, granted(store, line))
        assert refusal.value.exit_code == 6
        assert f"SET '{line.prefix}control' '2:{newest.id}'" in str(refusal.value)
        for command in ("thaw", "rollback"):
            with pytest.raises(Tampered, match="taken back"):
                operator(line, command, "v2" if command == "rollback" else None)
    point_control(store, line, newest)

    assert operator(line, "thaw")["command"] == "thaw"
    seqs = [control.record.seq for control in LineReader(store, VERIFIER, line).audit(limit=9)]
    assert seqs == [3, 2, 1]


def test_the_head_knows_of_an_order_whose_audit_is_gone(store, line, operator):
    """Its manifest is signed, and names the newest command obeyed."""
    versions = a_life(store, line)
    operator(line, "freeze")
    sixth = committed(
        store, line, granted(store, line).token, number=6, parent=versions[4], control_seq=1
    )
    if isinstance(store, MemoryStore):
        store._books(line).controls.clear()
    else:
        store._redis.ask("DEL", f"{line.prefix}audit", doing="wipe it")
    point_control(store, line, None)

    with pytest.raises(Tampered, match=r"after command 1.*backup"):
        taken(store, VERIFIER, line, granted(store, line))
    with pytest.raises(Tampered):
        operator(line, "thaw")
    assert sixth.manifest.orders_seen == 1


def test_a_learner_that_obeyed_a_lost_order_stops(store, line):
    """Else a frozen model would be thawed by a failover."""
    a_life(store, line)

    with pytest.raises(Tampered, match="give the order again"):
        taken(store, VERIFIER, line, granted(store, line), obeyed=1)


def test_a_rollback_carries_its_own_order(store, line, operator):
    """A reader of its version alone knows that there was one."""
    a_life(store, line)
    operator(line, "freeze")
    operator(line, "rollback", "v2")

    assert head_of(store, line).manifest.orders_seen == 2
    assert len(envelopes(store, line)) == 6
    assert a_version(line).manifest.orders_seen == 0


def test_a_store_that_was_emptied_is_no_attack_on_its_orders(line):
    """Nothing of the line stands there: whether it is a new one, Kafka remembers."""
    store = MemoryStore()
    assert taken(store, VERIFIER, line, granted(store, line), obeyed=1) is None
