"""The house in figures: `make figures` prints them, `test_tidy.py` keeps them in their limits."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
ROOMS = ("api", "checkpoints", "config", "learner", "stream")
# Who sees whom: each what is on a later level, none of its own.
LEVELS = (("weir",), ("stream", "api"), ("learner", "checkpoints"), ("config",))
# Classes that a room names after those of another, which it must not import: protocols of them.
PORTS = {"Keep", "Published", "Publisher", "SigningSettings"}
LIMITS = {
    "files in a folder": 12,
    "lines of a file": 450,
    "lines of a function, p99": 35,
    "circles of imports": 0,
    "arrows against the direction": 0,
    "class names with two meanings": 0,
    "empty __init__.py": 0,
}


@cache
def text_of(path: Path) -> str:
    return path.read_text("utf-8")


@cache
def nodes_of(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(text_of(path))))


def imports_of(path: Path) -> Iterator[tuple[str, str | None, int]]:
    """(module, name, line) of each import, wherever it stands in the file."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((str(node.module), alias.name, node.lineno) for alias in node.names)


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    whole = function.end_lineno - function.lineno + 1
    if ast.get_docstring(function, clean=False) is None:
        return whole
    return whole - (first.end_lineno - first.lineno + 1)


@cache
def modules() -> dict[str, Path]:
    """The product's, by the name that it is imported by."""
    paths = [TOP / "weir.py", *(path for room in ROOMS for path in (TOP / room).rglob("*.py"))]
    names = {path: path.relative_to(TOP).with_suffix("").as_posix() for path in sorted(paths)}
    return {name.removesuffix("/__init__").replace("/", "."): p for p, name in names.items()}


def arrows() -> dict[str, set[str]]:
    """Which modules each imports."""
    ours = modules()
    return {
        module: {
            f"{target}.{name}" if f"{target}.{name}" in ours else target
            for target, name, _ in imports_of(path)
            if target in ours
        }
        for module, path in ours.items()
    }


def circles() -> list[str]:
    """Modules that can be reached from themselves."""
    reached = arrows()
    for middle in reached:
        for module, targets in reached.items():
            if middle in targets:
                reached[module] = targets | reached[middle]
    return sorted(module for module, targets in reached.items() if module in targets)


def against_the_direction() -> list[str]:
    level = {room: n for n, rooms in enumerate(LEVELS) for room in rooms}
    pairs = [(a, b) for a, targets in arrows().items() for b in targets]
    rooms = [(a, b, a.partition(".")[0], b.partition(".")[0]) for a, b in pairs]
    return sorted(f"{a} -> {b}" for a, b, x, y in rooms if x != y and level[x] >= level[y])


def homes_of_classes() -> dict[str, set[str]]:
    """The modules that define a class of each name."""
    homes = defaultdict(set)
    for module, path in modules().items():
        for node in nodes_of(path):
            if isinstance(node, ast.ClassDef):
                homes[node.name].add(module)
    return homes


def function_lengths() -> list[tuple[int, str]]:
    """Of every function, with its place, in order."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return sorted(
        (code_lines(node), f"{module}.{node.name}")
        for module, path in modules().items()
        for node in nodes_of(path)
        if isinstance(node, kinds)
    )


def figures() -> dict[str, tuple[int, str]]:
    """What `LIMITS` limits, each with the place that it is about."""
    paths = modules().values()
    folders = Counter(path.parent for path in paths if path.name != "__init__.py")
    files = {path: len(text_of(path).splitlines()) for path in paths}
    lengths = function_lengths()
    lists = {
        "circles of imports": circles(),
        "arrows against the direction": against_the_direction(),
        "class names with two meanings": sorted(
            name
            for name, homes in homes_of_classes().items()
            if len(homes) > 1
            if name not in PORTS
        ),
        "empty __init__.py": [
            path.parent.name for path in paths if path.name == "__init__.py" if not text_of(path)
        ],
    }
    return {
        "files in a folder": _most(folders),
        "lines of a file": _most(files),
        "lines of a function, p99": lengths[len(lengths) * 99 // 100],
        **{name: (len(found), ", ".join(found)) for name, found in lists.items()},
    }


def _most(sizes: Mapping[Path, int]) -> tuple[int, str]:
    return max((size, path.relative_to(TOP).as_posix()) for path, size in sizes.items())


if __name__ == "__main__":
    for name, (value, where) in figures().items():
        print(f"{value:4d} of at most {LIMITS[name]:3d}  {name:30s} {where}")
