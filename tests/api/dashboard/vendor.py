"""The libraries that the dashboard uses, as `vendor.json` names them: checked, or fetched anew.

Renew one: change its version there, run `make vendor`, and look at the change of the hashes.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from api.dashboard.files import FOLDER

VENDOR = FOLDER / "vendor"
TABLE = VENDOR / "vendor.json"


def packages() -> list[dict[str, Any]]:
    """Each package: name, version, licence, what npm says its archive's hash is, and its files."""
    found: list[dict[str, Any]] = json.loads(TABLE.read_text())
    return found


def integrity(content: bytes) -> str:
    """As npm and browsers write it."""
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def renewed(package: dict[str, Any], npm: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """The files of a package by their names here, out of npm's archive; its hashes are noted."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{package['name']}@{package['version']}"
        subprocess.run(
            [*npm, "pack", wanted, "--pack-destination", folder, "--silent"],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        (archive,) = Path(folder).iterdir()
        package["archive"] = integrity(archive.read_bytes())
        with tarfile.open(archive) as opened:
            for name, file in package["files"].items():
                member = opened.extractfile(f"package/{file['from']}")
                assert member is not None
                content = member.read()
                file["sha512"] = integrity(content)
                yield name, content


def main(npm: Sequence[str]) -> None:
    """Fetch all, and write down what they are."""
    table = packages()
    for package in table:
        for name, content in renewed(package, npm):
            (VENDOR / name).write_bytes(content)
            print(f"{package['name']} {package['version']}: {name}, {len(content)} bytes")
    TABLE.write_text(json.dumps(table, indent=2) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
