"""The settings: which source wins, how mistakes are told, and what is never shown."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from config.errors import SettingsError
from config.settings import Settings, load_settings
from config.text.variables import variable_names


def told(overrides=None, environ=None, file=None):
    """Lines of the error that these sources come to."""
    with pytest.raises(SettingsError) as caught:
        load_settings(overrides, environ=environ or {}, file=file)
    return str(caught.value).splitlines()


@pytest.fixture
def weir_yaml(tmp_path):
    """Writes a settings file and gives its path."""

    def write(text):
        path = tmp_path / "weir.yaml"
        path.write_text(text)
        return path

    return write


def test_the_defaults_are_the_contracts():
    """Loopback, and nothing started by someone else."""
    found = load_settings(environ={})

    assert (
        found.api.host,
        found.api.port,
        found.api.max_body_bytes,
    ) == ("127.0.0.1", 8000, 1 << 20)
    assert (found.kafka.bootstrap_servers, found.redis.url) == (None, None)
    assert (found.learner.lease_seconds, found.learner.start_wait_seconds) == (5.0, 60.0)


def test_command_line_before_environment_before_file_before_defaults(weir_yaml):
    """Each source fills what the ones before it left open, key by key."""
    path = weir_yaml("api: {port: 1, host: filed, workers: 3}\nlog: {level: debug}\n")
    environ = {"WEIR_API__PORT": "2", "WEIR_API__HOST": "environed"}
    found = load_settings({"api": {"port": 3, "host": None}}, environ=environ, file=path)

    assert (
        found.api.port,
        found.api.host,
        found.api.workers,
        found.log.level,
        found.log.format,
    ) == (3, "environed", 3, "debug", "auto")


def test_the_file_of_the_working_directory_is_read_if_it_is_there(weir_yaml, tmp_path, monkeypatch):
    """No file is no mistake; a file that was named and is absent is one."""
    monkeypatch.chdir(tmp_path)

    assert load_settings(environ={}).api.port == 8000
    weir_yaml("api: {port: 9}")
    assert load_settings(environ={}).api.port == 9
    absent = tmp_path / "absent.yaml"
    assert [f"{absent}: there is no such file"] == told(file=absent)


@pytest.mark.parametrize("content", ["", "# nothing yet\n", "kafka:\napi:\n"])
def test_a_file_or_section_without_content_changes_nothing(weir_yaml, content):
    """Everything commented out."""
    assert Settings() == load_settings(environ={}, file=weir_yaml(content))


@pytest.mark.parametrize(
    ("variable", "value", "path", "meant"),
    [
        ("WEIR_KAFKA__BOOTSTRAP_SERVERS", "a:1, b:2", ("kafka", "bootstrap_servers"), "a:1,b:2"),
        (
            "WEIR_KAFKA__BOOTSTRAP_SERVERS",
            "[::1]:9092",
            ("kafka", "bootstrap_servers"),
            "[::1]:9092",
        ),
        ("WEIR_KAFKA__SSL_CHECK_HOSTNAME", "false", ("kafka", "ssl_check_hostname"), False),
        ("WEIR_API__ALLOW_HOSTS", "a, b", ("api", "allow_hosts"), ("a", "b")),
        ("WEIR_API__MAX_BODY_BYTES", "2MiB", ("api", "max_body_bytes"), 2 << 20),
        ("WEIR_API__WARM_MAX_BYTES", "0", ("api", "warm_max_bytes"), 0),
        ("WEIR_LEARNER__LEASE_SECONDS", "0.5", ("learner", "lease_seconds"), 0.5),
    ],
)
def test_text_of_a_variable_becomes_what_the_setting_is(variable, value, path, meant):
    """The environment has only text."""
    section, key = path

    found = load_settings(environ={variable: value})
    assert meant == getattr(getattr(found, section), key)


def test_an_empty_variable_counts_as_unset(weir_yaml):
    """Compose files pass empty ones on; a misspelt one without a value asks for nothing."""
    environ = {"WEIR_API__PORT": "", "WEIR_NONSENSE": ""}

    assert load_settings(environ=environ, file=weir_yaml("api: {port: 9}")).api.port == 9


@pytest.mark.parametrize(
    ("tried", "meant"),
    [
        ("WEIR_KAFKA_BOOTSTRAP_SERVERS", "WEIR_KAFKA__BOOTSTRAP_SERVERS"),
        ("WEIR_KAFKA__BOOTSTRAP_SERVER", "WEIR_KAFKA__BOOTSTRAP_SERVERS"),
        ("WEIR_KAFKA_BROKERS", "WEIR_KAFKA__BOOTSTRAP_SERVERS"),
        ("WEIR_KAFKA__BROKERS", "WEIR_KAFKA__BOOTSTRAP_SERVERS"),
        ("WEIR_BROKERS", "WEIR_KAFKA__BOOTSTRAP_SERVERS"),
        ("WEIR_REDIS_URL", "WEIR_REDIS__URL"),
        ("WEIR_REDIS_HOST", "WEIR_REDIS__URL"),
        ("WEIR_API_PORT", "WEIR_API__PORT"),
        ("WEIR_PORT", "WEIR_API__PORT"),
        ("WEIR_API__HOSTS", "WEIR_API__HOST"),
        ("WEIR_LOG_LEVEL", "WEIR_LOG__LEVEL"),
        ("WEIR_LOGLEVEL", "WEIR_LOG__LEVEL"),
        ("WEIR_DATADIR", "WEIR_DATA_DIR"),
        ("WEIR_SIGNING__LEARNERKEY", "WEIR_SIGNING__LEARNER_KEY"),
    ],
)
def test_a_misspelt_variable_is_an_error_that_names_the_right_one(tried, meant):
    """A setting that is silently ignored is the worst kind."""
    (line,) = told(environ={tried: "1"})

    assert f'environment: {tried}: is not a setting (did you mean "{meant}"?)' == line


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("WEIR_API_PORT", "tcp://10.0.0.1:8000"),
        ("WEIR_PORT", "udp://10.0.0.1:8000"),
        ("WEIR_API_SERVICE_HOST", "10.0.0.1"),
        ("WEIR_API_SERVICE_PORT", "8000"),
        ("WEIR_API_SERVICE_PORT_HTTP", "8000"),
        ("WEIR_LEARNER_METRICS_PORT_9100_TCP", "tcp://10.0.0.1:9100"),
        ("WEIR_API_PORT_8000_TCP_PROTO", "tcp"),
        ("WEIR_API_PORT_8000_TCP_ADDR", "10.0.0.1"),
    ],
)
def test_service_links_of_kubernetes_are_ignored_and_noted(variable, value):
    """A service called weir-api must not stop the pods beside it."""
    found = load_settings(environ={variable: value})

    assert (f"ignored Kubernetes' service links: {variable}",) == found.notes
    assert Settings() == found.noted(())


def test_a_setting_is_never_taken_for_a_service_link():
    """The double underscore tells."""
    (line,) = told(environ={"WEIR_API__PORT": "tcp://10.0.0.1:8000"})

    assert line.startswith("environment: WEIR_API__PORT: must be a whole number")


def test_mistakes_of_all_sources_are_told_at_once(weir_yaml):
    """Each by its place: variable, line, or command line."""
    path = weir_yaml("kafka: {bootstrap_server: x}\nredi: {}\napi:\n  workers: 0\n")
    lines = told(
        {"learner": {"lease_seconds": -1}},
        {"WEIR_API__PORT": "70000", "WEIR_LOG__LEVL": "info"},
        path,
    )

    assert {
        "command line: learner.lease_seconds: must be greater than 0, not -1",
        "environment: WEIR_API__PORT: must be 65535 or less, not '70000'",
        'environment: WEIR_LOG__LEVL: is not a setting (did you mean "WEIR_LOG__LEVEL"?)',
        (
            f"{path}:1: kafka.bootstrap_server: is not a key that is known here "
            '(did you mean "bootstrap_servers"?)'
        ),
        f'{path}:2: redi: is not a key that is known here (did you mean "redis"?)',
        f"{path}:4: api.workers: must be 1 or more, not 0",
    } == set(lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", ":1: must hold  name: value  lines"),
        ("api: 3", ":1: api: must be a mapping (key: value), not 3"),
        ("api: {port: true}", ":1: api.port: must be a number, not true"),
        ("api: {port: 1}\napi: {}", ":2: api: is written twice, first in line 1"),
        (
            "kafka: {bootstrap_servers: 'http://a:1'}",
            (
                ":1: kafka.bootstrap_servers: must be host:port, or several with commas, "
                "not 'http://a:1'"
            ),
        ),
        (
            "kafka: {replication_factor: 0}",
            (
                ":1: kafka.replication_factor: must be 1 or more, or -1 for the broker's default, "
                "not 0"
            ),
        ),
        (
            "kafka: {security_protocol: ssl}",
            (
                ":1: kafka.security_protocol: must be 'PLAINTEXT', 'SSL', 'SASL_PLAINTEXT' or "
                "'SASL_SSL', not 'ssl' (did you mean \"SSL\"?)"
            ),
        ),
        (
            "redis: {url: 'http://a'}",
            ":1: redis.url: must begin with redis://, rediss:// or unix://",
        ),
    ],
)
def test_each_mistake_in_the_file_has_its_line(weir_yaml, content, message):
    """And says what would be right."""
    path = weir_yaml(content)

    assert [f"{path}{message}"] == told(file=path)


SECRETS = {
    "WEIR_REDIS__URL": "redis://:hunter2@cache:6379/0",
    "WEIR_KAFKA__SASL_PASSWORD": "hunter2",
    "WEIR_KAFKA__SSL_PASSWORD": "hunter2",
    "WEIR_SIGNING__LEARNER_KEY": "hunter2",
    "WEIR_SIGNING__OPERATOR_KEY": "hunter2",
}


def test_secrets_are_not_shown():
    """Neither by repr nor in what is made of them."""
    found = load_settings(environ=SECRETS)

    assert "hunter2" not in f"{found!r} {found} {asdict(found)}"
    assert found.redis.url.get_secret_value() == SECRETS["WEIR_REDIS__URL"]


@pytest.mark.parametrize(
    ("variable", "wrong"), [("redis.url", "ftp://hunter2@x"), ("signing.learner_key", ["hunter2"])]
)
def test_a_wrong_secret_is_not_shown_either(variable, wrong):
    """The error goes into a log."""
    section, key = variable.split(".")

    (line,) = told({section: {key: wrong}})
    assert "hunter2" not in line


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://me:hunter2@cache:6379/0?password=hunter2", "redis://cache:6379/0"),
        ("redis://cache", "redis://cache"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        (None, "no Redis given"),
    ],
)
def test_the_address_of_redis_is_shown_without_its_password(url, address):
    """For messages and logs."""
    assert address == load_settings({"redis": {"url": url}}, environ={}).redis.address


def test_settings_are_frozen_and_read_no_environment_by_themselves(monkeypatch):
    """`API` in someone's shell is not ours, and what is passed down stays."""
    monkeypatch.setenv("API", '{"port": 1}')
    monkeypatch.setenv("WEIR_API__PORT", "1")

    assert Settings().api.port == 8000
    with pytest.raises(AttributeError):
        Settings().api.port = 1
    with pytest.raises(AttributeError):
        Settings().data_dir = "x"


NAMES = st.sampled_from(sorted(variable_names(Settings))) | st.text("WEIR_APKX", max_size=12)


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.text() | st.sampled_from(["1", "a:1", "true", "1MiB"])))
def test_any_environment_gives_settings_or_a_settings_error(environ):
    """Never another exception."""
    try:
        found = load_settings(environ=environ)
    except SettingsError as error:
        found = error.problems

    assert found
