"""Fetching the jars: only pinned files are kept, and what went wrong is said in one line."""

import hashlib
import io
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from config.processes.child import free_port
from stream.dev.jars import (
    KAFKA_VERSION,
    Jar,
    JarsUnavailableError,
    fetch_jars,
    pinned_jars,
    user_cache,
)

CONTENT = {"org/a/1/a-1.jar": b"first jar" * 1000, "org/b/2/b-2.jar": b"second jar" * 1000}
JARS = tuple(
    Jar(path=path, sha256=hashlib.sha256(body).hexdigest(), bytes=len(body))
    for path, body in CONTENT.items()
)


class _Handler(SimpleHTTPRequestHandler):
    requests_seen: list[str]

    def do_GET(self) -> None:
        self.requests_seen.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


class Mirror:
    """A Maven repository on loopback, served from a directory."""

    def __init__(self, root: Path, server: ThreadingHTTPServer, requests: list[str]) -> None:
        self.root, self.requests = root, requests
        self.base = f"http://127.0.0.1:{server.server_port}"

    def put(self, path: str, body: bytes) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(body)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    """A mirror that holds both jars."""
    handler = type("_Seen", (_Handler,), {"requests_seen": []})
    root = tmp_path / "mirror"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root))) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        mirror = Mirror(root, server, handler.requests_seen)
        for path, body in CONTENT.items():
            mirror.put(path, body)
        yield mirror
        server.shutdown()
        thread.join()


@pytest.fixture
def fetch(tmp_path: Path, mirror: Mirror) -> Callable[[], tuple[Path, ...]]:
    """Fetch both jars from the mirror into an empty cache."""
    return partial(
        fetch_jars, tmp_path / "cache", base=mirror.base, jars=JARS, progress=io.StringIO()
    )


def test_fetched_once(fetch, mirror: Mirror) -> None:
    """The second time nothing is asked for."""
    paths = fetch()
    assert [path.read_bytes() for path in paths] == list(CONTENT.values())

    mirror.requests.clear()
    assert fetch() == paths
    assert mirror.requests == []


def test_a_wrong_file_is_not_kept(fetch, mirror: Mirror, tmp_path: Path) -> None:
    """Same size, other bytes: the error names the file and the setting; the good jar stays."""
    mirror.put(JARS[1].path, CONTENT[JARS[1].path].replace(b"second", b"SECOND"))

    with pytest.raises(JarsUnavailableError, match=r"b-2\.jar is not .*kafka\.jars_base") as wrong:
        fetch()

    assert "\n" not in str(wrong.value)
    assert not list((tmp_path / "cache").glob("b-2.jar*"))


def test_a_file_that_never_ends_is_cut_off(fetch, mirror: Mirror) -> None:
    """No mirror can fill the memory or the disk: one byte too many is enough to know."""
    mirror.put(JARS[0].path, CONTENT[JARS[0].path] + b"x" * 10_000_000)

    with pytest.raises(JarsUnavailableError, match="is not the pinned file"):
        fetch()


def test_a_missing_file_is_asked_for_once(fetch, mirror: Mirror) -> None:
    """404 is an answer; asking again would not change it."""
    (mirror.root / JARS[0].path).unlink()

    with pytest.raises(JarsUnavailableError, match=r"404|File not found"):
        fetch()

    assert mirror.requests.count(f"/{JARS[0].path}") == 1


def test_what_came_before_a_failure_is_not_fetched_again(fetch, mirror: Mirror) -> None:
    """A second attempt goes on where the first one ended."""
    (mirror.root / JARS[1].path).unlink()
    with pytest.raises(JarsUnavailableError):
        fetch()
    mirror.put(JARS[1].path, CONTENT[JARS[1].path])
    mirror.requests.clear()

    fetch()

    assert mirror.requests == [f"/{JARS[1].path}"]


def test_a_file_cut_short_on_disk_is_fetched_again(fetch) -> None:
    """A size that is not the pinned one is as good as no file."""
    first, _ = fetch()
    first.write_bytes(b"cut")

    fetch()

    assert first.read_bytes() == CONTENT[JARS[0].path]


@pytest.mark.parametrize("base", ["http://127.0.0.1:{port}", "no address", "http://[broken"])
def test_no_network_is_one_line(tmp_path: Path, base: str, monkeypatch) -> None:
    """Nothing listens, or the base address is none: the message says what to do."""
    monkeypatch.setattr("stream.dev.jars._RETRY_AFTER_S", 0.01)
    with pytest.raises(JarsUnavailableError, match=r"network.*kafka\.jars_base") as unreachable:
        fetch_jars(tmp_path, base=base.format(port=free_port()), jars=JARS, progress=io.StringIO())

    assert "\n" not in str(unreachable.value)


def test_a_full_disk_is_one_line(fetch, tmp_path: Path) -> None:
    """No room for a file: the message says where and what to do, and half a file is not left."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(JarsUnavailableError, match=r"free 50 MB.*XDG_CACHE_HOME") as full:
            fetch()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert "\n" not in str(full.value)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_made_is_one_line(mirror: Mirror) -> None:
    """The parent is a file, or belongs to another: the same error, the same advice."""
    with pytest.raises(JarsUnavailableError, match="XDG_CACHE_HOME"):
        fetch_jars(Path("/dev/full/cache"), base=mirror.base, jars=JARS, progress=io.StringIO())


def test_two_processes_at_once(mirror: Mirror, tmp_path: Path) -> None:
    """Both come away with whole files, and each file was fetched once."""
    program = (
        "import sys; from pathlib import Path; from stream.dev.jars import *\n"
        "jars = pinned_jars(Path(sys.argv[1]))\n"
        "print(*fetch_jars(Path(sys.argv[2]), base=sys.argv[3], jars=jars))"
    )
    lock_file = tmp_path / "jars.lock"
    lock_file.write_text("".join(f"{jar.path} {jar.sha256} {jar.bytes}\n" for jar in JARS))
    argv = [sys.executable, "-c", program, str(lock_file), str(tmp_path / "cache"), mirror.base]

    both = [
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(2)
    ]
    outputs = {process.communicate(timeout=30)[0] for process in both}

    assert [process.returncode for process in both] == [0, 0]
    assert [Path(p).read_bytes() for p in outputs.pop().split()] == list(CONTENT.values())
    assert outputs == set()
    assert sorted(mirror.requests) == sorted(f"/{path}" for path in CONTENT)


def test_a_complete_cache_may_be_read_only(fetch, mirror: Mirror, tmp_path: Path) -> None:
    """As in an image: no lock is taken and nothing written when nothing is missing."""
    fetch()
    (tmp_path / "cache" / ".lock").unlink()

    fetch()

    assert not (tmp_path / "cache" / ".lock").exists()


def test_progress_is_said(tmp_path: Path, mirror: Mirror) -> None:
    """Whoever waits for 45 MB sees what for."""
    said = io.StringIO()
    fetch_jars(tmp_path / "cache", base=mirror.base, jars=JARS, progress=said)

    assert said.getvalue().startswith(f"Apache Kafka {KAFKA_VERSION}: fetching 0 MB from ")
    assert said.getvalue().endswith("0 of 0 MB\n")


def test_maven_central_is_called_by_its_name(tmp_path: Path, mirror: Mirror, monkeypatch) -> None:
    """Where no mirror is set: its address is nobody's concern, not even when it fails."""
    monkeypatch.setattr("stream.dev.jars._MAVEN_CENTRAL", mirror.base)
    (mirror.root / JARS[1].path).unlink()
    said = io.StringIO()

    with pytest.raises(JarsUnavailableError, match=r"cannot fetch .* from Maven Central") as failed:
        fetch_jars(tmp_path / "cache", jars=JARS, progress=said)

    assert "fetching 0 MB from Maven Central, once" in said.getvalue()
    assert "http" not in f"{failed.value}{said.getvalue()}"


def test_the_pinned_jars_lie_side_by_side() -> None:
    """Their file names differ, all are of the version we say, and each hash is whole."""
    jars = pinned_jars()

    assert len({jar.name for jar in jars}) == len(jars)
    assert f"kafka_2.13-{KAFKA_VERSION}.jar" in {jar.name for jar in jars}
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in jars)


def test_the_cache_is_the_users_own() -> None:
    """An empty XDG_CACHE_HOME counts as none, as its specification says."""
    expected = Path.home() / ".cache" / "weir" / f"kafka-{KAFKA_VERSION}"

    assert user_cache({"XDG_CACHE_HOME": ""}) == expected == user_cache({})
    assert os.fspath(user_cache({"XDG_CACHE_HOME": "/x"})).startswith("/x/")
