"""Settings of the processes: read once where the program starts, frozen, and passed down.

Later sources give way to earlier ones: command line, environment (`WEIR_KAFKA__…`), `weir.yaml`,
defaults. Every mistake in all of them is told at once, each with its variable or its line.
"""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from msgspec import Struct
from msgspec.structs import replace

from config.errors import Mistake, SettingsError
from config.text.addresses import without_password
from config.text.sections import Given, KeyPath, read_sections
from config.text.sizes import size_bytes
from config.text.values import (
    Secret,
    Wrong,
    names,
    number,
    one_of,
    secret,
    shown,
    size_or_none,
    text,
    whole,
)
from config.text.variables import read_variables, variable_of

FILE_NAME = "weir.yaml"
PROTOCOLS = ("oip", "mlflow", "kserve")


def _addresses(given: object) -> str:
    """Of Kafka's brokers: `host:port`, several with commas or as a list."""
    listed = given if isinstance(given, list | tuple) else text(given).split(",")
    addresses = [str(each).strip() for each in listed]
    for address in addresses:
        host, colon, port = address.rpartition(":")
        if not (host and colon and port.isdecimal() and "/" not in host):
            raise Wrong(f"must be host:port, or several with commas, not {address!r}")
    return ",".join(addresses)


def _protocols(given: object) -> str:
    """Those of other servers: their names with commas or as a list, or none."""
    found = tuple(names(given))
    if found == ("none",):
        return ""
    for each in found:
        one_of(*PROTOCOLS)(each)
    return ",".join(dict.fromkeys(found))


def _count_or_default(given: object) -> int:
    found: int = whole(least=-1)(given)
    if found == 0:
        raise Wrong("must be 1 or more, or -1 for the broker's default, not 0")
    return found


def _redis_url(given: object) -> Secret:
    url = secret(given)
    scheme, _, rest = url.get_secret_value().partition("://")
    if scheme not in {"redis", "rediss", "unix"}:
        raise Wrong("must begin with redis://, rediss:// or unix://")
    if any(mark in rest.rpartition("@")[0] for mark in "/?#"):
        raise Wrong("a / ? or # of its user or password must be written as %2F, %3F or %23")
    return url


def _http_url(given: object) -> str:
    if not text(given).startswith(("http://", "https://")):
        raise Wrong(f"must begin with http:// or https://, not {shown(given)}")
    return text(given)


def _share(given: object) -> float:
    found: float = number(above=-math.inf, most=1)(given)
    if found < 0:
        raise Wrong(f"must be 0 or more, not {shown(given)}")
    return found


def _header_pairs(given: object) -> Secret:
    found = secret(given)
    if not all(name and value for name, value in _pairs(found.get_secret_value())):
        raise Wrong("must be NAME=VALUE, or several with commas")
    return found


def _pairs(given: str) -> list[tuple[str, str]]:
    split = (each.partition("=") for each in given.split(","))
    return [(name.strip(), value.strip()) for name, _, value in split]


Names = Annotated[tuple[str, ...], names]
Whole = Annotated[int, whole(least=1)]
_PORT_MAX = 65_535
Port = Annotated[int, whole(least=0, most=_PORT_MAX)]  # 0: any free one
Seconds = Annotated[float, number(above=0)]
Share = Annotated[float, number(above=0, most=1)]
Size = Annotated[int, size_bytes]
Protocols = Annotated[str, _protocols]
SizeOrNone = Annotated[int, size_or_none]
CountOrDefault = Annotated[int, _count_or_default]


class KafkaSettings(Struct, frozen=True, kw_only=True):
    """How Kafka is reached, and how topics are made.

    Args:
        bootstrap_servers: `host:port`, or several with commas; None: not given.
        jars_base: Where the jars of the Kafka that `weir dev` starts are fetched from; None: Maven
            Central.
        topic_partitions: Partitions of a topic that is created; -1: the broker's default.
        replication_factor: Copies of a topic that is created; -1: the broker's default.
    """

    bootstrap_servers: Annotated[str | None, _addresses] = None
    jars_base: str | None = None
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    sasl_username: str | None = None
    sasl_password: Secret | None = None
    ssl_cafile: Path | None = None
    ssl_certfile: Path | None = None
    ssl_keyfile: Path | None = None
    ssl_password: Secret | None = None
    ssl_check_hostname: bool = True
    topic_partitions: CountOrDefault = 1
    replication_factor: CountOrDefault = -1


class RedisSettings(Struct, frozen=True, kw_only=True):
    """How Redis is reached.

    Args:
        url: `redis://[:password@]host:port[/db]`, `rediss://…` or `unix://…`; None: not given.
    """

    url: Annotated[Secret | None, _redis_url] = None

    @property
    def address(self) -> str:
        """The URL without its password, to be shown.

        >>> RedisSettings(url=Secret("redis://me:secret@cache:6379/0")).address
        'redis://cache:6379/0'
        """
        if self.url is None:
            return "no Redis given"
        return without_password(self.url.get_secret_value())


class ApiSettings(Struct, frozen=True, kw_only=True):
    """The HTTP server.

    Args:
        keys_file: API keys with their scopes; None: no key is asked for, on loopback only.
        allow_hosts: Names besides its own that a request's `Host` may have.
        allow_origins: Origins whose pages may call; none by default.
        max_body_bytes: Bytes of a request's body.
        workers: Processes that answer.
        warm_max_bytes: Of the pinned and `stable` versions that are kept loaded, as their
            snapshots are unpacked; 0: none.
        compat: Whose protocols are spoken besides, for clients of other servers.
        explain_budget_ms: Of the processor, for one explanation that is found by asking.
    """

    host: str = "127.0.0.1"
    port: Port = 8000
    keys_file: Path | None = None
    allow_hosts: Names = ()
    allow_origins: Names = ()
    max_body_bytes: Size = 1 << 20
    workers: Whole = 1
    warm_max_bytes: SizeOrNone = 256 << 20
    compat: Protocols = ",".join(PROTOCOLS)
    explain_budget_ms: Whole = 50


class SigningSettings(Struct, frozen=True, kw_only=True):
    """The two key pairs, each a path to a PEM file or the PEM text itself.

    A public key may be several, with commas: the old one is still believed while keys change.

    Args:
        import_public: Public keys of other environments, whose exported versions are believed
            here; of the records in our own store they verify none.
    """

    learner_key: Secret | None = None
    learner_public: Names = ()
    operator_key: Secret | None = None
    operator_public: Names = ()
    import_public: Names = ()

    @property
    def is_given(self) -> bool:
        """Whether any key of ours is named."""
        keys = (self.learner_key, self.learner_public, self.operator_key, self.operator_public)
        return any(keys)


class LearnerSettings(Struct, frozen=True, kw_only=True):
    """The learning process.

    Args:
        name: Who holds the lease; None: made from the host's name.
        lease_seconds: Silence after which another learner may take over.
        start_wait_seconds: How long Kafka and Redis are waited for at start.
        watchdog_seconds: Silence of the learner after which its process is ended (exit 70).
        max_uncommitted_events: Events learned since the last commit; at this many it waits.
        versions_share: Of the host's cores, what making and loading versions may take where cores
            are short: those of all models of the program together.
        max_memory_bytes: Bytes that the learning process may hold; beyond them it ends with 6.
        metrics_port: Port of its Prometheus metrics; 0: any free one. Of several models learned by
            one program, the first has it, the next the one after, and so on.
        scratch_dir: Folder on tmpfs where Vowpal Wabbit saves; None: the system's own.
        pids_file: Where it names its processes whenever they change; None: nowhere.
    """

    name: str | None = None
    lease_seconds: Seconds = 5.0
    start_wait_seconds: Seconds = 60.0
    watchdog_seconds: Seconds = 60.0
    max_uncommitted_events: Whole = 1_000_000
    versions_share: Share = 0.25
    max_memory_bytes: Size = 4 << 30
    metrics_host: str = "127.0.0.1"
    metrics_port: Port = 0
    scratch_dir: Path | None = None
    pids_file: Path | None = None


class LogSettings(Struct, frozen=True, kw_only=True):
    """Log lines, always on stderr. `auto`: console on a terminal, else JSON."""

    format: Literal["auto", "console", "json"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


class TracesSettings(Struct, frozen=True, kw_only=True):
    """Traces of requests and records, by OpenTelemetry.

    Args:
        endpoint: Of the collector, for OTLP over HTTP; None: nothing is traced.
        sample: Which share is traced of what comes without a `traceparent`, which decides itself.
        headers: `NAME=VALUE`, several with commas: what the collector asks for.
    """

    endpoint: Annotated[str | None, _http_url] = None
    sample: Annotated[float, _share] = 0.01
    headers: Annotated[Secret | None, _header_pairs] = None

    @property
    def header_pairs(self) -> list[tuple[str, str]]:
        """The headers, told apart."""
        return _pairs(self.headers.get_secret_value()) if self.headers is not None else []


class Settings(Struct, frozen=True, kw_only=True):
    """All settings of a process. Made once, by `load_settings`, and passed down.

    >>> load_settings(environ={"WEIR_API__PORT": "9000"}).api.port
    9000
    """

    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    api: ApiSettings = ApiSettings()
    signing: SigningSettings = SigningSettings()
    learner: LearnerSettings = LearnerSettings()
    traces: TracesSettings = TracesSettings()
    log: LogSettings = LogSettings()
    data_dir: Path = Path(".weir")
    _notes: tuple[str, ...] = ()
    _has_data_dir: bool = False

    def noted(self, notes: tuple[str, ...]) -> Self:
        """These settings, with `notes` for the log."""
        return replace(self, _notes=notes)

    def of_line(self, place: int) -> Self:
        """The settings of the line at this place among those that one program learns.

        Raises:
            SettingsError: There are more lines than ports behind `metrics_port`.
        """
        first = self.learner.metrics_port
        if not first:
            return self
        if first + place > _PORT_MAX:
            name = "WEIR_LEARNER__METRICS_PORT"
            message = f"leaves no port for {place + 1} models: take a lower one, or 0"
            raise SettingsError([Mistake(file="environment", line=0, key=name, message=message)])
        return replace(self, learner=replace(self.learner, metrics_port=first + place))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the log should say of how the settings were read; `logs.configure` says it."""
        return self._notes

    @property
    def has_data_dir(self) -> bool:
        """Whether `data_dir` was given, and not only the default."""
        return self._has_data_dir


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
    written, problems = _written(file)
    sources = [
        Given(values=_without_none(overrides or {}), mistake=_of_the_command_line),
        Given(values=variables.values, mistake=_of_a_variable),
        *written,
    ]
    settings, found = read_sections(Settings, sources)
    problems += [*variables.problems, *found]
    if problems:
        raise SettingsError(problems)
    has_data_dir = any("data_dir" in source.values for source in sources)
    return replace(settings, _notes=variables.notes, _has_data_dir=has_data_dir)


def _written(file: Path | None) -> tuple[list[Given], list[Mistake]]:
    """What the settings file gives, and what is wrong with it as a file."""
    if file is None and not Path(FILE_NAME).exists():  # no mistake, unless it was named
        return [], []
    from config.text.yaml_lines import read_file  # here: most processes have no such file

    document = read_file(file or Path(FILE_NAME))
    content = {} if document.value is None else document.value
    if isinstance(content, dict):
        given = Given(values=_without_none(content), mistake=document.source.problem)
        return [given], list(document.problems)
    return [], [*document.problems, document.source.problem("", "must hold  name: value  lines")]


def _of_the_command_line(path: KeyPath, message: str) -> Mistake:
    return Mistake(file="command line", line=0, key=".".join(path), message=message)


def _of_a_variable(path: KeyPath, message: str) -> Mistake:
    return Mistake(file="environment", line=0, key=variable_of(path), message=message)


def _without_none(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_none(value) if isinstance(value, Mapping) else value
        for name, value in given.items()
        if value is not None
    }
