"""Commands wait for what a `weir dev` still starts: said once, and not for ever."""

import json
import threading
from pathlib import Path

import pytest
from msgspec.structs import asdict

from config.dev_file import with_dev_servers
from config.dev_waiting import StillStartingError, await_learner, await_servers
from config.processes.child import DataDirLock
from config.settings import load_settings


def write(folder: Path, *starting: str, failing: str = "") -> None:
    content = {"starting": list(starting), "failing": {failing: "ended with code 1"}}
    (folder / "dev.json").write_text(json.dumps(content))


def test_nobody_is_waited_for_where_nobody_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No directory, one that was left, one in which all is up."""
    await_servers(tmp_path / "nowhere")
    with DataDirLock(tmp_path):
        pass
    await_servers(tmp_path)
    await_learner(tmp_path, "m")
    write(tmp_path, "learner:other", failing="learner:m")
    await_servers(tmp_path)
    await_learner(tmp_path, "m")
    assert capsys.readouterr().err == ""


def test_servers_that_start_are_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until `dev.json` is there."""
    with DataDirLock(tmp_path):
        timer = threading.Timer(0.5, write, [tmp_path])
        timer.start()
        await_servers(tmp_path, wait_max_s=20)
        timer.join()
    assert capsys.readouterr().err == f"weir: waiting for weir dev in {tmp_path}, still starting\n"


def test_a_learner_that_starts_is_waited_for_where_it_is_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until it is up, or is known to fail."""
    write(tmp_path, "api", "learner:m")
    await_learner(tmp_path, "m", is_needed=lambda: False)
    assert capsys.readouterr().err == ""

    timer = threading.Timer(0.5, write, [tmp_path, "api"], {"failing": "learner:m"})
    timer.start()
    await_learner(tmp_path, "m", wait_max_s=20)
    timer.join()
    assert capsys.readouterr().err == "weir: waiting for learner:m, still starting\n"


def test_waiting_ends_with_code_5(tmp_path: Path) -> None:
    """For servers, and for a learner."""
    with DataDirLock(tmp_path), pytest.raises(StillStartingError, match="weir dev in") as caught:
        await_servers(tmp_path, wait_max_s=0.3)
    assert caught.value.exit_code == 5
    write(tmp_path, "learner:m")
    with pytest.raises(StillStartingError, match="learner:m is still starting after 0 s"):
        await_learner(tmp_path, "m", wait_max_s=0.3)


@pytest.mark.parametrize(
    ("signs_as", "private", "public"),
    [(None, "operator", "learner"), ("learner", "learner", "operator")],
)
def test_a_running_dev_gives_each_command_the_keys_that_it_signs_with(
    tmp_path: Path, signs_as: str | None, private: str, public: str
) -> None:
    """And no more than those."""
    (tmp_path / "keys").mkdir()
    for name in ("learner", "operator"):
        (tmp_path / "keys" / f"{name}.pem").touch()

    found = with_dev_servers(load_settings({"data_dir": tmp_path}, environ={}), signs_as=signs_as)

    signing = asdict(found.signing)
    assert signing[f"{private}_key"].get_secret_value() == f"{tmp_path}/keys/{private}.pem"
    assert signing[f"{public}_public"] == (f"{tmp_path}/keys/{public}.pub",)
    assert not signing[f"{public}_key"]
    assert not signing[f"{private}_public"]
