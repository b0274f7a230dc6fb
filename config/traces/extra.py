"""Whether traces can be recorded as they are set up: seen where a program starts."""

from importlib import import_module
from importlib.util import find_spec

from config.errors import Mistake, SettingsError
from config.settings import TracesSettings
from config.text.extras import extra_missing

_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def load_if_on(settings: TracesSettings) -> bool:
    """Load what records, before processes are forked; whether traces are on.

    Raises:
        SettingsError: They are, and what records is not installed.
    """
    if settings.endpoint is None:
        return False
    missing = [name for name in _NEEDED if not _is_there(name)]
    if missing:
        message = extra_missing(missing[0], "otel")
        raise SettingsError(
            [Mistake(file="settings", line=0, key="traces.endpoint", message=message)]
        )
    import_module("config.traces.spans")
    return True


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # nor is what it is a part of
        return False
