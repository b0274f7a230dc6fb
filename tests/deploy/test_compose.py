"""The compose file, checked without an engine: what it names exists and would be understood."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from checkpoints.records.signing import load_keys
from config.model_file import load_model_file
from config.settings import load_settings
from tests.command_lines import understood

TOP = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((TOP / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = sorted(name for name, each in SERVICES.items() if each["image"].startswith("weir:"))
PROGRAMS = [name for name in OURS if "entrypoint" not in SERVICES[name]]
# The Compose Specification's keys of a service that this file makes use of.
KEYS = {
    "build", "cap_drop", "command", "depends_on", "entrypoint", "environment", "healthcheck",
    "image", "init", "network_mode", "ports", "profiles", "read_only", "restart", "security_opt",
    "shm_size", "stop_grace_period", "tmpfs", "volumes",
}  # fmt: skip
CONDITIONS = {"service_healthy", "service_completed_successfully"}


def with_defaults(text):
    """`${NAME:-default}` as an empty environment resolves it."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(text))


def mounts(service):
    """(source, target, …) of each mount."""
    return [each.split(":") for each in SERVICES[service].get("volumes", [])]


def on_this_side(path, service):
    """The file here that a path inside the container shows, by the service's mounts."""
    for source, target, *_ in mounts(service):
        if source.startswith("./") and path.startswith(f"{target}/"):
            return TOP / source / path.removeprefix(f"{target}/")
    return None


def environment(service):
    return {name: with_defaults(value) for name, value in SERVICES[service]["environment"].items()}


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_only_keys_of_the_compose_specification(name):
    """A misspelt key would be refused by the engine."""
    assert SERVICES[name].keys() - KEYS == set()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_services_that_can_be_waited_for(name):
    """`service_healthy` needs a healthcheck: in the file, or for our image in its Dockerfile."""
    for other, how in SERVICES[name].get("depends_on", {}).items():
        check = SERVICES[other].get("healthcheck", {"test": other in OURS})
        assert how["condition"] in CONDITIONS
        assert how["condition"] != "service_healthy" or check.get("test")
        assert how["condition"] == "service_healthy" or SERVICES[other]["restart"] == "no"


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_mounts_is_there(name):
    """A folder of this repository, or a volume of the file."""
    for source, target, *_ in (mount.split(":") for mount in SERVICES[name].get("volumes", [])):
        is_here = (
            (TOP / source).exists() if source.startswith("./") else source in COMPOSE["volumes"]
        )
        assert is_here, source
        assert target.startswith("/")


def test_every_volume_is_used():
    """None is left over."""
    mounts = [
        mount.split(":")[0] for each in SERVICES.values() for mount in each.get("volumes", [])
    ]

    assert COMPOSE["volumes"].keys() - set(mounts) == set()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_hardened(name):
    """A tag that says which, no new privileges, no port open to other machines."""
    service = SERVICES[name]

    assert re.search(r":v?\d+\.\d+", service["image"])
    assert service["init"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert service.get("read_only") is True or name == "kafka"


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_environment_of_our_services_is_settings(name):
    """Loaded by the program's own loader; a misspelt name would be refused."""
    settings = load_settings(environ=environment(name))

    assert settings.kafka.bootstrap_servers == "kafka:19092"
    assert settings.redis.address == "redis://redis:6379/0"


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_commands_of_our_services_are_the_programs_own(name):
    """Parsed by the program; the model file that they name loads."""
    words = [with_defaults(word) for word in SERVICES[name]["command"]]
    path = words[words.index("--model") + 1]
    model = on_this_side(path, name)
    load_model_file(model)

    understood([str(model) if word == path else word for word in words])


def test_the_learner_counts_as_healthy_when_it_is_ready():
    """What waits for it waits until it learns."""
    learner = environment("learner")

    port = learner["WEIR_LEARNER__METRICS_PORT"]
    assert learner["HEALTH_URL"] == f"http://127.0.0.1:{port}/readyz"


def test_kafka_tells_each_listener_a_name_that_its_callers_can_reach():
    """What is advertised is listened on; containers and this machine use the right one."""
    kafka = SERVICES["kafka"]["environment"]
    advertised = dict(each.split("://") for each in kafka["KAFKA_ADVERTISED_LISTENERS"].split(","))
    listening = dict(each.split("://") for each in kafka["KAFKA_LISTENERS"].split(","))

    assert advertised["CONTAINER"] == environment("learner")["WEIR_KAFKA__BOOTSTRAP_SERVERS"]
    assert SERVICES["kafka"]["ports"] == [f"127.0.0.1:{advertised['HOST'].split(':')[1]}:9092"]
    for name, address in advertised.items():
        assert listening[name] == ":" + address.split(":")[1]


def test_the_keys_that_are_made_are_those_that_the_services_read(tmp_path):
    """Run as the one-shot service does: neither process holds the other's private key."""
    script = TOP / "deploy" / "make_keys.py"
    for _ in range(2):  # the second finds everything there and changes nothing
        subprocess.run([sys.executable, script, tmp_path], check=True, cwd=TOP)
        token = (tmp_path / "all" / "token").read_text()
    for name in ("learner", "api"):
        named = [v for v in environment(name).values() if v.startswith("/keys/")]
        assert all((tmp_path / each.removeprefix("/keys/")).is_file() for each in named)

    assert not (tmp_path / "learner" / "operator.pem").exists()
    assert not (tmp_path / "api" / "learner.pem").exists()
    (key,) = json.loads((tmp_path / "api" / "api-keys.json").read_text())
    assert token.startswith(f"{key['id']}.")


def test_the_learner_and_the_api_believe_each_other(tmp_path):
    """What one signs the other verifies, with the settings of the compose file."""
    script = TOP / "deploy" / "make_keys.py"
    subprocess.run([sys.executable, script, tmp_path], check=True, cwd=TOP)
    keys = {name: load_keys(Signing(name, tmp_path)) for name in ("learner", "api")}

    version = keys["learner"].signer("learner").seal("manifest", b"{}")
    order = keys["api"].signer("operator").seal("control", b"{}")
    assert keys["api"].verifier.open("manifest", version, where="v1") == ("learner", b"{}")
    assert keys["learner"].verifier.open("control", order, where="v1") == ("operator", b"{}")


class Signing:
    """The `signing` section of a service, its paths on this side."""

    def __init__(self, service, folder):
        def here(name):
            value = environment(service).get(f"WEIR_SIGNING__{name}")
            return value and str(folder / value.removeprefix("/keys/"))

        self.learner_key, self.learner_public = here("LEARNER_KEY"), here("LEARNER_PUBLIC")
        self.operator_key, self.operator_public = here("OPERATOR_KEY"), here("OPERATOR_PUBLIC")
