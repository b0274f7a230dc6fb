"""Sections of settings: Structs, whose annotations say how each value is read.

A field is a section itself, or a setting: `Annotated[type, reader]`, or a type that says by itself
how it is read. A field whose name begins with an underscore is no setting.
"""

import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, TypeGuard, TypeVar

from msgspec import Struct

from config.errors import Mistake
from config.text.nearest import did_you_mean
from config.text.values import Reader, Secret, file_path, flag, one_of, secret, shown, text

__all__ = ["Given", "KeyPath", "paths_of", "read_sections"]

T = TypeVar("T")
KeyPath = tuple[str, ...]

_READERS: Mapping[object, Reader] = {str: text, bool: flag, Path: file_path, Secret: secret}


class Given(Struct, frozen=True, kw_only=True):
    """What one source gives.

    Attributes:
        values: Of one section, by name.
        mistake: Tells a mistake, given the path of its key and what is wrong.
    """

    values: Mapping[str, object]
    mistake: Callable[[KeyPath, str], Mistake]


def paths_of(schema: type, above: KeyPath = ()) -> Iterator[KeyPath]:
    """The settings of a section, those of the sections within it among them."""
    for name, kind in _kinds(schema).items():
        here = (*above, name)
        yield from paths_of(kind, here) if _is_section(kind) else [here]


def read_sections(schema: type[T], sources: Sequence[Given]) -> tuple[T, list[Mistake]]:
    """What `sources` give of `schema`, the first before the others, and every mistake in them.

    A value that is wrong is left out.
    """
    reading = _Reading(schema)
    return reading.section(schema, sources, ()), reading.problems


class _Reading:
    """Reads section by section, and keeps the mistakes.

    Args:
        schema: All the sections, for the names that may have been meant.
    """

    def __init__(self, schema: type) -> None:
        self.problems: list[Mistake] = []
        self._names = [".".join(path) for path in paths_of(schema)]

    def section(self, schema: type[T], sources: Sequence[Given], above: KeyPath) -> T:
        kinds, values = _kinds(schema), dict[str, Any]()
        for source in sources:
            for key in map(str, source.values.keys() - kinds.keys()):
                self.problems.append(source.mistake((*above, key), self._unknown(key, kinds)))
        for name, kind in kinds.items():
            here = (*above, name)
            givers = [source for source in sources if name in source.values]
            if _is_section(kind):
                values[name] = self.section(kind, self._inner(givers, here), here)
            elif givers:
                try:
                    values[name] = _reader_of(kind)(givers[0].values[name])
                except ValueError as error:
                    self.problems.append(givers[0].mistake(here, str(error)))
        return schema(**values)

    def _inner(self, givers: Sequence[Given], here: KeyPath) -> list[Given]:
        """What the sources give of the section at `here`."""
        found = []
        for source in givers:
            values = source.values[here[-1]]
            if isinstance(values, Mapping):
                found.append(Given(values=values, mistake=source.mistake))
            else:
                message = f"must be a mapping (key: value), not {shown(values)}"
                self.problems.append(source.mistake(here, message))
        return found

    def _unknown(self, key: str, beside: Iterable[str]) -> str:
        """That there is no such key, and the one that was meant: beside it, or in any section."""
        meant = did_you_mean(key, beside) or did_you_mean(key, self._names)
        return f"is not a key that is known here{meant}"


def _kinds(schema: type) -> dict[str, Any]:
    """What each field of a section is."""
    return {name: kind for name, kind in schema.__annotations__.items() if name[0] != "_"}


def _is_section(kind: object) -> TypeGuard[type]:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _reader_of(kind: Any) -> Reader:
    if typing.get_origin(kind) is typing.Annotated:
        return typing.cast("Reader", kind.__metadata__[0])
    if typing.get_origin(kind) is typing.Literal:
        return one_of(*typing.get_args(kind))
    others = [each for each in typing.get_args(kind) if each is not NoneType]
    return _reader_of(others[0]) if others else _READERS[kind]
