"""Servers and keys as the settings name them: what each command opens before its work.

Nothing slow is imported before it is asked for: an operator's command begins at once.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from checkpoints.operating.connection import Connection
    from checkpoints.records.line import Line
    from checkpoints.records.signing import Keys, Role
    from checkpoints.stores.in_redis.store import RedisStore
    from checkpoints.stores.setup import SetupFinding as StoreFinding
    from config.settings import Settings


def settings_of(service: str, overrides: dict[str, Any]) -> "Settings":
    """The settings of one program, whose log lines are set up by them."""
    from config.logs import configure
    from config.settings import load_settings

    settings = load_settings(overrides)
    configure(service, settings)
    return settings


def connected(
    service: str,
    data_dir: Path | None,
    *,
    kafka: bool = False,
    redis: bool = False,
    overrides: dict[str, Any] | None = None,
    signs_as: "Role | None" = None,
) -> "Settings":
    """Settings that name the servers needed, those of a running `weir dev` if need be."""
    from config.dev_file import require_servers, with_dev_servers
    from config.dev_waiting import await_servers

    settings = settings_of(service, {**(overrides or {}), "data_dir": data_dir})
    lacks_kafka = kafka and settings.kafka.bootstrap_servers is None
    if lacks_kafka or (redis and settings.redis.url is None):
        await_servers(settings.data_dir)
    found = with_dev_servers(settings, signs_as=signs_as)
    return require_servers(found, kafka=kafka, redis=redis)


def open_store(settings: "Settings", *, deadline_s: float = 10.0) -> "RedisStore":
    """The store that the settings name; they do (`connected`)."""
    assert settings.redis.url is not None, "require_servers has seen to it"
    return store_at(settings.redis.url.get_secret_value(), deadline_s=deadline_s)


def set_up(opens: "Callable[[], RedisStore]", line: "Line") -> "list[StoreFinding]":
    """How Redis is set up, for a learner that may do there what it must."""
    from contextlib import closing

    with closing(opens()) as store:
        store.require_rights(line)
        return store.findings()


def store_at(url: str, *, deadline_s: float = 10.0) -> "RedisStore":
    """The store at a URL; what it is asked may wait for it `deadline_s`."""
    from checkpoints.stores.in_redis.connection import RedisConnection
    from checkpoints.stores.in_redis.store import RedisStore

    timeout_s = min(5.0, deadline_s)
    return RedisStore(RedisConnection(url, deadline_s=deadline_s, timeout_s=timeout_s))


def operator_of(settings: "Settings") -> "Connection":
    """Store and keys, and who is at the keyboard."""
    import getpass
    import socket

    from checkpoints.operating.connection import Connection

    who = f"{getpass.getuser()}@{socket.gethostname()}"
    return Connection(store=open_store(settings), keys=keys_of(settings), who=who)


def keys_of(settings: "Settings", signs_as: "Role | None" = None) -> "Keys":
    """The keys that the settings name, those to sign with only for the role given."""
    from checkpoints.records.signing import load_keys

    return load_keys(signing_of(settings), signs_as=signs_as)


def signing_of(settings: "Settings") -> Any:
    """The section `signing` as `load_keys` reads it: texts, and no secrets that hide theirs."""
    from types import SimpleNamespace

    signing = settings.signing
    return SimpleNamespace(
        learner_key=signing.learner_key and signing.learner_key.get_secret_value(),
        learner_public=_joined(signing.learner_public),
        operator_key=signing.operator_key and signing.operator_key.get_secret_value(),
        operator_public=_joined(signing.operator_public),
        import_public=_joined(signing.import_public),
    )


def _joined(keys: tuple[str, ...]) -> str | None:
    """Several public keys as one PEM text; one key, or none, as it was given."""
    if len(keys) <= 1:
        return keys[0] if keys else None
    return "\n".join(key if "-----BEGIN" in key else Path(key).read_text() for key in keys)
