"""The embedded Redis keeps what it is given."""

from pathlib import Path

import redis

from checkpoints.dev_server import ValkeyServer, find_server


def test_writes_survive_kill_and_stop(starts_servers: None, tmp_path: Path) -> None:
    """Whatever ends the server, the same directory brings back every key, on the same address."""
    with ValkeyServer(tmp_path / "with a blank, é") as server:
        with redis.Redis.from_url(server.url) as client:
            client.set("a", "1")
        server.kill()
        server.start()
        with redis.Redis.from_url(server.url) as client:
            client.set("b", "2")
        server.restart()

        with redis.Redis.from_url(server.url) as client:
            assert client.mget("a", "b") == [b"1", b"2"]


def test_it_keeps_everything_and_listens_on_loopback(valkey_server: ValkeyServer) -> None:
    """Append-only, never evicting, and deaf to other machines."""
    with redis.Redis.from_url(valkey_server.url, decode_responses=True) as client:
        settings = client.config_get("*")

    assert settings["appendonly"] == "yes"
    assert settings["appendfsync"] == "everysec"
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["save"] == ""
    assert settings["bind"] == "127.0.0.1"
    assert settings["protected-mode"] == "yes"


def test_the_server_itself_is_run(valkey_server: ValkeyServer) -> None:
    """Ending the process we started ends the server: no launcher stands between."""
    program = Path(f"/proc/{valkey_server.pid}/exe").readlink()

    assert program == find_server().resolve()
