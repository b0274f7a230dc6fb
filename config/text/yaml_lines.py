"""YAML 1.2's core values, with the line of every key: what the files of this project are read by.

PyYAML's scanner and parser do the syntax; the values are made here, because PyYAML's own
constructor follows YAML 1.1 (`on`, `no` and `yes` are booleans, `1e12` is a string), keeps the
last of two equal keys in silence, forgets the lines, and recurses as deep as the text tells it to.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml
from pydantic import JsonValue

from config.errors import Mistake

BYTES_MAX = 1 << 20  # a thousand times a usual model file
DEPTH_MAX = 64  # nested pipelines reach about 12
PROBLEMS_MAX = 100
NODES_MAX = 100_000  # aliases counted at their full size: ends "billion laughs"

KeyPath = tuple[str | int, ...]

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ODD_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_PYTHON_DIGITS_MAX = 4_000  # int() refuses more than 4,300


def key_of(path: KeyPath) -> str:
    """A path as it is shown.

    >>> key_of(("learner", "river", 1, "optim.SGD"))
    'learner.river[1].optim.SGD'
    """
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where each key of a file stands.

    >>> source = Source(file="m.yaml", lines={"learner": 3, "learner.river[0]": 5})
    >>> source.where("learner.river[0].optim.SGD"), source.where("topics")
    ('m.yaml:5', 'm.yaml:1')
    """

    file: str
    lines: dict[str, int] = field(default_factory=dict)

    def line(self, key: str | KeyPath) -> int:
        """Line of `key`, else of the nearest key above it, else the first."""
        text = key if isinstance(key, str) else key_of(key)
        while text:
            if text in self.lines:
                return self.lines[text]
            text = text[: max(text.rfind("."), text.rfind("["), 0)]
        return 1

    def where(self, key: str | KeyPath) -> str:
        """`file:line` of `key`, or of the nearest key above it."""
        return f"{self.file}:{self.line(key)}"

    def problem(self, key: str | KeyPath, message: str) -> Mistake:
        """The problem that `message` tells of `key`, at its line."""
        text = key if isinstance(key, str) else key_of(key)
        return Mistake(file=self.file, line=self.line(key), key=text, message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a file holds, where each key stands, and what is wrong with it as YAML."""

    value: JsonValue
    source: Source
    problems: tuple[Mistake, ...]


def read_file(path: Path) -> Document:
    """Read the YAML file at `path`; what is wrong with it is in the document's `problems`."""
    name = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        return _unreadable(name, "there is no such file")
    except OSError as error:
        return _unreadable(name, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return _unreadable(name, "is not UTF-8 text; save it as UTF-8", line=line)
    return read_text(text, file=name)


def read_text(text: str, *, file: str) -> Document:
    """Read YAML `text`; `file` is the name that problems are told by.

    Never raises for any text: problems are returned, all that were found.

    >>> read_text("on: yes\\nvalue: 1e12", file="m.yaml").value
    {'on': 'yes', 'value': 1000000000000.0}
    >>> print(*read_text("task: binary\\ntask: binary", file="m.yaml").problems)
    m.yaml:2: task: is written twice, first in line 1
    """
    if len(text.encode("utf-8", "surrogatepass")) > BYTES_MAX:
        return _unreadable(file, f"is larger than {BYTES_MAX >> 20} MiB")
    builder = _ValueBuilder(file)
    value: JsonValue = None
    try:
        value = builder.document(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        builder.problems.append(Mistake(file=file, line=line, key="", message=_syntax(error)))
    except yaml.YAMLError as error:  # the reader's: a character that YAML does not admit
        message = f"is not YAML: {' '.join(str(error).split())}"
        builder.problems.append(Mistake(file=file, line=0, key="", message=message))
    except _StopError as stop:
        builder.problems.append(stop.problem)
    source = Source(file=file, lines=builder.lines)
    return Document(value=value, source=source, problems=tuple(builder.problems))


def _unreadable(file: str, message: str, *, line: int = 0) -> Document:
    problem = Mistake(file=file, line=line, key="", message=message)
    return Document(value=None, source=Source(file=file), problems=(problem,))


def _syntax(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    hint = " (use spaces instead of tabs)" if "'\\t'" in str(error.problem) else ""
    return f"is not YAML: {', '.join(parts)}{hint}"


class _StopError(Exception):
    """Reading cannot go on; carries the last problem."""

    def __init__(self, problem: Mistake) -> None:
        super().__init__(str(problem))
        self.problem = problem


class _ValueBuilder:
    """Turns parser events into values; one event at a time, so that a hostile text ends early."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[str, int] = {}
        self.problems: list[Mistake] = []
        self._nodes = 0
        self._anchors: dict[str, tuple[JsonValue, int]] = {}

    def document(self, events: Iterator[yaml.Event]) -> JsonValue:
        self._events = events
        value: JsonValue = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                value = self._value(next(events), ())
                break
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._problem(event, (), "holds more than one document; only one is read")
                break
        return value

    def _value(self, event: yaml.Event, path: KeyPath) -> JsonValue:
        if len(path) > DEPTH_MAX:
            raise self._stop(event, path[:3], f"is nested deeper than {DEPTH_MAX} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        before = self._nodes
        self._count(event, path, 1)
        tag, anchor = getattr(event, "tag", None), getattr(event, "anchor", None)
        if tag is not None:
            self._problem(event, path, f"tags such as {tag} are not read: leave it out")
        value = self._untagged(event, path)
        if anchor is not None:
            self._anchors[anchor] = (value, self._nodes - before)
        return value

    def _untagged(self, event: yaml.Event, path: KeyPath) -> JsonValue:
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(path)
        assert isinstance(event, yaml.ScalarEvent)
        return self._scalar(event, path)

    def _alias(self, event: yaml.AliasEvent, path: KeyPath) -> JsonValue:
        if event.anchor not in self._anchors:
            self._problem(event, path, f"*{event.anchor} is named before &{event.anchor} is set")
            return None
        value, nodes = self._anchors[event.anchor]
        self._count(event, path, nodes)
        return value

    def _sequence(self, path: KeyPath) -> JsonValue:
        items: list[JsonValue] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            here = (*path, len(items))
            self._mark(event, here)
            items.append(self._value(event, here))
        return items

    def _mapping(self, path: KeyPath) -> JsonValue:
        mapping: dict[str, JsonValue] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event, path)
            here = (*path, key)
            if key in mapping:
                same = next(each for each in mapping if each == key)  # 1 and true are equal
                first = self.lines[key_of((*path, same))]
                self._problem(event, here, f"is written twice, first in line {first}")
            else:
                self._mark(event, here)
            mapping[key] = self._value(next(self._events), here)
        return mapping

    def _key(self, event: yaml.Event, path: KeyPath) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._stop(event, path, "a key must be a plain word, not a list or a mapping")
        # Nearly always a string. River takes {false: 0.4, true: 0.6} where an argument is keyed
        # by class, so the others are kept as they are; the schema refuses them elsewhere.
        return cast("str", self._value(event, path))

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> JsonValue:
        text = self._text(event, path)
        if event.style is not None:  # quoted or a block: a string, whatever it looks like
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            return self._int(event, path)
        if _FLOAT.fullmatch(text) and math.isfinite(value := float(text)):
            return value
        if _FLOAT.fullmatch(text) or _ODD_FLOAT.fullmatch(text):
            self._problem(event, path, f"numbers must be finite, not {text[:40]}")
        return text

    def _text(self, event: yaml.ScalarEvent, path: KeyPath) -> str:
        """JSON writes characters beyond 65,535 as two escapes; YAML leaves the two apart."""
        try:
            text = event.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            self._problem(event, path, "holds a null character, or half of a character")
        return text

    def _int(self, event: yaml.ScalarEvent, path: KeyPath) -> int:
        if len(event.value) > _PYTHON_DIGITS_MAX:
            self._problem(event, path, f"the number {event.value[:10]}… has too many digits")
            return 0
        return int(event.value, {"0o": 8, "0x": 16}.get(event.value[:2], 10))

    def _mark(self, event: yaml.Event, path: KeyPath) -> None:
        self.lines[key_of(path)] = _line(event)

    def _count(self, event: yaml.Event, path: KeyPath, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > NODES_MAX:
            raise self._stop(event, path[:3], f"holds more than {NODES_MAX:,} values")

    def _problem(self, event: yaml.Event, path: KeyPath, message: str) -> None:
        if len(self.problems) == PROBLEMS_MAX:
            raise self._stop(event, (), "has more problems than are listed here")
        self.problems.append(self._stop(event, path, message).problem)

    def _stop(self, event: yaml.Event, path: KeyPath, message: str) -> _StopError:
        key = key_of(path)
        return _StopError(Mistake(file=self.file, line=_line(event), key=key, message=message))


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0
