"""What pydantic finds, said plainly: one sentence a mistake, with the nearest right name."""

import typing
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel
from pydantic_core import ErrorDetails, PydanticCustomError

from config.text.nearest import did_you_mean
from config.text.values import shown

_PLAIN = {
    "missing": "is missing",
    "string_type": "must be text (put it in quotes), not {input}",
    "int_type": "must be a whole number, not {input}",
    "int_parsing": "must be a whole number, not {input}",
    "int_from_float": "must be a whole number, not {input}",
    "float_type": "must be a number, not {input}",
    "float_parsing": "must be a number, not {input}",
    "finite_number": "must be a finite number, not {input}",
    "bool_type": "must be true or false, not {input}",
    "bool_parsing": "must be true or false, not {input}",
    "tuple_type": "must be a list, not {input}",
    "list_type": "must be a list, not {input}",
    "dict_type": "must be a mapping (key: value), not {input}",
    "model_type": "must be a mapping (key: value), not {input}",
    "greater_than": "must be greater than {gt:g}, not {input}",
    "greater_than_equal": "must be {ge:g} or more, not {input}",
    "less_than": "must be less than {lt:g}, not {input}",
    "less_than_equal": "must be {le:g} or less, not {input}",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "literal_error": "must be {expected}, not {input}",
}


def wrong(message: str) -> PydanticCustomError:
    """What a validator raises: `message` reaches the user as it is."""
    return PydanticCustomError("weir", "{message}", {"message": message})


def place_of(error: ErrorDetails) -> tuple[str | int, ...]:
    """Path of the value that an error is about; pydantic marks a mapping's key at its end."""
    path = error["loc"]
    return path[:-1] if path and path[-1] == "[key]" else path


def plain_message(error: ErrorDetails, schema: type[BaseModel]) -> str:
    """One of pydantic's errors about `schema` as a plain sentence, without a full stop."""
    path = place_of(error)
    if error["type"] == "extra_forbidden":
        return "is not a key that is known here" + _meant(str(path[-1]), schema, path)
    if error["type"] in {"weir", "value_error"}:
        return error["msg"].removeprefix("Value error, ")
    template = _PLAIN.get(error["type"])
    if template is None:
        return error["msg"][:1].lower() + error["msg"][1:]
    message = template.format(**{**error.get("ctx", {}), "input": shown(error["input"])})
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        message += did_you_mean(error["input"], _choices(schema, path))
    return message


def _meant(key: str, schema: type[BaseModel], path: Sequence[str | int]) -> str:
    """The key beside it that was meant, else one in another section."""
    return did_you_mean(key, keys(schema, path)) or did_you_mean(key, _all_keys(schema))


def _all_keys(schema: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in schema.model_fields.items():
        yield above + name
        kind = _without_none(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _all_keys(kind, f"{above}{name}.")


def keys(schema: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """The keys that are right beside the last one of `path`."""
    model = model_at(schema, path[:-1])
    return list(model.model_fields) if model else []


def model_at(schema: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel] | None:
    """The section of `schema` that `path` leads to, if it is one."""
    found = _type_at(schema, path)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _choices(schema: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    return [str(choice) for choice in typing.get_args(_type_at(schema, path))]


def _type_at(schema: type[BaseModel], path: Sequence[str | int]) -> object:
    kind: object = schema
    for part in path:
        kind = _inside(kind, part)
    return _without_none(kind)


def _inside(kind: object, part: str | int) -> object:
    """The type of what `part` names within a value of type `kind`."""
    kind = _without_none(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(str(part))
        return field.annotation if field else None
    arguments = typing.get_args(kind)
    if isinstance(typing.get_origin(kind), type) and arguments:
        mapping = issubclass(typing.get_origin(kind) or object, Mapping)
        return arguments[1] if mapping else arguments[0]
    return None


def _without_none(kind: object) -> object:
    if typing.get_origin(kind) is typing.Annotated:
        return _without_none(typing.get_args(kind)[0])
    others = [each for each in typing.get_args(kind) if each is not type(None)]
    optional = type(None) in typing.get_args(kind) and len(others) == 1
    return _without_none(others[0]) if optional else kind
