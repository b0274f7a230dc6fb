"""An exported version becomes the head of a line: what it takes along, and what stays."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from checkpoints.compatibility import ModelFileChangedError, SoftwareChangedError
from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import BadCommand, Refused, UnsafePickle
from checkpoints.exporting.believed import verifier_of
from checkpoints.exporting.container import ExportedVersion, packed, read_exported
from checkpoints.exporting.importer import Beginning, Importer, import_lines
from checkpoints.keeping.pruner import Pruner
from checkpoints.operating.in_force import Enforcement
from checkpoints.reading.reader import LineReader
from checkpoints.reading.verify import problems_of
from checkpoints.reading.views import version_item
from checkpoints.records.line import Line
from checkpoints.records.lineage import accounted, advanced, check_counts, rolled_back
from checkpoints.records.manifest import Counts, seal_version
from checkpoints.records.segments import pack
from checkpoints.records.signing import public_pem
from checkpoints.stores.heads import Outcome
from checkpoints.stores.in_memory.store import DieAt, Died, MemoryStore
from checkpoints.stores.in_redis.connection import RedisConnection
from checkpoints.stores.in_redis.store import RedisStore
from config.model.parts import Keep
from tests.checkpoints.builders import (
    LEARNER,
    OPERATOR,
    STRANGER,
    VERIFIER,
    a_manifest,
    committed,
    damage,
    granted,
    history,
    put,
)
from tests.checkpoints.operators import NOW_MS, Steady, an_operator, order

LOGISTIC = {"name": "phishing", "task": "binary", "learner": {"river": ["linear_model.X"]},
            "topics": {"events": "staging.events"}, "trust": ["theirs"]}  # fmt: skip
HERE = {**LOGISTIC, "topics": {"events": "events"}, "trust": ["ours"]}
SOFTWARE = {"river": "0.26.1"}
KINDS = {"model": b"theirs" * 20, "drifts": b'{"total":3}', "window": b"ids of theirs",
         "background": b"rows of theirs"}  # fmt: skip


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.servers)])
def store(request) -> Iterator[MemoryStore | RedisStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    server: ValkeyServer = request.getfixturevalue("valkey_server")
    store = RedisStore(RedisConnection(server.url))
    yield store
    store.close()


@pytest.fixture
def line(unique_name: str) -> Line:
    return Line(unique_name)


@pytest.fixture
def exported(tmp_path: Path) -> ExportedVersion:
    """`phishing v17` of another environment: 170 learned of another log."""
    stored = {name: pack(raw) for name, raw in KINDS.items()}
    manifest = a_manifest(
        Line("phishing"), number=17, parent="f" * 64, model_file=LOGISTIC, software=SOFTWARE,
        segments={name: ref for name, (ref, _) in stored.items()},
        offsets={"staging.events": {"0": 99_170}}, begins={"staging.events": {"0": 99_000}},
    )  # fmt: skip
    version = seal_version(manifest, STRANGER)
    path = tmp_path / "phishing.weir"
    path.write_bytes(packed(version, {name: data for name, (_, data) in stored.items()}))
    return read_exported(path, verifier_of([public_pem(STRANGER.public).decode()]))


BEGIN = Beginning(
    offsets={"events": {"0": 500, "1": 700}}, topic_ids={"events": "id-of-events"}, highest=0,
    model_file=HERE,
)  # fmt: skip


def an_importer(store, *, begin=BEGIN, try_out=lambda *_: None, **more) -> Importer:
    steady = Steady()
    clock = {"clock_ms": lambda: NOW_MS}
    waits = Enforcement(store=store, steady_s=steady, pause=steady.pause, **clock)
    return Importer(
        store, OPERATOR, VERIFIER, who="ann@host", try_out=try_out, begin=lambda: begin,
        enforcement=waits, **clock, **more,
    )  # fmt: skip


def reader(store, line) -> LineReader:
    return LineReader(store, VERIFIER, line)


def head(store, line):
    found = reader(store, line).checked().head
    assert found is not None
    return found


def a_line(store, line, length: int = 3):
    """A line of this environment, with ids seen of its own log; its versions and its token."""
    token = granted(store, line).token
    window = pack(b"ids of ours")
    put(store, line, window[1])
    versions = []
    for number in range(1, length + 1):
        model = pack(b"ours %d" % number)
        put(store, line, model[1])
        versions.append(
            committed(
                store, line, token, number=number, parent=versions[-1] if versions else None,
                segments={"model": model[0], "window": window[0]}, model_file=HERE,
                software=SOFTWARE,
            )
        )  # fmt: skip
    return versions, token


def test_an_import_is_of_the_moment_in_which_it_takes_effect(store, line, exported):
    """Trying it out takes a while: what was committed meanwhile is not lost, and the time is not
    that of before, or nobody could tell what served in between.
    """
    versions, token = a_line(store, line)
    now = [NOW_MS]

    def tries_long(*_) -> None:
        now[0] += 5_000
        committed(store, line, token, number=4, parent=versions[-1], model_file=HERE,
                  software=SOFTWARE)  # fmt: skip

    importer = Importer(
        store, OPERATOR, VERIFIER, who="ann@host", try_out=tries_long, begin=lambda: BEGIN,
        clock_ms=lambda: now[0],
    )  # fmt: skip
    importer.run(line, exported, order("import"))

    assert (head(store, line).manifest.name, head(store, line).manifest.origin.at_ms) == (
        "v5", NOW_MS + 5_000,
    )  # fmt: skip
    assert reader(store, line).audit(limit=1)[0].record.at_ms == NOW_MS + 5_000


def test_a_line_goes_on_from_it_where_it_stood(store, line, exported):
    """Model and scores are the file's; offsets, ids seen and topics stay; ours is forgotten."""
    versions, token = a_line(store, line)

    body = an_importer(store).run(line, exported, order("import"))

    made, was = head(store, line).manifest, versions[-1].manifest
    assert (made.kind, made.name, made.parent) == ("import", "v4", versions[-1].id)
    assert (made.offsets, made.begins, made.anchors) == (was.offsets, was.begins, was.anchors)
    assert (made.counts.learned, made.counts.forgotten) == (170, 30)
    assert made.metrics == exported.version.manifest.metrics
    assert made.model_file == HERE
    loaded = reader(store, line).load_segments(head(store, line))
    assert loaded == {**KINDS, "window": b"ids of ours"}
    assert made.base is None
    check_counts(made)
    assert accounted(made) == advanced(made) == 30
    assert body == {
        "command_id": body["command_id"], "command": "import", "from": "v3", "to": None,
        "version": "v4", "serving": "v4", "forgotten": 30, "replayed": 0, "changed": True,
        "dry_run": False, "learned": 170,
        "origin": {"model": "phishing", "version": "v17", "id": exported.version.id,
                   "signer": STRANGER.key_id},
    }  # fmt: skip
    # The learner that was at work is fenced.
    put(store, line, b"late")
    late = seal_version(
        a_manifest(line, number=5, parent=head(store, line).id, model=b"late"), LEARNER
    )
    assert store.commit(line, token=token, version=late) is Outcome.FENCED


def test_a_line_without_a_version_begins_with_it_where_the_order_says(store, line, exported):
    an_importer(store).run(line, exported, order("import"))

    made = head(store, line).manifest
    assert (made.kind, made.name, made.parent) == ("import", "v1", None)
    assert made.offsets == made.begins == BEGIN.offsets
    assert made.anchors["events"].topic_id == "id-of-events"
    assert (made.counts.learned, made.learned_here, made.counts.forgotten) == (170, 0, 0)
    assert sorted(made.segments) == ["background", "drifts", "model"]
    assert made.model_file == HERE
    check_counts(made)
    assert accounted(made) == advanced(made) == 0


def test_numbers_that_kafka_remembers_are_not_used_again(store, line, exported):
    """A store that was emptied: what stood there had numbers."""
    begin = replace(BEGIN, highest=41)

    an_importer(store, begin=begin).run(line, exported, order("import"))

    assert head(store, line).manifest.name == "v42"


def test_it_is_in_the_audit_with_what_it_was(store, line, exported):
    a_line(store, line)
    an_importer(store).run(line, exported, order("import"))

    (record,) = (each.record for each in reader(store, line).audit(limit=9))
    command = record.command
    assert (command.command, command.who, command.reason) == ("import", "ann@host", "because")
    assert (command.from_, command.version, record.last_version) == ("v3", "v4", 4)
    short = exported.version.id[:12]
    assert command.outcome == (
        f"forgot 30; it is phishing v17 ({short}), signed by {STRANGER.key_id}"
    )
    origin = head(store, line).manifest.origin
    assert (origin.learned, origin.who, origin.at_ms) == (170, "ann@host", NOW_MS)
    item = version_item(head(store, line), control=None)
    assert (item["kind"], item["created_at"]) == ("import", "2023-11-14T22:13:20.000Z")


def test_a_pin_goes_and_is_named(store, line, exported):
    a_line(store, line)
    an_operator(store, Steady()).run(line, order("pin", "v2"))

    body = an_importer(store).run(line, exported, order("import"))

    assert (body["unpinned"], body["serving"]) == ("v2", "v4")
    assert "the pin of v2 is removed" in import_lines("phishing", body)
    assert reader(store, line).checked().serving == head(store, line)


def test_a_dry_run_tries_it_and_writes_nothing(store, line, exported):
    versions, _ = a_line(store, line)
    tried = []

    importer = an_importer(store, try_out=lambda *given: tried.append(given))
    body = importer.run(line, exported, order("import", dry_run=True))

    assert tried == [(exported, ("ours",))]
    assert (body["version"], body["serving"], body["forgotten"]) == (None, "v3", 30)
    assert import_lines("phishing", body) == [
        "phishing: nothing was done; v3 is serving",
        "phishing v17, 170 learned, would be the head; 30 learned events would be forgotten",
    ]
    assert head(store, line) == versions[-1]


def test_what_could_not_be_loaded_is_not_imported(store, line, exported):
    versions, _ = a_line(store, line)

    def refuse(*_):
        raise UnsafePickle("the snapshot names os.system", advice="nothing of it was kept")

    with pytest.raises(UnsafePickle):
        an_importer(store, try_out=refuse).run(line, exported, order("import"))
    assert head(store, line) == versions[-1]


def test_where_a_line_stands_it_is_not_said_where_to_begin(store, line, exported):
    a_line(store, line)

    with pytest.raises(BadCommand, match=r"has come to v3.*leave out --from"):
        an_importer(store).run(line, exported, order("import"), is_begun=True)


def test_what_the_lines_learner_would_not_go_on_from_is_refused(store, line, exported):
    """It would stop with exit 4, and the line with it."""
    token = granted(store, line).token
    was = committed(
        store, line, token, number=1, model_file={**HERE, "learner": {"river": ["another"]}}
    )
    with pytest.raises(ModelFileChangedError, match="learner was"):
        an_importer(store).run(line, exported, order("import"))

    put(store, line, b"w2")
    committed(
        store, line, token, number=2, parent=was, model=b"w2", model_file=HERE,
        software={"river": "0.25.0"},
    )  # fmt: skip
    with pytest.raises(SoftwareChangedError, match=r"river 0\.26\.1, here 0\.25\.0"):
        an_importer(store).run(line, exported, order("import"))


def test_a_line_whose_head_is_gone_is_not_begun(store, line, exported):
    versions, _ = a_line(store, line)
    damage(store, versions[-1])

    with pytest.raises(Refused):
        an_importer(store).run(line, exported, order("import"))


def go_on(store, line, token, *, number, parent, learned, **more):
    """A commit of a learner that went on, and has learned so many events of this log since."""
    manifest = parent.manifest
    offset = manifest.offsets["events"]["0"] + learned
    return committed(
        store, line, token, number=number, parent=parent, model=b"w%d" % number,
        counts=replace(manifest.counts, learned=manifest.counts.learned + learned),
        offsets={"events": {"0": offset}}, begins=manifest.begins, origin=manifest.origin, **more,
    )  # fmt: skip


def test_counts_hold_through_imports_and_rollbacks(store, line, exported):
    """Every record of this log stands in one count, whatever was learned elsewhere."""
    versions, _ = a_line(store, line)
    an_importer(store).run(line, exported, order("import"))
    imported = head(store, line)
    token = granted(store, line).token
    later = go_on(store, line, token, number=5, parent=imported, learned=8)
    check_counts(later.manifest)
    assert accounted(later.manifest) == advanced(later.manifest) == 38

    given = {"command_id": "c", "reason": "r", "who": "ann", "at_ms": 1}
    before = rolled_back(later, versions[1], number=6, **given)
    assert (before.counts.learned, before.learned_elsewhere, before.counts.forgotten) == (20, 0, 18)
    assert accounted(before) == advanced(before) == 38
    assert not isinstance(later.manifest.origin, type(before.origin))

    back = seal_version(before, OPERATOR)
    again = rolled_back(back, imported, number=7, **given)
    assert (again.counts.learned, again.learned_here, again.counts.forgotten) == (170, 0, 38)
    assert accounted(again) == advanced(again) == 38


def test_an_import_stays_as_long_as_one_is_kept_that_goes_on_from_it(store, line, exported):
    """No log could rebuild it; once none is left, it goes as others do."""
    a_line(store, line)
    an_importer(store).run(line, exported, order("import"))
    token = granted(store, line).token
    parent = imported = head(store, line)
    for number in range(5, 9):
        parent = go_on(store, line, token, number=number, parent=parent, learned=1)

    def kept() -> list[str]:
        keep = Keep(last=1, minutely=0, hourly=0, daily=0)
        pruner = Pruner(store, LEARNER, VERIFIER, line, keep=keep, token=token)
        pruner.prune(head=head(store, line))
        return [each.manifest.name for each in reader(store, line).versions(limit=99)]

    assert kept() == ["v8", "v4"]
    assert problems_of(reader(store, line), [imported], state=None) == {}
    fresh = committed(
        store, line, token, number=9, parent=parent, model=b"w9",
        counts=Counts(), offsets={"events": {"0": 38}},
    )  # fmt: skip
    assert kept() == ["v9", "v4"]
    assert kept() == ["v9"]
    assert head(store, line) == fresh


def test_a_line_that_moves_meanwhile_is_read_again(store, line, exported):
    """A learner commits once a second; an import is made of the head that is."""
    versions, token = a_line(store, line)
    moved = []

    def commit_once(*_):
        if not moved:
            moved.append(
                go_on(store, line, token, number=4, parent=versions[-1], learned=5,
                      model_file=HERE, software=SOFTWARE)
            )  # fmt: skip

    an_importer(store, try_out=commit_once).run(line, exported, order("import"))

    made = head(store, line).manifest
    assert (made.name, made.parent, made.counts.forgotten) == ("v5", moved[0].id, 35)


@pytest.mark.parametrize("step", ["put_segment.before", "put_segment.after", "command.before"])
def test_an_operator_who_dies_has_changed_nothing_and_imports_again(line, exported, step):
    """Whatever was written is an orphan."""
    store = MemoryStore()
    versions, _ = a_line(store, line)
    store.on_step = DieAt(step)
    with pytest.raises(Died):
        an_importer(store).run(line, exported, order("import"))
    store.on_step = lambda _step: None
    assert head(store, line) == versions[-1]

    assert an_importer(store).run(line, exported, order("import"))["version"] == "v4"


def test_an_operator_who_dies_when_it_is_written_has_imported_it(line, exported):
    """And nobody imports it twice unasked."""
    store = MemoryStore()
    a_line(store, line)
    store.on_step = DieAt("command.after")
    with pytest.raises(Died):
        an_importer(store).run(line, exported, order("import"))
    store.on_step = lambda _step: None

    assert head(store, line).manifest.kind == "import"
    assert len(reader(store, line).audit(limit=9)) == 1


def test_history_goes_on_without_it(store, line):
    """Versions that were made before there were imports read as they did."""
    versions = history(store, line, granted(store, line).token, length=2)

    assert b"origin" not in versions[-1].envelope
    assert versions[-1].manifest.learned_here == versions[-1].manifest.counts.learned
