"""`weir doctor`: what stops a process is found before it does, with the way to mend it."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from kafka import KafkaAdminClient
from msgspec.structs import replace

from checkpoints.dev_server import ValkeyServer
from checkpoints.doctor import key_findings, store_findings
from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from checkpoints.records.manifest import seal_version
from checkpoints.records.signing import make_keys
from checkpoints.stores.in_redis.connection import RedisConnection
from config.findings import exit_code
from config.processes.child import ServerProcess, free_port
from stream.dev.jars import fetch_jars, user_cache
from stream.dev.kafka_server import find_java, prepare
from stream.doctor import kafka_findings, model_findings
from stream.kafka import client as kafka_client
from tests.checkpoints.gated import held_for
from tests.servers import SharedKafka
from tests.stream.rig import RECORDER, Rig, events, rig


@pytest.fixture
def learned(kafka_server: SharedKafka, valkey_server: ValkeyServer, tmp_path, unique_name):
    """A model that has learned 200 events and stopped."""
    text = RECORDER.format(name=unique_name, every_seconds=0.05)
    with rig(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, model_text=text
    ) as at:
        at.send_events(events(200, 1))
        process = at.start()
        at.until(lambda: at.consumed() == 200, "all is learned")
        assert at.stop(process) == 0
        yield at


def diagnosis(at: Rig, **options):
    heads, found = store_findings(at.redis, at.keys, [at.model_file])
    kafka = at.settings("doctor").kafka
    return found + list(kafka_findings(kafka, [at.model_file], heads, **options))


def errors(found):
    return [finding.what for finding in found if finding.level == "error"]


def warnings(found):
    return [finding.what for finding in found if finding.level == "warning"]


def test_nothing_is_wrong_with_a_healthy_model(learned):
    """Every check says so, and the exit code is 0."""
    found = diagnosis(learned)

    assert [each for each in found if each.level != "ok"] == []
    assert exit_code(found) == 0
    said = " ".join(each.what for each in found)
    for part in ("verifies: 200 learned", "advertises", "append-only", "still has all 200"):
        assert part in said


def test_a_model_that_is_not_begun_yet_is_no_error(
    kafka_server, valkey_server, tmp_path, unique_name
):
    """It says what begins it."""
    text = RECORDER.format(name=unique_name, every_seconds=1)
    with rig(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, model_text=text
    ) as at:
        found = diagnosis(at)

    assert errors(found) == []
    assert "no version yet: `weir learn --new` begins it" in [each.what for each in found]


def test_missing_topics_are_named(kafka_server, valkey_server, tmp_path, unique_name):
    """Exit code 3, as the learner's."""
    text = RECORDER.format(name=unique_name, every_seconds=1)
    with rig(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, model_text=text
    ) as at:
        with closing(KafkaAdminClient(bootstrap_servers=at.kafka)) as admin:
            admin.delete_topics([f"{unique_name}.events"])
        at.until(lambda: exit_code(diagnosis(at)) == 3, "the topic is gone")
        found, of_dev = diagnosis(at), diagnosis(at, makes_topics=True)

    missing = f"topic {unique_name}.events does not exist"
    assert errors(found) == [missing]
    # `weir dev` makes the topics of a model that it begins: it would not refuse.
    assert errors(of_dev) == []
    assert missing in [each.what for each in of_dev if each.level == "warning"]


def test_a_recreated_topic_is_told(learned):
    """Exit code 4: it is not the log that the head was learned from."""
    events_topic = learned.model_file.topics.events
    with closing(KafkaAdminClient(bootstrap_servers=learned.kafka)) as admin:
        admin.delete_topics([events_topic])
    kafka = learned.settings("doctor").kafka
    learned.until(lambda: not kafka_client.describe(kafka, [events_topic]), "the topic is gone")
    kafka_client.create_topics(kafka, learned.model_file, partitions=1)
    learned.send_events(events(300, 2))

    found = diagnosis(learned)

    assert exit_code(found) == 4
    assert "deleted and recreated" in " ".join(f"{e.what} {e.mend}" for e in found)
    assert not any(each.what.startswith(each.about) for each in found), "it is named once"


def test_an_emptied_store_is_told_from_a_new_model(learned, tmp_path):
    """Kafka's group remembers that the model has learned."""
    with ValkeyServer(tmp_path / "other") as empty:
        heads, found = store_findings(empty.url, learned.keys, [learned.model_file])
        found += kafka_findings(learned.settings("doctor").kafka, [learned.model_file], heads)

    assert exit_code(found) == 4
    assert any("the store holds no version, yet" in what for what in errors(found))


def test_standing_orders_are_said(learned):
    """A pin, and a freeze: nothing is wrong, and yet nothing new is served or learned."""
    operator = Operator(
        learned.store, learned.keys.signer("operator"), learned.keys.verifier, who="ann"
    )
    operator.run(learned.line, Order(command="pin", to="v1", reason="a test"))
    operator.run(learned.line, Order(command="freeze", reason="a test"))

    assert warnings(diagnosis(learned)) == ["v1 is pinned and served", "learning is frozen"]


def test_a_head_that_is_held_back_is_said(learned):
    """It is whole, and yet another is served."""
    head, signer = learned.head(), learned.keys.signer("learner")
    token = learned.store.acquire(learned.line, holder="test", lease_s=5).token
    after = {"number": head.number + 1, "parent": head.id, "gate": held_for(head)}
    held = seal_version(replace(head.manifest, **after), signer)
    assert learned.store.commit(learned.line, token=token, version=held).stands

    told = f"{held.manifest.name} is held back and {head.manifest.name} is served"
    assert warnings(diagnosis(learned)) == [told]


def test_a_changed_model_file_is_told_before_the_learner_stops(learned):
    """Exit code 4, and the difference."""
    changed = learned.model_text + "limits: {value: 5.0}\n"
    learned.model_file = type(learned)(
        kafka=learned.kafka, redis=learned.redis, folder=learned.folder, model_text=changed
    ).model_file

    found = diagnosis(learned)

    assert exit_code(found) == 4
    assert any("limits was" in what for what in errors(found))
    assert all(what.startswith("the model file is not the one") for what in errors(found))


def test_versions_signed_by_others_are_told(learned, tmp_path):
    """Exit code 6."""
    strangers = make_keys(tmp_path / "others")

    _, found = store_findings(learned.redis, strangers, [learned.model_file])

    assert exit_code(found) == 6
    assert any("no key known here" in what for what in errors(found))


def test_small_dead_letter_topics_and_compaction_are_warned_of(
    kafka_server, valkey_server, tmp_path, unique_name
):
    """Both work, and lose something."""
    name = f"{unique_name}.events"
    with closing(KafkaAdminClient(bootstrap_servers=kafka_server.address)) as admin:
        options = {"num_partitions": 1, "replication_factor": 1}
        compact = {"configs": {"cleanup.policy": "compact"}}
        small = {"configs": {"max.message.bytes": "1000"}}
        admin.create_topics(
            {name: {**options, **compact}, f"dlq.{name}": {**options, **small}},
            wait_for_metadata=True,
        )
    text = RECORDER.format(name=unique_name, every_seconds=1)
    with rig(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, model_text=text
    ) as at:
        found = warnings(diagnosis(at))

    assert len(found) == 2
    assert "is compacted" in found[0]
    assert "would go truncated" in found[1]


def test_a_redis_that_may_evict_or_is_full_is_told(starts_servers, tmp_path, unique_name):
    """allkeys-lru: exit code 6. Nearly full: a warning."""
    with ValkeyServer(tmp_path) as server:
        connection = RedisConnection(server.url)
        for name, value in [
            ("maxmemory-policy", "allkeys-lru"), ("maxmemory", "1200000"), ("appendonly", "no"),
        ]:  # fmt: skip
            connection.ask("CONFIG", "SET", name, value, doing="set it up badly")
        connection.close()

        _, found = store_findings(server.url, None, [])

    assert exit_code(found) == 6
    assert errors(found) == ["maxmemory-policy allkeys-lru may evict any version in silence"]
    assert len(warnings(found)) == 2


def weir_doctor(*options, **variables):
    """The command itself: its exit code, and what it printed."""
    done = subprocess.run(
        [Path(sys.executable).with_name("weir"), "doctor", *options],
        env={**os.environ, **variables}, cwd=Path(__file__).parents[2],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout


def test_servers_that_are_down_are_told(starts_servers):
    """Exit code 5, within a few seconds each."""
    nowhere = free_port()
    code, output = weir_doctor(
        "--json",
        WEIR_KAFKA__BOOTSTRAP_SERVERS=f"127.0.0.1:{nowhere}",
        WEIR_REDIS__URL=f"redis://127.0.0.1:{nowhere}/0",
    )

    body = json.loads(output)
    codes = {finding["about"].split()[0]: finding["exit_code"] for finding in body["findings"]}
    assert codes == {"keys": 6, "redis": 5, "kafka": 5}
    assert code == body["exit_code"] == 6


def test_an_advertised_address_that_leads_nowhere_is_told(starts_servers, tmp_path):
    """The broker answers at the address given, and names another for all that follows."""
    port, nowhere = free_port(), free_port()
    spec = prepare(tmp_path, port=port, jars=fetch_jars(user_cache()), java=find_java())
    properties = tmp_path / "server.properties"
    here = f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}"
    text = properties.read_text()
    assert here in text
    properties.write_text(text.replace(here, here.replace(str(port), str(nowhere))))
    server = ServerProcess(spec, log=tmp_path / "output.log")
    server.start()
    try:
        _, output = weir_doctor("--json", WEIR_KAFKA__BOOTSTRAP_SERVERS=f"127.0.0.1:{port}")
    finally:
        server.stop()

    kafka = [f for f in json.loads(output)["findings"] if f["about"].startswith("kafka")]
    assert [finding["exit_code"] for finding in kafka] == [5]
    assert f"advertises 127.0.0.1:{nowhere}, which cannot be reached" in kafka[0]["what"]
    assert "advertised.listeners" in kafka[0]["mend"]


def test_every_problem_of_a_model_file_is_told(tmp_path):
    """Each with its line, by the schema or by River."""
    path = tmp_path / "m.yaml"
    path.write_text("name: a\ntask: binary\nlearner: {river: [linear_model.LogisticRegresion]}\n")
    model_file, found = model_findings(path)
    assert model_file is None
    assert exit_code(found) == 2
    assert found[0].about == f"{path}:3"
    assert found[0].what.startswith("learner.river[0]: river has no linear_model.")

    path.write_text("name: a\ntsak: binary\n")
    _, found = model_findings(path)
    assert len(found) == 3

    _, (found,) = model_findings(tmp_path / "nosuch.yaml")
    assert (found.about, found.what) == (f"{tmp_path}/nosuch.yaml", "there is no such file")
    assert found.mend == "name a file that can be read"


def test_a_model_file_can_be_checked_before_anything_is_set_up(starts_servers, tmp_path):
    """Exit 0 for a right one, and one line says that nothing else was checked."""
    path = tmp_path / "m.yaml"
    path.write_text("name: a\ntask: binary\nlearner: {river: [linear_model.LogisticRegression]}\n")
    make_keys(tmp_path / "keys")  # what an ended `weir dev` leaves behind
    options = ("--model", path, "--data-dir", tmp_path)

    code, output = weir_doctor(*options)
    assert (code, len(output.splitlines())) == (0, 2)
    assert "kafka, redis, keys: not checked: none is configured" in output

    code, output = weir_doctor(*options, WEIR_REDIS__URL="redis://127.0.0.1:1/0")
    assert code == 2
    assert "a running `weir dev` gives Kafka, Redis and keys" in output
    assert weir_doctor("--data-dir", tmp_path)[0] == 2  # nothing at all was checked

    path.write_text("name: a\ntask: binary\nlearner: {river: [no.Name]}\n")
    assert weir_doctor(*options)[0] == 2


def signing(**given):
    names = ("learner_key", "learner_public", "operator_key", "operator_public")
    return SimpleNamespace(**{name: given.get(name) for name in names})


def test_keys_missing_open_or_of_another_pair_are_told(tmp_path):
    """Exit code 6; a private key that nobody believes is a warning."""
    make_keys(tmp_path / "a")
    make_keys(tmp_path / "b")
    operator = str(tmp_path / "a" / "operator.pub")
    learner = tmp_path / "a" / "learner.pem"

    keys, found = key_findings(signing())
    assert (keys, exit_code(found)) == (None, 6)

    good = signing(learner_key=str(learner), operator_public=operator)
    keys, found = key_findings(good)
    assert keys is not None
    assert [finding.level for finding in found] == ["ok"]

    other = str(tmp_path / "b" / "learner.pub")
    given = signing(learner_key=str(learner), learner_public=other, operator_public=operator)
    _, found = key_findings(given)
    assert [finding.level for finding in found] == ["ok", "warning"]

    learner.chmod(0o644)
    _, found = key_findings(good)
    assert exit_code(found) == 6
    assert found[0].mend == f"chmod 600 {learner}"


def test_the_command_prints_what_it_found(learned, tmp_path):
    """A line for each, on stdout."""
    path = tmp_path / "model.yaml"
    path.write_text(learned.model_text)
    keys = learned.folder / "keys"
    code, output = weir_doctor(
        "--model",
        path,
        WEIR_KAFKA__BOOTSTRAP_SERVERS=learned.kafka,
        WEIR_REDIS__URL=learned.redis,
        WEIR_SIGNING__LEARNER_PUBLIC=str(keys / "learner.pub"),
        WEIR_SIGNING__OPERATOR_PUBLIC=str(keys / "operator.pub"),
    )

    assert code == 0, output
    assert all(line.startswith("ok ") for line in output.splitlines())
