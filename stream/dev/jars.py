"""Apache Kafka's own published jars, fetched once into the user's cache.

`jars.lock` beside this file pins them: one line a jar, `path sha256 bytes`, the path as in a
Maven repository. They are the runtime closure of `org.apache.kafka:kafka_2.13` (what its `pom`
resolves to) and `log4j-slf4j-impl`, without which Kafka would keep its errors to itself.
"""

import contextlib
import fcntl
import hashlib
import http.client
import os
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Lock
from typing import TextIO
from urllib.error import HTTPError

KAFKA_VERSION = "4.3.1"

_MAVEN_CENTRAL = "https://repo1.maven.org/maven2"
_LOCK_FILE = Path(__file__).with_name("jars.lock")
_PARALLEL = 6
_ATTEMPTS = 3  # a mirror may answer 503 or drop a connection now and then
_RETRY_AFTER_S = 0.5  # times the attempts so far
_TIMEOUT_S = 15.0  # without a byte
_MB = 1_000_000


class JarsUnavailableError(Exception):
    """Kafka's jars could not be fetched, checked or kept. The message says what to do."""

    exit_code = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Jar:
    """One pinned file.

    >>> Jar(path="org/slf4j/slf4j-api/1.7.36/slf4j-api-1.7.36.jar", sha256="00", bytes=1).name
    'slf4j-api-1.7.36.jar'
    """

    path: str  # below the base address
    sha256: str
    bytes: int

    @property
    def name(self) -> str:
        """Its file name in the cache."""
        return self.path.rpartition("/")[2]

    def is_in(self, directory: Path) -> bool:
        """Whether the cache holds it. It was hashed when it came; here its size must do."""
        try:
            return (directory / self.name).stat().st_size == self.bytes
        except FileNotFoundError:
            return False


def pinned_jars(lock_file: Path = _LOCK_FILE) -> tuple[Jar, ...]:
    """The jars a node runs on.

    >>> len(pinned_jars())
    46
    """
    lines = (line.split() for line in lock_file.read_text().splitlines())
    return tuple(Jar(path=path, sha256=sha256, bytes=int(size)) for path, sha256, size in lines)


def user_cache(environ: Mapping[str, str] = os.environ) -> Path:
    """Where the jars are kept for all of a user's projects.

    >>> user_cache({"XDG_CACHE_HOME": "/var/cache/ann"})
    PosixPath('/var/cache/ann/weir/kafka-4.3.1')
    """
    base = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "weir" / f"kafka-{KAFKA_VERSION}"


def fetch_jars(
    cache: Path,
    *,
    base: str | None = None,
    jars: tuple[Jar, ...] | None = None,
    progress: TextIO | None = None,
) -> tuple[Path, ...]:
    """The paths of all jars, those that `cache` lacks fetched first.

    A file takes its name only when its hash is right, so what is there can be used. Processes
    that fetch at once wait for each other. A complete cache is never written to.

    Args:
        base: Address of a mirror, setting `kafka.jars_base`; None: Maven Central itself.
        progress: Where the progress line goes; None: stderr.

    Raises:
        JarsUnavailableError: A file could not be had, is not the pinned one, or could not be kept.
    """
    jars = pinned_jars() if jars is None else jars
    try:
        if not all(jar.is_in(cache) for jar in jars):
            with _one_at_a_time(cache):
                missing = [jar for jar in jars if not jar.is_in(cache)]
                _fetch_all(missing, cache, base, progress or sys.stderr)
    except OSError as full:
        raise JarsUnavailableError(
            f"cannot keep Kafka's jars in {cache} ({full.strerror or full}): free 50 MB there, "
            "or set XDG_CACHE_HOME to a directory with room"
        ) from full
    return tuple(cache / jar.name for jar in jars)


@contextlib.contextmanager
def _one_at_a_time(cache: Path) -> Iterator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch_all(jars: list[Jar], cache: Path, base: str | None, output: TextIO) -> None:
    total_bytes = sum(jar.bytes for jar in jars)
    progress = _DownloadProgress(total_bytes=total_bytes, source=_named(base), output=output)
    with ThreadPoolExecutor(_PARALLEL) as pool:
        fetched = [pool.submit(_fetch, jar, cache, base, progress) for jar in jars]
        try:
            for one in fetched:
                one.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            progress.close()


def _named(base: str | None) -> str:
    return base or "Maven Central"


def _fetch(jar: Jar, cache: Path, base: str | None, progress: "_DownloadProgress") -> None:
    body = _download(jar, base)
    sha256 = hashlib.sha256(body).hexdigest()
    if sha256 != jar.sha256:
        raise JarsUnavailableError(
            f"{jar.path} is not the pinned file (its SHA-256 is {sha256[:12]}…, not "
            f"{jar.sha256[:12]}…): what {_named(base)} sent was thrown away; set "
            "kafka.jars_base to a true mirror"
        )
    _keep(body, cache / jar.name)
    progress.add(jar.bytes)


def _keep(body: bytes, path: Path) -> None:
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())  # a power cut must not leave the right size, and zeros
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _download(jar: Jar, base: str | None) -> bytes:
    """The file, or one byte more than it should have."""
    url = f"{(base or _MAVEN_CENTRAL).rstrip('/')}/{jar.path}"
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as reply:
                return _read(reply, jar.bytes + 1)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if _is_final(error) or attempt == _ATTEMPTS:
                raise JarsUnavailableError(
                    f"cannot fetch {jar.path} from {_named(base)} ({_one_line(error)}): check the "
                    "network and its proxy, or set kafka.jars_base to a mirror of Maven Central"
                ) from error
            time.sleep(_RETRY_AFTER_S * attempt)
    raise AssertionError("the last attempt returns or raises")


def _is_final(error: Exception) -> bool:
    """Whether asking again would get the same: a 404 says so, a 503 or a lost connection not."""
    if not isinstance(error, HTTPError):
        return False
    error.close()  # it is the reply, too, and holds the connection
    return error.code < HTTPStatus.INTERNAL_SERVER_ERROR


def _read(reply: http.client.HTTPResponse, limit_bytes: int) -> bytes:
    promised = reply.length
    body = reply.read(limit_bytes)
    if promised is not None and len(body) < min(promised, limit_bytes):
        raise http.client.IncompleteRead(body, promised - len(body))
    return body


def _one_line(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", error)).split())


class _DownloadProgress:
    """`Apache Kafka 4.3.1: 12 of 45 MB`: rewritten in place on a terminal, else said twice."""

    def __init__(self, *, total_bytes: int, source: str, output: TextIO) -> None:
        self._total, self._output = total_bytes, output
        self._done, self._lock = 0, Lock()
        self._is_terminal = output.isatty()
        size = f"{self._mb(total_bytes)} MB"
        what = f"Apache Kafka {KAFKA_VERSION}: fetching {size} from {source}, once"
        print(what, file=output, flush=True)

    def add(self, count: int) -> None:
        """Count bytes that have come."""
        with self._lock:
            self._done += count
            if self._is_terminal:
                self._say("\r", end="")

    def close(self) -> None:
        """Say how far it came."""
        self._say("\r" if self._is_terminal else "", end="\n")

    def _say(self, start: str, *, end: str) -> None:
        done = f"{self._mb(self._done)} of {self._mb(self._total)} MB"
        print(
            f"{start}Apache Kafka {KAFKA_VERSION}: {done}", end=end, file=self._output, flush=True
        )

    @staticmethod
    def _mb(count: int) -> int:
        return round(count / _MB)
