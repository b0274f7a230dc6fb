"""Writes the OpenAPI document, with and without keys: what `make openapi` lints."""

import json
import sys
from pathlib import Path

from api.app import create_app
from checkpoints.stores.in_memory.store import MemoryStore
from config.model_file import parse_model_file
from tests.api.running import KEYS, PHISHING, by_line, settings_of


def write(folder: Path) -> None:
    """Two files into `folder`."""
    keys_file = folder / "keys.yaml"
    keys_file.write_text("[]")
    for name, api in (("without-keys", {}), ("with-keys", {"keys_file": keys_file})):
        models = by_line(parse_model_file(PHISHING))
        app = create_app(settings_of(**api), models, MemoryStore(), KEYS)
        (folder / f"{name}.json").write_text(json.dumps(app.openapi()))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
