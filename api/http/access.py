"""Who may call what: API keys with scopes, or without any keys this machine's own programs only.

A port on loopback without keys is open to every web page that a browser on this machine shows:
by requests that need no permission of ours, and by a name that an attacker's DNS points here.
So without keys a request must name this machine as its host and must come from no other site.
"""

import hashlib
import hmac
import ipaddress
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from api.http.problem import HttpProblem
from config.errors import ConfigError, Mistake, SettingsError
from config.settings import ApiSettings
from config.text.nearest import did_you_mean
from config.text.yaml_lines import read_file

log = logging.getLogger(__name__)

Scope = Literal["predict", "write", "operate", "read"]

_UNAUTHORIZED = ((b"www-authenticate", b'Bearer realm="weir"'),)
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_NOBODY = hashlib.sha256(b"no key has this id").hexdigest()

Headers = Mapping[bytes, bytes]


class ApiKey(BaseModel):
    """One key: what its holder may do, and the name that the audit gives the holder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: frozenset[Scope]
    who: str = Field(default_factory=lambda given: given.get("id", ""))


class ApiKeys:
    """The keys of a file, read again when it changes.

    The file is a list (YAML or JSON) of `{id, sha256, scopes, who}`; `sha256` is that of the
    secret, in hexadecimal. A client sends `Authorization: Bearer ID.SECRET`. Secrets are long and
    random, so a plain hash is enough. Two keys may have one `who`, for changing them.

    Raises:
        SettingsError: The file cannot be used; with every mistake in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp = _stamp(path)
        self._keys = _read(path)

    def refresh(self) -> None:
        """Take in a changed file; a wrong one is logged and the keys before it stay."""
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = _read(self._path)
        except ConfigError as error:
            log.error("the API keys stay as they were: %s", error)
        else:
            log.info("%s: %d API keys", self._path, len(self._keys))

    def holder(self, headers: Headers) -> ApiKey:
        """Whose key the request carries.

        Raises:
            HttpProblem: 401: it carries none that is known.
        """
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not token:
            detail = "send Authorization: Bearer ID.SECRET"
            raise HttpProblem(401, "no_key", detail, headers=_UNAUTHORIZED)
        key_id, _, secret = token.strip().partition(b".")
        key = self._keys.get(key_id.decode("latin-1"))
        # An unknown id takes as long as a wrong secret.
        is_right = hmac.compare_digest(
            hashlib.sha256(secret).hexdigest(), key.sha256 if key else _NOBODY
        )
        if key is None or not is_right:
            raise HttpProblem(401, "no_key", "this key is not known here", headers=_UNAUTHORIZED)
        return key


class Access:
    """Decides whether a request may pass.

    Args:
        settings: Where the API listens, and whom it admits.
        keys: None: nobody needs one.
    """

    def __init__(self, settings: ApiSettings, keys: ApiKeys | None) -> None:
        self.keys = keys
        self._hosts = _LOOPBACK_NAMES | {settings.host, *settings.allow_hosts}
        self._origins = frozenset(settings.allow_origins)
        self._known_hosts: set[bytes] = set()

    def admit(self, headers: Headers, scope: Scope | None) -> str:
        """Let the request pass; the caller's name for the audit.

        Raises:
            HttpProblem: 401 or 403.
        """
        if self.keys is None:
            host = headers.get(b"host", b"")
            if host not in self._known_hosts:
                self._admit_host(host)
            if b"origin" in headers:
                self._admit_origin(headers[b"origin"], host)
            return "api"
        if scope is None:
            return "anybody"
        key = self.keys.holder(headers)
        if scope not in key.scopes:
            held = ", ".join(sorted(key.scopes)) or "nothing"
            raise HttpProblem(403, "not_allowed", f"this key is for {held}, not for {scope}")
        return key.who

    def is_friend(self, origin: bytes) -> bool:
        """Whether pages of `origin` may read our answers."""
        return origin.decode("latin-1") in self._origins

    def _admit_host(self, host: bytes) -> None:
        name = host_name(host.decode("latin-1"))
        if name not in self._hosts:
            detail = f"Host {name[:100]!r} is not this machine; list it under api.allow_hosts"
            raise HttpProblem(403, "foreign_host", detail)
        if len(self._known_hosts) < 100:
            self._known_hosts.add(host)

    def _admit_origin(self, origin: bytes, host: bytes) -> None:
        is_own = origin in (b"http://" + host, b"https://" + host)
        if not is_own and not self.is_friend(origin):
            shown = origin[:100].decode("latin-1")
            detail = f"pages of {shown!r} may not call; list it under api.allow_origins"
            raise HttpProblem(403, "foreign_origin", detail)


def access_of(settings: ApiSettings) -> Access:
    """The rules that these settings ask for.

    Raises:
        SettingsError: No keys, and a host that other machines can reach.
    """
    if settings.keys_file is not None:
        return Access(settings, ApiKeys(settings.keys_file))
    if not is_loopback(settings.host):
        message = (
            f"{settings.host} can be reached from other machines, and no keys are asked for: set "
            "api.keys_file (WEIR_API__KEYS_FILE), or listen on 127.0.0.1"
        )
        raise SettingsError([Mistake(file="settings", line=0, key="api.host", message=message)])
    return Access(settings, None)


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect there.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def host_name(host: str) -> str:
    """The name in a `Host` header, without port and brackets.

    >>> host_name("LOCALHOST:8000"), host_name("[::1]:8000"), host_name("::1")
    ('localhost', '::1', '::1')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    name = host.partition(":")[0] if host.count(":") == 1 else host
    return name.lower()


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


_KEYS = TypeAdapter(list[ApiKey])
_MUST = {
    "id": "must be 1 to 64 letters, digits, - or _, in quotes",
    "sha256": "must be 64 hexadecimal digits",
    "scopes": f"must list some of {', '.join(get_args(Scope))}",
    "who": "must be text",
}


def _read(path: Path) -> dict[str, ApiKey]:
    document = read_file(path)
    place, found = document.source.problem, list(document.problems)
    keys: list[ApiKey] = []
    try:
        keys = [] if found else _KEYS.validate_python(document.value)
    except ValidationError as error:
        found = [place(it["loc"][:2], _mistake(it["loc"])) for it in error.errors()]
    ids = [key.id for key in keys]
    twice = [number for number, name in enumerate(ids) if name in ids[:number]]
    found += [place(f"[{number}].id", f"{ids[number]} stands twice") for number in twice]
    if found:
        raise SettingsError(dict.fromkeys(found))
    return {key.id: key for key in keys}


def _mistake(path: Sequence[int | str]) -> str:
    """What is wrong at a place of the file."""
    match path:
        case ():
            return "must hold a list of keys"
        case (_,):
            return "must be a mapping with id, sha256, scopes and who"
    name = str(path[1])
    return _MUST.get(name) or f"is no field of a key{did_you_mean(name, _MUST)}"
