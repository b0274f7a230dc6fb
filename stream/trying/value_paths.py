"""Places in a model file by their path, and what stands there changed: `--set PATH=V,V`.

A path is what messages about a model file call its keys: `learner.river[1].module.Name.argument`.
In a list a component may stand by its name in place of its number: `learner.river.Name.argument`,
and wherever it is an argument's value its module may be left out. Pure.
"""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from config.errors import ConfigError, Mistake
from config.text.nearest import did_you_mean
from config.text.yaml_lines import KeyPath, read_text

# Values by the paths that they are put at.
Settings: TypeAlias = dict[str, Any]

VARIANTS_MAX = 1_000
# What mistakes in a path or its values are told of.
SET = "--set"
_COMPONENT = re.compile(r"[a-z_.]+\.[A-Z]\w*")
# What YAML reads without quotes wherever it stands.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./ -]*(?<! )")


class PathError(ConfigError):
    """A path leads nowhere in the model file, or its values are no YAML.

    Operator: correct the path; the message says what stands there.
    """

    def __init__(self, path: str, message: str) -> None:
        super().__init__([Mistake(file=SET, line=0, key=path, message=message)])
        self._path, self._message = path, message

    def within(self, file: str) -> "PathError":
        """The same, with the file in which the path leads nowhere."""
        return PathError(self._path, f"in {file} {self._message}")


def read_choices(text: str) -> tuple[str, list[Any]]:
    """The path and the values of `PATH=V,V`, each value as YAML has it.

    Raises:
        PathError: It is written otherwise.

    >>> read_choices("learner.river[1].linear_model.LogisticRegression.l2=0,0.1")
    ('learner.river[1].linear_model.LogisticRegression.l2', [0, 0.1])
    >>> read_choices("drift=[],[{on: error, detector: ADWIN}]")
    ('drift', [[], [{'on': 'error', 'detector': 'ADWIN'}]])
    """
    path, equals, listed = text.partition("=")
    if not (path and equals and listed.strip()):
        raise PathError(text, "write PATH=VALUE, or PATH=VALUE,VALUE for several")
    document = read_text(f"[{listed}]", file=SET)
    if document.problems or not isinstance(document.value, list):
        what = document.problems[0].message if document.problems else "are no list"
        raise PathError(path, f"the values {listed!r} {what}; put a text with commas into quotes")
    return path, document.value


def grid(choices: Iterable[tuple[str, Sequence[Any]]]) -> list[Settings]:
    """Every combination of the values, the last path's changing first.

    Raises:
        PathError: There are more than 1,000, or a path is given twice.

    >>> grid([("a", [1, 2]), ("b", ["x"])])
    [{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'x'}]
    """
    listed = list(choices)
    paths = [path for path, _ in listed]
    for path in paths:
        if paths.count(path) > 1:
            raise PathError(path, "is given twice: list its values together")
    combined = itertools.product(*(values for _, values in listed))
    found = list(itertools.islice(combined, VARIANTS_MAX + 1))
    if len(found) > VARIANTS_MAX:
        raise PathError(paths[-1], f"makes more than {VARIANTS_MAX:,} combinations")
    return [dict(zip(paths, values, strict=True)) for values in found]


def with_settings(content: Any, settings: Mapping[str, Any]) -> Any:
    """A copy of a model file's content with these values in it.

    Raises:
        PathError: A path leads nowhere, or where another one leads.

    >>> content = {"learner": {"river": ["linear_model.PARegressor"]}}
    >>> with_settings(content, {"learner.river.PARegressor.C": 0.1})
    {'learner': {'river': [{'linear_model.PARegressor': {'C': 0.1}}]}}
    """
    taken: dict[KeyPath, str] = {}
    for path, value in settings.items():
        keys = resolved(content, path)
        if keys in taken:
            raise PathError(path, f"is the place of {taken[keys]}: list its values together")
        taken[keys] = path
        content = put(content, keys, value)
    return content


def resolved(content: Any, path: str) -> KeyPath:
    """The keys and places that `path` names in `content`; the last key may be a new one.

    Raises:
        PathError: It leads nowhere; with what stands there.

    >>> resolved({"learner": {"river": [{"optim.SGD": [0.1]}]}}, "learner.river[0].optim.SGD[0]")
    ('learner', 'river', 0, 'optim.SGD', 0)
    """
    node, rest = content, path
    keys: KeyPath = ()
    while rest:
        key, node, rest = _step(node, rest, path)
        keys = (*keys, key)
    return keys


def put(node: Any, keys: KeyPath, value: Any) -> Any:
    """A copy of `node` with `value` at `keys`; a component without arguments is given some."""
    if not keys:
        return value
    key, *rest = keys
    if isinstance(node, str):
        node = {node: {}}
    if isinstance(node, list):
        assert isinstance(key, int), "resolved keys fit"
        return [put(each, tuple(rest), value) if n == key else each for n, each in enumerate(node)]
    inner = put(node.get(key), tuple(rest), value)
    return {**node, key: inner}


def told_settings(settings: Mapping[str, Any]) -> list[str]:
    """Each value by the end of its path, as much of it as tells the paths apart.

    >>> told_settings({"learner.river.LogisticRegression.l2": 0.1, "learner.vw": "-b 18"})
    ['l2=0.1', 'vw="-b 18"']
    >>> told_settings({"learner.river.LDA.seed": 1, "learner.river.ARFClassifier.seed": 2})
    ['LDA.seed=1', 'ARFClassifier.seed=2']
    """
    paths = [path.split(".") for path in settings]
    for length in itertools.count(1):
        names = [".".join(path[-length:]) for path in paths]
        if len({*names}) == len(names):
            break
    return [f"{name}={flow(value)}" for name, value in zip(names, settings.values(), strict=True)]


def flow(value: Any) -> str:
    """A value on one line of YAML.

    >>> flow({"optim.SGD": [0.01]}), flow("yes: no"), flow(None), flow("12")
    ('{optim.SGD: [0.01]}', '"yes: no"', 'null', '"12"')
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(k)}: {flow(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and _is_text(value):
        return value
    if isinstance(value, str) and not value.isprintable():  # some of them no YAML may hold
        return json.dumps(value)
    return msgspec.json.encode(value).decode()


def _is_text(value: str) -> bool:
    """Whether it is itself to YAML: no number, no word such as true."""
    return read_text(value, file="").value == value


def _step(node: Any, rest: str, path: str) -> tuple[str | int, Any, str]:
    """The key that `rest` begins with, what stands there, and what of the path is left."""
    if isinstance(node, list):
        return _into_list(node, rest, path)
    if isinstance(node, str) and (after := _after_any(rest, _called(node))) is not None:
        return node, {}, after
    if not isinstance(node, dict):
        raise PathError(path, f"{rest!r} is looked for where {_shown(node)} stands")
    for key in sorted(node, key=lambda each: -len(str(each))):
        after = _after_any(rest, _called(str(key)) if len(node) == 1 else [str(key)])
        if after is not None:
            return key, node[key], after
    if "." in rest or "[" in rest:
        raise PathError(path, f"there is no {rest!r}{_instead(rest, map(str, node))}")
    return rest, None, ""


def _into_list(node: list[Any], rest: str, path: str) -> tuple[int, Any, str]:
    """By the number in brackets, or by the name of a component."""
    if rest.startswith("["):
        number, bracket, beyond = rest[1:].partition("]")
        if not bracket or not number.isdecimal() or int(number) >= len(node):
            raise PathError(path, f"[{number}] is none of its {len(node)} places, from [0] on")
        return int(number), node[int(number)], beyond.removeprefix(".")
    named = [(n, name) for n, each in enumerate(node) for name in _names(each)]
    # By the whole name, or its last part; what follows is then looked for in the component itself.
    fitting = {
        n: _below(name, after)
        for n, name in named
        if (after := _after_any(rest, _called(name))) is not None
    }
    if len(fitting) != 1:
        what = f"there are {len(fitting)}" if fitting else "there is no"
        raise PathError(path, f"{what} {rest!r}{_instead(rest, (name for _, name in named))}")
    ((n, left),) = fitting.items()
    return n, node[n], left


def _below(name: str, after: str) -> str:
    """The path from a list's place on, which names the component first; empty: all of it."""
    return f"{name}{'' if after.startswith('[') else '.'}{after}" if after else ""


def _names(component: Any) -> Iterator[str]:
    if isinstance(component, str):
        yield component
    elif isinstance(component, dict) and len(component) == 1:
        yield str(next(iter(component)))


def _called(key: str) -> list[str]:
    """What may stand for it in a path: a component also goes by the last part of its name."""
    return [key, key.rpartition(".")[2]] if _COMPONENT.fullmatch(key) else [key]


def _after_any(rest: str, keys: Iterable[str]) -> str | None:
    """What of the path follows the first of `keys` that it begins with; None: it does with none."""
    return next((after for key in keys if (after := _after(rest, key)) is not None), None)


def _after(rest: str, key: str) -> str | None:
    """What of the path follows `key`; None where it does not begin with it."""
    if rest == key:
        return ""
    if rest.startswith(f"{key}."):
        return rest[len(key) + 1 :]
    return rest[len(key) :] if rest.startswith(f"{key}[") else None


def _instead(rest: str, names: Iterable[str]) -> str:
    known = list(names)
    listed = f": there are {', '.join(known)}" if known else ""
    return did_you_mean(rest.partition("[")[0], known) or listed


def _shown(node: Any) -> str:
    return "nothing" if node is None else repr(node)[:60]
