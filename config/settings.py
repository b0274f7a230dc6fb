"""Settings of the processes: read once where the program starts, frozen, and passed down.

Later sources give way to earlier ones: command line, environment (`WEIR_KAFKA__…`), `weir.yaml`,
defaults. Every mistake in all of them is told at once, each with its variable or its line.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from typing_extensions import override

from config.errors import Mistake, SettingsError
from config.text.addresses import without_password
from config.text.messages import place_of, plain_message, wrong
from config.text.sizes import size_bytes
from config.text.variables import read_variables, variable_of
from config.text.yaml_lines import Document, Source, key_of, read_file

FILE_NAME = "weir.yaml"


def _separated(value: object) -> object:
    """`a, b` of an environment variable, and a single name in a file, as a list."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise wrong(f"must be a number, not {str(value).lower()}")
    return value


def _size_or_none(value: object) -> int:
    return 0 if str(value).strip() == "0" else size_bytes(value)


Names = Annotated[tuple[str, ...], BeforeValidator(_separated)]
Whole = Annotated[int, BeforeValidator(_not_bool), Field(ge=1)]
Port = Annotated[int, BeforeValidator(_not_bool), Field(ge=0, le=65535)]  # 0: any free one
Seconds = Annotated[float, BeforeValidator(_not_bool), Field(gt=0, allow_inf_nan=False)]
Size = Annotated[int, BeforeValidator(size_bytes)]
SizeOrNone = Annotated[int, BeforeValidator(_size_or_none)]


class Section(BaseModel):
    """A part of the settings: frozen, without unknown names, secrets hidden from `repr`."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(Section):
    """How Kafka is reached, and how topics are made.

    Args:
        bootstrap_servers: `host:port`, or several with commas; None: not given.
        jars_base: Where the jars of the Kafka that `weir dev` starts are fetched from; None: Maven
            Central.
        topic_partitions: Partitions of a topic that is created; -1: the broker's default.
        replication_factor: Copies of a topic that is created; -1: the broker's default.
    """

    bootstrap_servers: str | None = None
    jars_base: str | None = None
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_password: SecretStr | None = None
    ssl_check_hostname: bool = True
    topic_partitions: Annotated[int, BeforeValidator(_not_bool), Field(ge=-1)] = 1
    replication_factor: Annotated[int, BeforeValidator(_not_bool), Field(ge=-1)] = -1

    @field_validator("bootstrap_servers", mode="before")
    @classmethod
    def _are_addresses(cls, value: object) -> object:
        addresses = value if isinstance(value, list | tuple) else str(value or "").split(",")
        for address in (str(each).strip() for each in addresses if value is not None):
            host, colon, port = address.rpartition(":")
            if not (host and colon and port.isdecimal() and "/" not in host):
                raise wrong(f"must be host:port, or several with commas, not {address!r}")
        return None if value is None else ",".join(str(each).strip() for each in addresses)

    @field_validator("topic_partitions", "replication_factor")
    @classmethod
    def _is_not_zero(cls, value: int) -> int:
        if value == 0:
            raise wrong("must be 1 or more, or -1 for the broker's default, not 0")
        return value


class RedisSettings(Section):
    """How Redis is reached.

    Args:
        url: `redis://[:password@]host:port[/db]`, `rediss://…` or `unix://…`; None: not given.
    """

    url: SecretStr | None = None

    @field_validator("url")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        scheme, _, rest = (url.get_secret_value() if url else "redis://").partition("://")
        if scheme not in {"redis", "rediss", "unix"}:
            raise wrong("must begin with redis://, rediss:// or unix://")
        if any(mark in rest.rpartition("@")[0] for mark in "/?#"):
            raise wrong("a / ? or # of its user or password must be written as %2F, %3F or %23")
        return url

    @property
    def address(self) -> str:
        """The URL without its password, to be shown.

        >>> RedisSettings(url="redis://me:secret@cache:6379/0").address
        'redis://cache:6379/0'
        """
        if self.url is None:
            return "no Redis given"
        return without_password(self.url.get_secret_value())


class ApiSettings(Section):
    """The HTTP server.

    Args:
        keys_file: API keys with their scopes; None: no key is asked for, on loopback only.
        allow_hosts: Names besides its own that a request's `Host` may have.
        allow_origins: Origins whose pages may call; none by default.
        max_body_bytes: Bytes of a request's body.
        workers: Processes that answer.
        warm_max_bytes: Of the pinned and `stable` versions that are kept loaded, as their
            snapshots are unpacked; 0: none.
    """

    host: str = "127.0.0.1"
    port: Port = 8000
    keys_file: Path | None = None
    allow_hosts: Names = ()
    allow_origins: Names = ()
    max_body_bytes: Size = 1 << 20
    workers: Whole = 1
    warm_max_bytes: SizeOrNone = 256 << 20


class SigningSettings(Section):
    """The two key pairs, each a path to a PEM file or the PEM text itself.

    A public key may be several, with commas: the old one is still believed while keys change.
    """

    learner_key: SecretStr | None = None
    learner_public: Names = ()
    operator_key: SecretStr | None = None
    operator_public: Names = ()


class LearnerSettings(Section):
    """The learning process.

    Args:
        name: Who holds the lease; None: made from the host's name.
        lease_seconds: Silence after which another learner may take over.
        start_wait_seconds: How long Kafka and Redis are waited for at start.
        watchdog_seconds: Silence of the learner after which its process is ended (exit 70).
        max_uncommitted_events: Events learned since the last commit; at this many it waits.
        max_memory_bytes: Bytes that the learning process may hold; beyond them it ends with 6.
        metrics_port: Port of its Prometheus metrics; 0: any free one.
        scratch_dir: Folder on tmpfs where Vowpal Wabbit saves; None: the system's own.
        pids_file: Where it names its processes whenever they change; None: nowhere.
    """

    name: str | None = None
    lease_seconds: Seconds = 5.0
    start_wait_seconds: Seconds = 60.0
    watchdog_seconds: Seconds = 60.0
    max_uncommitted_events: Whole = 1_000_000
    max_memory_bytes: Size = 4 << 30
    metrics_host: str = "127.0.0.1"
    metrics_port: Port = 0
    scratch_dir: Path | None = None
    pids_file: Path | None = None


class LogSettings(Section):
    """Log lines, always on stderr. `auto`: console on a terminal, else JSON."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(BaseSettings):
    """All settings of a process. Made once, by `load_settings`, and passed down.

    >>> load_settings(environ={"WEIR_API__PORT": "9000"}).api.port
    9000
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    api: ApiSettings = ApiSettings()
    signing: SigningSettings = SigningSettings()
    learner: LearnerSettings = LearnerSettings()
    log: LogSettings = LogSettings()
    data_dir: Path = Path(".weir")

    _notes: tuple[str, ...] = PrivateAttr(default=())

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`Settings()` reads nothing but its arguments; `load_settings` ranks the sources."""
        return (init_settings,)

    def noted(self, notes: tuple[str, ...]) -> Self:
        """These settings, with `notes` for the log."""
        self._notes = notes
        return self

    @property
    def notes(self) -> tuple[str, ...]:
        """What the log should say of how the settings were read; `logs.configure` says it."""
        return self._notes


def load_settings(
    overrides: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Read the settings, once, at the program's start.

    Args:
        overrides: What the command line gave, nested as `Settings` is: `{"api": {"port": 80}}`;
            None values count as not given.
        environ: The environment; the process's own by default. An empty value counts as unset.
        file: The settings file; by default `weir.yaml` of the working directory, if it is there.

    Raises:
        SettingsError: with every problem found, each with its variable name or its line.

    >>> load_settings(environ={"WEIR_KAFKA_BOOTSTRAP_SERVERS": "broker:9092"})
    Traceback (most recent call last):
    config.errors.SettingsError: environment: WEIR_KAFKA_BOOTSTRAP_SERVERS: is not a setting \
(did you mean "WEIR_KAFKA__BOOTSTRAP_SERVERS"?)
    """
    variables = read_variables(os.environ if environ is None else environ, Settings)
    document = _document(file)
    given = {"command line": _without_none(overrides or {}), "environment": variables.values}
    problems = [*document.problems, *variables.problems]
    content = {} if document.value is None else document.value
    if not isinstance(content, dict):
        problems.append(document.source.problem("", "must hold  name: value  lines"))
        content = {}
    try:
        settings = _merged(*given.values(), _without_none(content))
    except ValidationError as error:
        problems += [_problem(each, given, document.source) for each in error.errors()]
    if problems:
        raise SettingsError(problems)
    return settings.noted(variables.notes)


def _document(file: Path | None) -> Document:
    """The settings file; that the usual one is absent is no mistake, that a named one is, is."""
    if file is None and not Path(FILE_NAME).exists():
        return Document(value=None, source=Source(file=FILE_NAME), problems=())
    return read_file(file or Path(FILE_NAME))


def _merged(*sources: dict[str, Any]) -> Settings:
    """Settings of `sources`, the first before the others."""
    ranked = tuple(InitSettingsSource(Settings, source) for source in sources)
    options: dict[str, Any] = {"_build_sources": (ranked, {})}
    return Settings(**options)


def _without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in given.items()
        if value is not None
    }


def _problem(error: ErrorDetails, given: Mapping[str, dict[str, Any]], source: Source) -> Mistake:
    """The error, at the place that the value came from."""
    path, message = place_of(error), plain_message(error, Settings)
    for place, values in given.items():
        if _holds(values, path):
            key = variable_of(path) if place == "environment" else key_of(path)
            return Mistake(file=place, line=0, key=key, message=message)
    return source.problem(path, message)


def _holds(values: object, path: Sequence[str | int]) -> bool:
    """Whether the value at `path` is given here; an item of a list stands for the whole list."""
    for part in path:
        if not isinstance(values, dict):
            return True
        if part not in values:
            return False
        values = values[part]
    return True
