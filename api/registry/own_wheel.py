"""Our own wheel, made of the files that run: what a model in a registry is installed with.

It is the same wheel that a build would make, however Weir was installed: as a wheel, whose file is
gone, or from a clone, which never had one.
"""

import base64
import hashlib
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

__all__ = ["own_wheel"]

_HOME = Path(__file__).resolve().parents[2]
_ROOMS = ("api", "checkpoints", "config", "learner", "stream")
_TAG = "py3-none-any"
_MADE = (1980, 1, 1, 0, 0, 0)  # equal files make equal wheels


def own_wheel(folder: Path) -> Path:
    """Write the wheel into `folder`; its path."""
    ours = distribution("weir")
    info = f"weir-{ours.version}.dist-info"
    files = {path.relative_to(_HOME).as_posix(): path.read_bytes() for path in _sources()}
    files |= {f"{info}/{name}": text.encode() for name, text in _metadata(ours).items()}
    record = "".join(f"{name},{_hashed(data)},{len(data)}\n" for name, data in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = folder / f"weir-{ours.version}-{_TAG}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _MADE)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, data)
    return wheel


def _sources() -> list[Path]:
    rooms = (path for room in _ROOMS for path in sorted((_HOME / room).rglob("*")))
    kept = (path for path in rooms if path.is_file() and "__pycache__" not in path.parts)
    return [_HOME / "weir.py", *kept]


def _metadata(ours: Distribution) -> dict[str, str]:
    wheel = f"Wheel-Version: 1.0\nGenerator: weir\nRoot-Is-Purelib: true\nTag: {_TAG}\n"
    names = ("METADATA", "entry_points.txt")
    return {name: ours.read_text(name) or "" for name in names} | {"WHEEL": wheel}


def _hashed(data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"
