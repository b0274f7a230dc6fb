"""The repository keeps its own rules: sizes, directions, leftovers."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.figures import (
    LIMITS,
    PORTS,
    ROOMS,
    TOP,
    code_lines,
    figures,
    homes_of_classes,
    imports_of,
    nodes_of,
    text_of,
)

FUNCTION_LINES_MAX = 70  # a screen; the docstring is not counted
FILE_LINES_MAX = 500
# As ruff counts: without an opt-out at the end, and not where there is nothing to break.
LINE_CHARACTERS_MAX = 100
UNFINISHED = re.compile("|".join(("TO" + "DO", "FIX" + "ME", r"\bXX" + r"X\b")))
OPT_OUT = re.compile(r"\s*#\s*(?:noqa|type: ignore|pragma).*")
NAMED = re.compile(r"(?<![\w./:~-])\w[\w./-]*\.(?:md|py|lua)\b")  # no address, no absolute path
# A user's own modules, in examples; CPython's notes.
NOT_OURS = {
    "my_models.py", "own_models.py", "weir_test_own.py", "Objects/object_layout.md",
    "make_files.py", "make_drill.py", "ask.py",
}  # fmt: skip
SKIPS = re.compile(r"pytest\.(?:skip|importorskip|xfail)\b|mark\.(?:skip|skipif|xfail)\b")
# Where each driver may be imported. A registry may be passed along by any module of a room.
DRIVERS = {
    "kafka": ("stream/",),
    "hiredis": ("checkpoints/stores/in_redis/wire.py",),
    "redis": (),
    "fastapi": ("api/",),
    "starlette": ("api/",),
    "uvicorn": ("api/",),
    "duckdb": ("stream/log_export/database.py",),
    "opentelemetry": ("config/traces/spans.py",),
    "ray": ("stream/trying/search/on_ray.py",),
    "shap": ("learner/explaining/with_shap.py",),
    "mlflow": ("api/registry/mlflow_door.py", "api/registry/mlflow_model.py"),
    "prometheus_client": ("stream/source/reports/metrics.py", "api/metrics.py"),
}
PASSED_ALONG = {"CollectorRegistry"}
# What the tests build on and the program does not: a store that dies when told to, and the checks
# that every estimator must pass.
FOR_TESTS = ("checkpoints.stores.in_memory", "learner.estimator_checks")
# What is started by its name, in a process of its own: by us, by MLflow.
STARTED = {"api.offline.answering", "api.registry.mlflow_model"}


def tracked(*suffixes):
    """Files of the repository: those that git knows, or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:  # an unpacked archive
        paths = [path for path in TOP.rglob("*") if not _is_hidden(path.relative_to(TOP))]
    else:
        paths = [TOP / name for name in listed.stdout.split("\0") if name]
    return sorted(path for path in paths if path.is_file() and path.suffix in suffixes)


def _is_hidden(path):
    return any(part.startswith(".") for part in path.parts)


def name_of(path):
    return path.relative_to(TOP).as_posix()


CODE = tracked(".py")
TEXT = tracked(".py", ".lua", ".md", ".yml", ".yaml", ".toml", ".txt", "")
OURS = [path for path in CODE if name_of(path).startswith(tuple(f"{room}/" for room in ROOMS))]


def test_functions_fit_on_a_screen():
    """Three levels of nesting, or a second idea, are another function."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    functions = (
        (path, node) for path in CODE for node in nodes_of(path) if isinstance(node, kinds)
    )

    long = [
        f"{name_of(path)}:{function.lineno}: {function.name} has {code_lines(function)} lines"
        for path, function in functions
        if code_lines(function) > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_files_are_short():
    """One idea a file."""
    sizes = {name_of(path): len(text_of(path).splitlines()) for path in tracked(".py", ".lua")}

    assert {name: size for name, size in sizes.items() if size > FILE_LINES_MAX} == {}


@pytest.mark.parametrize("name", LIMITS)
def test_the_house_stays_within_its_figures(name):
    """As `make figures` prints them."""
    value, where = figures()[name]

    assert value <= LIMITS[name], where


def test_rooms_say_what_they_are():
    """Each `__init__.py`: what the room is, what it may import, where to begin."""
    silent = [
        name_of(path)
        for path in OURS
        if path.name == "__init__.py" and "Begin with `" not in " ".join(text_of(path).split())
    ]
    assert silent == []


def test_a_port_is_defined_twice():
    """One that is not any more is no port."""
    assert {name for name, homes in homes_of_classes().items() if len(homes) > 1} == PORTS


def test_lines_are_short():
    """A line is read at a glance."""
    long = [
        f"{name_of(path)}:{number}"
        for path in tracked(".py", ".lua")
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if len(OPT_OUT.sub("", line)) > LINE_CHARACTERS_MAX and " " in line.strip()
    ]
    assert long == []


def test_nothing_is_left_unfinished():
    """What is to be done stands in an issue, not in the code."""
    assert [name_of(path) for path in TEXT if UNFINISHED.search(text_of(path))] == []


def test_files_that_are_named_are_there():
    """Where a stranger is sent to is in the repository."""
    files = [f"/{name_of(path)}" for path in tracked(".md", ".py", ".lua")]
    gone = [
        f"{name_of(path)}: {name}"
        for path in TEXT
        for name in set(NAMED.findall(text_of(path))) - NOT_OURS
        if path != Path(__file__) and not any(file.endswith(f"/{name}") for file in files)
    ]
    assert gone == []


def test_every_except_names_what_it_catches():
    """A bare one swallows the signal that ends the process, too."""
    bare = [
        f"{name_of(path)}:{node.lineno}"
        for path in CODE
        for node in nodes_of(path)
        if isinstance(node, ast.ExceptHandler) and node.type is None
    ]
    assert bare == []


def test_no_test_is_skipped():
    """A test that does not run proves nothing: a missing server is a failure."""
    here = Path(__file__)

    assert [name_of(path) for path in CODE if path != here and SKIPS.search(text_of(path))] == []


def test_nothing_of_ours_is_replaced_by_a_mock():
    """Faults are small classes with names; servers are real."""
    mocks = [
        f"{name_of(path)}:{line}"
        for path in CODE
        for module, name, line in imports_of(path)
        if "mock" in f"{module}.{name}".lower().split(".")
    ]
    assert mocks == []


def test_drivers_stay_in_their_rooms():
    """Kafka behind one door, HTTP behind the other, Redis in one room, the core without any."""
    strangers = [
        f"{name_of(path)}:{line}: {module}"
        for path in (*OURS, TOP / "weir.py")
        for module, name, line in imports_of(path)
        if name not in PASSED_ALONG
        and not name_of(path).startswith(DRIVERS.get(module.partition(".")[0], ("",)))
    ]
    assert strangers == []


def test_files_are_named_after_their_idea():
    """A file for everything is a file about nothing."""
    assert [name_of(path) for path in CODE if path.stem in {"utils", "helpers", "misc"}] == []


def test_no_module_is_an_orphan():
    """Every module can be reached from the program."""
    names = {name_of(path).removesuffix(".py").replace("/", "."): path for path in OURS}
    modules = {name.removesuffix(".__init__"): path for name, path in names.items()}
    reached = set(STARTED)
    waiting = [TOP / "weir.py", *(modules[each] for each in STARTED)]
    while waiting:
        for module, name, _ in imports_of(waiting.pop()):
            found = {module, f"{module}.{name}", *_above(module)} & modules.keys() - reached
            reached |= found
            waiting += [modules[each] for each in found]

    for_tests = {module for module in modules if module.startswith(FOR_TESTS)}
    assert modules.keys() - reached - set(ROOMS) == for_tests


def _above(module):
    """The packages of a module: importing it imports them."""
    parts = module.split(".")
    return {".".join(parts[:n]) for n in range(1, len(parts))}


def test_imports_run_in_one_direction(tmp_path):
    """The doors see the core, the core sees the ground, and never the other way round.

    In a process of its own: the linter disables every logger that it finds.
    """
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-logo", "--cache-dir", tmp_path],
        cwd=TOP, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == os.EX_OK, done.stdout
