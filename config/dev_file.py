"""`dev.json`: how commands find the servers and keys of a running `weir dev`."""

import json
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from config.errors import Mistake, SettingsError
from config.settings import Settings, SigningSettings
from config.text.values import Secret

NAME = "dev.json"


def with_dev_servers(settings: Settings, *, signs_as: str | None = None) -> Settings:
    """`settings`, with what they leave out taken from the `weir dev` of their data directory.

    Args:
        signs_as: "learner" for whom the learner's keys are; everybody else has the operator's.

    Raises:
        SettingsError: A server is given by neither; with what to set.
    """
    found = read_dev_file(settings.data_dir / NAME)
    kafka, redis, signing = settings.kafka, settings.redis, settings.signing
    if kafka.bootstrap_servers is None and "kafka" in found:
        kafka = replace(kafka, bootstrap_servers=str(found["kafka"]))
    if redis.url is None and "redis" in found:
        redis = replace(redis, url=Secret(str(found["redis"])))
    keys = settings.data_dir / "keys"
    if not signing.is_given and (keys / "operator.pem").exists():
        ours = _learners(keys) if signs_as == "learner" else _operators(keys)
        signing = replace(ours, import_public=signing.import_public)
    return replace(settings, kafka=kafka, redis=redis, signing=signing)


def _learners(keys: Path) -> SigningSettings:
    """Signs as the learner, and believes the operator."""
    private, public = keys / "learner.pem", keys / "operator.pub"
    return SigningSettings(learner_key=Secret(str(private)), operator_public=(str(public),))


def _operators(keys: Path) -> SigningSettings:
    """Signs as the operator, and believes the learner."""
    private, public = keys / "operator.pem", keys / "learner.pub"
    return SigningSettings(operator_key=Secret(str(private)), learner_public=(str(public),))


def require_servers(settings: Settings, *, kafka: bool = False, redis: bool = False) -> Settings:
    """`settings`, if they name the servers that a command needs.

    Raises:
        SettingsError: One is missing; with what to set.
    """
    missing = []
    if kafka and settings.kafka.bootstrap_servers is None:
        missing.append(("WEIR_KAFKA__BOOTSTRAP_SERVERS", "which Kafka?"))
    if redis and settings.redis.url is None:
        missing.append(("WEIR_REDIS__URL", "which Redis?"))
    if missing:
        where = f"no weir dev runs in {settings.data_dir}"
        mend = "start one there, name its directory with --data-dir, or set the variable"
        raise SettingsError(
            Mistake(
                file="environment",
                line=0,
                key=name,
                message=f"is not set, and {where}: {ask} {mend}",
            )
            for name, ask in missing
        )
    return settings


def read_dev_file(path: Path) -> dict[str, Any]:
    """What a `weir dev` has written; nothing where none runs.

    Raises:
        SettingsError: It cannot be read.
    """
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        problem = Mistake(file=str(path), line=0, key="", message=f"cannot be read: {error}")
        raise SettingsError([problem]) from error
    return found if isinstance(found, dict) else {}
