"""What to type where an extra is missing: by how Weir is installed.

Never `pip install weir[…]`: on PyPI that name is somebody else's.
"""

import re
import sys
from importlib.metadata import requires
from pathlib import Path

__all__ = ["extra_missing", "install_command", "pip_command"]

_HOME = Path(__file__).resolve().parents[2]
_ENVIRONMENT = ".venv"
_REQUIREMENT = re.compile(r"""([^;]+?)\s*;.*\bextra\s*==\s*['"]([\w-]+)['"]""")


def extra_missing(what: str, extra: str) -> str:
    """What is missing, and the command that brings it."""
    return f"{what} is missing, which is an extra: {install_command(extra)}"


def install_command(extra: str) -> str:
    """The command for this installation: of a clone by its lock file, else by pip."""
    if _is_of_a_clone(_HOME, Path(sys.prefix)):
        return f"{_ENVIRONMENT}/bin/uv sync --inexact --extra {extra}"
    return pip_command(extra, requires("weir") or [])


def _is_of_a_clone(home: Path, prefix: Path) -> bool:
    """Whether the program in `home` is one that `make setup` has set up, and runs there."""
    has_files = all((home / name).is_file() for name in ("uv.lock", "pyproject.toml", "weir.py"))
    return has_files and prefix.resolve() == (home / _ENVIRONMENT).resolve()


def pip_command(extra: str, requirements: list[str]) -> str:
    """What pip is to install for an extra.

    Args:
        requirements: As the metadata of a package has them.

    >>> pip_command("log", ["river==0.26.1", "duckdb==2.0.0; extra == 'log'", "a==1; extra=='b'"])
    "pip install 'duckdb==2.0.0'"
    >>> pip_command("b", ["a[c]==1 ; python_version < '4' and extra == 'b'", "d==2; extra=='b'"])
    "pip install 'a[c]==1' 'd==2'"
    """
    found = map(_REQUIREMENT.fullmatch, requirements)
    needed = [match[1].strip() for match in found if match and match[2] == extra]
    assert needed, f"no extra {extra}"
    return " ".join(["pip install", *(f"'{each}'" for each in needed)])
