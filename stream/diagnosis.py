"""`weir doctor`: each room's findings, where it has what it needs to look."""

from collections.abc import Callable, Iterator
from pathlib import Path

from checkpoints import doctor as of_versions
from checkpoints.records.manifest import Version
from checkpoints.records.signing import SigningSettings
from config.dev_file import with_dev_servers
from config.findings import Finding, error, fine
from config.settings import Settings
from stream import doctor as of_streams


def diagnosis(
    paths: list[Path], given: Settings, signing: Callable[[Settings], SigningSettings]
) -> Iterator[Finding]:
    """What there is to be said of model files, disks, keys, Redis and Kafka, in this order.

    Args:
        paths: Of the model files.
        given: The settings, without what a running `weir dev` gives.
        signing: The keys that settings name.
    """
    settings = with_dev_servers(given)
    models = []
    for path in paths:
        model_file, found = of_streams.model_findings(path)
        yield from found
        models += [model_file] if model_file else []
    yield from of_streams.disk_findings(settings.data_dir)
    servers = (settings.kafka.bootstrap_servers, settings.redis.url)
    # Keys that an ended `weir dev` has left behind are no sign of servers.
    if paths and not any(servers) and not given.signing.is_given:
        yield _models_alone(settings)
        return
    keys, found = of_versions.key_findings(signing(settings))
    yield from found
    heads: dict[str, Version | None] = {}
    if settings.redis.url is None:
        yield _not_given("redis", "WEIR_REDIS__URL", settings)
    else:
        url = settings.redis.url.get_secret_value()
        heads, found = of_versions.store_findings(url, keys, models)
        yield from found
    if settings.kafka.bootstrap_servers is None:
        yield _not_given("kafka", "WEIR_KAFKA__BOOTSTRAP_SERVERS", settings)
    else:
        is_dev = given.kafka.bootstrap_servers is None
        yield from of_streams.kafka_findings(settings.kafka, models, heads, makes_topics=is_dev)


def _not_given(about: str, variable: str, settings: Settings) -> Finding:
    what = f"not given, and no weir dev runs in {settings.data_dir}"
    mend = f"set {variable}, or --data-dir; a running `weir dev` gives Kafka, Redis and keys"
    return error(about, what, mend, exit_code=2)


def _models_alone(settings: Settings) -> Finding:
    what = f"not checked: none is configured, and no weir dev runs in {settings.data_dir}; "
    how = "`weir dev` gives all three, WEIR_KAFKA__…, WEIR_REDIS__… and WEIR_SIGNING__… name yours"
    return fine("kafka, redis, keys", what + how)
