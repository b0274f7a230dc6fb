"""The highest version number this line has used, kept where a store that loses commits cannot.

In the process, over its workers, and in the data directory where one is given. A number is noted
before it is sent to the store: one that may or may not have been used is not used again.
"""

import json
import logging
from pathlib import Path

from config.files import replace_file
from config.settings import Settings

log = logging.getLogger(__name__)

_FOLDER = "numbers"


class VersionNumbers:
    """Remembers the highest number of one line.

    Args:
        file: Where; None: in this process only.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._highest = _read(file) if file else 0
        self._has_failed = False

    @property
    def highest(self) -> int:
        """The highest number noted; 0 for none."""
        return self._highest

    def note(self, number: int) -> None:
        """This number is used, or is about to be."""
        if number <= self._highest:
            return
        self._highest = number
        if self._file is None:
            return
        try:
            _write(self._file, number)
        except OSError as error:  # each number is tried anew: once there is room it is kept again
            if not self._has_failed:
                log.warning("version numbers are not remembered in %s: %s", self._file, error)
            self._has_failed = True
        else:
            self._has_failed = False


def numbers_of(settings: Settings, model: str, shard: int = 0) -> VersionNumbers:
    """Those of one line; in the data directory only if one was given."""
    if not settings.has_data_dir:
        return VersionNumbers(None)
    return VersionNumbers(settings.data_dir / _FOLDER / f"{model}-{shard}.json")


def _read(file: Path) -> int:
    try:
        return int(json.loads(file.read_text())["version"])
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.warning("%s does not tell which version numbers are used: %r", file, error)
        return 0


def _write(file: Path, number: int) -> None:
    """Whole or not at all. It is not forced to the disk: the store and Kafka remember as well."""
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_file(file, json.dumps({"version": number}))
