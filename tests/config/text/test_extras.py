"""Where an extra is missing, what is typed installs ours, and nothing of a stranger's."""

import re
from importlib.metadata import requires
from pathlib import Path

from config.text.extras import _is_of_a_clone, extra_missing, install_command, pip_command
from tests.figures import ROOMS, TOP

# The package of that name on PyPI is somebody else's.
STRANGER = re.compile(r"""pip install ['"]?weir\b|['"`]weir\[""")


def test_pip_is_given_what_our_own_metadata_pin() -> None:
    listed = requires("weir") or []

    for extra in ("log", "mlflow", "otel", "ray", "shap"):
        command = pip_command(extra, listed)
        assert re.fullmatch(r"pip install( '[\w-]+==[\d.]+')+", command), command
    assert pip_command("otel", listed).count("opentelemetry") == 2


def test_a_clone_has_its_own_command(tmp_path: Path) -> None:
    """Not where the program runs in another environment, which that command would not touch."""
    assert not _is_of_a_clone(tmp_path, tmp_path / ".venv"), "no clone"
    for name in ("uv.lock", "pyproject.toml", "weir.py"):
        (tmp_path / name).touch()

    assert _is_of_a_clone(tmp_path, tmp_path / ".venv")
    assert not _is_of_a_clone(tmp_path, Path("/usr"))


def test_the_hint_says_what_and_how() -> None:
    told = extra_missing("MLflow", "mlflow")

    assert told == f"MLflow is missing, which is an extra: {install_command('mlflow')}"
    assert "uv sync --inexact --extra mlflow" in told or "pip install 'mlflow==" in told


def test_nowhere_is_a_strangers_package_named() -> None:
    pages = [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")]
    code = [path for room in ROOMS for path in (TOP / room).rglob("*.py")]
    told = [path.name for path in (*pages, *code) if STRANGER.search(path.read_text("utf-8"))]

    assert told == ["extras.py"], "which says so"
