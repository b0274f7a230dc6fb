"""Environment variables: their names from the settings' own, and what else begins with `WEIR_`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from config.errors import Mistake
from config.text.nearest import did_you_mean
from config.text.sections import paths_of

PREFIX = "WEIR_"
NESTING = "__"

# Kubernetes sets these in every pod of a namespace that has a service called `weir…`. A service's
# name gives no double underscore, so no setting of a section can be taken for one.
_SERVICE = re.compile(
    r"WEIR(_[A-Z0-9]+)*_"
    r"(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9]+)*|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
_SERVICE_URL = re.compile(r"(tcp|udp|sctp)://.*")

# What people try first, where the spelling alone would find nothing or another.
_KAFKA_NAMES = ("BROKER", "BROKERS", "BROKER_LIST", "HOST", "SERVER", "SERVERS", "URL")
_OFTEN_TRIED = {
    **dict.fromkeys(
        [f"KAFKA{nesting}{name}" for nesting in ("_", "__") for name in _KAFKA_NAMES],
        "WEIR_KAFKA__BOOTSTRAP_SERVERS",
    ),
    **dict.fromkeys(("BOOTSTRAP_SERVERS", "BROKERS", "KAFKA"), "WEIR_KAFKA__BOOTSTRAP_SERVERS"),
    **dict.fromkeys(("REDIS", "REDIS_HOST", "REDIS__HOST", "REDIS_PORT"), "WEIR_REDIS__URL"),
    **dict.fromkeys(("HOST", "API_HOST"), "WEIR_API__HOST"),
    **dict.fromkeys(("PORT", "API_PORT"), "WEIR_API__PORT"),
    **dict.fromkeys(("API_KEY", "API_KEYS"), "WEIR_API__KEYS_FILE"),
    "WORKERS": "WEIR_API__WORKERS",
}


class Variables(Struct, frozen=True, kw_only=True):
    """What the environment gives.

    Args:
        values: Settings, nested by section, as the text they are given as.
        problems: Names that are no setting, each with the nearest one that is.
        notes: What the log should say.
    """

    values: dict[str, Any]
    problems: tuple[Mistake, ...]
    notes: tuple[str, ...]


def variable_of(path: Sequence[str | int]) -> str:
    """The environment variable of a setting.

    >>> variable_of(("api", "port")), variable_of(("api", "allow_hosts", 0))
    ('WEIR_API__PORT', 'WEIR_API__ALLOW_HOSTS')
    """
    names = [part.upper() for part in path if isinstance(part, str)]
    return PREFIX + NESTING.join(names)


def variable_names(schema: type) -> dict[str, tuple[str, ...]]:
    """Each environment variable that is a setting, and where its value goes."""
    return {variable_of(path): path for path in paths_of(schema)}


def read_variables(environ: Mapping[str, str], schema: type) -> Variables:
    """What `environ` gives of the settings in `schema`. An empty value counts as unset.

    >>> from config.settings import Settings
    >>> read_variables({"WEIR_LOG__LEVEL": "debug", "HOME": "/root"}, Settings).values
    {'log': {'level': 'debug'}}
    """
    known = variable_names(schema)
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    unknown = given.keys() - known.keys()
    ignored = sorted(name for name in unknown if _is_service_link(name, given[name]))
    return Variables(
        values=_nested({known[name]: given[name] for name in given if name in known}),
        problems=tuple(_misspelt(name, known) for name in sorted(unknown - set(ignored))),
        notes=(f"ignored Kubernetes' service links: {', '.join(ignored)}",) if ignored else (),
    )


def _is_service_link(name: str, value: str) -> bool:
    if NESTING in name:
        return False
    is_url = name.endswith("_PORT") and _SERVICE_URL.fullmatch(value)
    return bool(is_url or _SERVICE.fullmatch(name))


def _misspelt(name: str, known: Mapping[str, object]) -> Mistake:
    meant = _OFTEN_TRIED.get(name.removeprefix(PREFIX))
    hint = f' (did you mean "{meant}"?)' if meant else did_you_mean(name, known)
    return Mistake(file="environment", line=0, key=name, message=f"is not a setting{hint}")


def _nested(values: Mapping[tuple[str, ...], str]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in values.items():
        section = tree
        for part in path[:-1]:
            section = section.setdefault(part, {})
        section[path[-1]] = value
    return tree
