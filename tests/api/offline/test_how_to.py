"""The page on using a model offline, walked through beside the tutorial's model."""

import ast
import json
import re
import subprocess

from tests.api.registry.mlflow_servers import PROGRAMS
from tests.config.processes.waiting import until
from tests.pages import Page, Reader
from tests.stream.dev.test_tutorial import FILES
from tests.stream.dev.test_tutorial import PAGE as TUTORIAL

PAGE = Page("how-to/use-a-model-offline.md")


def test_the_page_does_what_it_says(starts_servers, tmp_path):
    """Export, ask in Python, import: with a hash seed that nobody chose."""
    reader = Reader(tmp_path, {name: TUTORIAL.first_after(words) for name, words in FILES.items()})
    for name in ("PYTHONHASHSEED", "OPENBLAS_NUM_THREADS"):
        reader.environment.pop(name, None)
    blocks = TUTORIAL.sections()
    (run,) = blocks[2]
    with reader.runs(run):
        reader.types(blocks[3][0])
        walk(reader)


def walk(reader: Reader) -> None:
    shell, python, printed = map(PAGE.blocks, ("sh", "python", "text"))
    export, take_in = shell
    version = reader.status("returns")["version"]
    told = json.loads(reader.types(export.replace("v2", version)))
    assert told.keys() == json.loads(printed[0]).keys()
    assert (told["learned"], told["signer"][:8]) == (4, "learner:")

    ask, many, about, keys = python
    said = in_python(reader, ask)
    assert said.keys() == ast.literal_eval(printed[1].replace("…", "0.5")).keys()
    assert said["version"] == version
    assert "prediction" in in_python(reader, ask + many, as_text=True)
    assert "Accuracy" in in_python(reader, ask + about, as_text=True)
    in_python(reader, keys, as_text=True)

    lines = reader.types(take_in).splitlines()
    number = int(version[1:])
    assert lines[0] == f"returns: import in force; serving v{number + 1}"
    assert re.fullmatch(rf"returns {version}, 4 learned, is the head as v{number + 1}; "
                        "4 learned events forgotten", lines[1])  # fmt: skip
    until(lambda: reader.status("returns")["state"] == "idle", what="the learner goes on")
    assert (reader.status("returns")["learned"], reader.status("returns")["forgotten"]) == (4, 4)


def in_python(reader: Reader, text: str, *, as_text: bool = False):
    """What a block of the page prints: the answer, or the text as it is."""
    python = PROGRAMS / "python" if "pandas" in text else "python"
    done = subprocess.run(
        [python, "-c", text], cwd=reader.folder, env=reader.environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout if as_text else ast.literal_eval(done.stdout)
