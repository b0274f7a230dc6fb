"""Makes, on first use, the keys of a deployment, and gives each process those it needs.

The learner signs versions and only reads orders; the API signs orders and only reads versions:
neither holds the other's private key. The API's own clients get one key with every scope, whose
token stays in the folder `all`.

    python make_keys.py DIRECTORY      makes DIRECTORY/all, DIRECTORY/learner, DIRECTORY/api
"""

import hashlib
import json
import secrets
import shutil
import sys
from pathlib import Path

from checkpoints.records.signing import make_keys

SCOPES = ("predict", "write", "read", "operate")
SHARES = {"learner": ("learner.pem", "operator.pub"), "api": ("operator.pem", "learner.pub")}


def share_keys(directory: Path) -> None:
    """Make what is missing; what is there is never replaced."""
    kept = directory / "all"
    make_keys(kept)
    for process, names in SHARES.items():
        for name in names:
            _copy(kept / name, directory / process / name)
    if not (kept / "token").exists():
        _make_api_key(kept)
    _copy(kept / "api-keys.json", directory / "api" / "api-keys.json")


def _make_api_key(kept: Path) -> None:
    """The token is written last: it exists only if its hash does."""
    secret = secrets.token_urlsafe(32)
    entry = {
        "id": "admin",
        "sha256": hashlib.sha256(secret.encode()).hexdigest(),
        "scopes": SCOPES,
        "who": "admin",
    }
    _write(kept / "api-keys.json", json.dumps([entry], indent=1) + "\n")
    _write(kept / "token", f"admin.{secret}\n")


def _copy(source: Path, target: Path) -> None:
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = target.with_name(f".{target.name}")
        shutil.copy(source, staged)
        staged.replace(target)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


if __name__ == "__main__":
    share_keys(Path(sys.argv[1]))
