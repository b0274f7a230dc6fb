"""`dev.json`: how commands find the servers and keys of a running `weir dev`."""

import json
from pathlib import Path
from typing import Any

from config.errors import Mistake, SettingsError
from config.settings import Settings

NAME = "dev.json"
_OPERATORS = ("operator", "learner")  # who signs, and whom they believe


def with_dev_servers(settings: Settings, *, signs_as: str | None = None) -> Settings:
    """`settings`, with what they leave out taken from the `weir dev` of their data directory.

    Args:
        signs_as: "learner" for whom the learner's keys are; everybody else has the operator's.

    Raises:
        SettingsError: A server is given by neither; with what to set.
    """
    found = read_dev_file(settings.data_dir / NAME)
    keys = settings.data_dir / "keys"
    kafka, redis, signing = settings.kafka, settings.redis, settings.signing
    changed: dict[str, Any] = {}
    if kafka.bootstrap_servers is None and "kafka" in found:
        changed["kafka"] = {**kafka.model_dump(), "bootstrap_servers": found["kafka"]}
    if redis.url is None and "redis" in found:
        changed["redis"] = {"url": found["redis"]}
    nothing_given = not any(signing.model_dump().values())
    if nothing_given and (keys / "operator.pem").exists():
        signs, believes = ("learner", "operator") if signs_as == "learner" else _OPERATORS
        changed["signing"] = {
            f"{signs}_key": str(keys / f"{signs}.pem"),
            f"{believes}_public": (str(keys / f"{believes}.pub"),),
        }
    return _updated(settings, changed)


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


def _updated(settings: Settings, changed: dict[str, Any]) -> Settings:
    sections = {
        name: type(getattr(settings, name)).model_validate(content)
        for name, content in changed.items()
    }
    return settings.model_copy(update=sections)


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
