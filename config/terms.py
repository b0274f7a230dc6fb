"""The smallest parts of a model file: names, labels, components, numbers, each with its rule."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, PlainValidator

from config.text.durations import duration_s
from config.text.messages import wrong
from config.text.sizes import size_bytes

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}")
# Kafka's own rule for topic names, with room for `dlq.` in front of it.
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,245}")
_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
# Modules that run commands or code for whoever asks: with one of them trusted, the signature
# would be the only thing between a checkpoint and the machine.
_NEVER_TRUSTED = frozenset(
    {"builtins", "code", "codeop", "ctypes", "importlib", "marshal", "nt", "operator", "os"}
    | {"pickle", "posix", "pty", "runpy", "shutil", "socket", "subprocess", "sys", "types"}
)


def is_model_name(name: object) -> bool:
    """Whether a model can be called so: its topics are named after it."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def is_dotted_name(name: object) -> bool:
    """Whether it reads as Python's `module.Name`."""
    return isinstance(name, str) and _DOTTED.fullmatch(name) is not None


def _name(name: str) -> str:
    if not is_model_name(name):
        raise wrong(
            "must be 1 to 100 letters, digits, dots, dashes or underscores, the first a letter "
            f"or a digit (topics are named after it), not {name[:60]!r}"
        )
    return name


def _topic(topic: str) -> str:
    if topic in {".", ".."} or not _TOPIC.fullmatch(topic):
        raise wrong(
            "must be a Kafka topic: 1 to 245 letters, digits, dots, dashes or underscores, "
            f"not {topic[:60]!r}"
        )
    return topic


def _label(value: object) -> bool | int | str:
    if isinstance(value, bool | int | str):
        return value
    raise wrong(f"must be text, a whole number, true or false, not {value!r}")


def _missing_word(value: object) -> str:
    """A text that means absent. YAML's own null, written without quotes, is the text null."""
    if value is None:
        return "null"
    if not isinstance(value, str):
        raise wrong(f'must list texts, so write "{str(value).lower()}" in quotes')
    return value


def _module(name: str) -> str:
    if not is_dotted_name(name):
        raise wrong(f"must name a module, such as my_package, not {name[:60]!r}")
    if name.partition(".")[0] in _NEVER_TRUSTED:
        raise wrong(f"{name} can run any command: it is never trusted")
    return name


def _component(value: JsonValue) -> JsonValue:
    """A component's shape: a name, or one name with its arguments."""
    if isinstance(value, str):
        return _component_name(value)
    if not isinstance(value, dict) or len(value) != 1:
        raise wrong(
            "must be a name, or one name with its arguments, "
            "such as  linear_model.LogisticRegression: {l2: 0.1}"
        )
    ((name, arguments),) = value.items()
    _component_name(name)
    if not isinstance(arguments, dict | list):
        raise wrong(
            f"{name}: arguments are a mapping {{l2: 0.1}} (by keyword) or a list [0.1] "
            "(by position); without arguments leave out the colon"
        )
    return value


def _component_name(name: object) -> str:
    shown = str(name)[:60]
    if "(" in shown or "|" in shown:
        raise wrong(
            "looks like Python: list the components one by one, each with its arguments "
            "as a mapping, such as  linear_model.LogisticRegression: {l2: 0.1}"
        )
    if not is_dotted_name(name):
        raise wrong(
            "must be a name as in River's documentation, such as "
            f"preprocessing.StandardScaler, not {shown!r}"
        )
    return str(name)


def _whole(value: object) -> object:
    """1e6 is a whole number to whoever writes it, a float to YAML."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Name = Annotated[str, AfterValidator(_name)]
Topic = Annotated[str, AfterValidator(_topic)]
Label = Annotated[bool | int | str, PlainValidator(_label)]
MissingWord = Annotated[str, PlainValidator(_missing_word)]
Module = Annotated[str, AfterValidator(_module)]
Component = Annotated[JsonValue, PlainValidator(_component)]
Text = Annotated[str, Field(min_length=1)]
Count = Annotated[int, BeforeValidator(_whole), Field(ge=1)]
CountOrNone = Annotated[int, BeforeValidator(_whole), Field(ge=0)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Size = Annotated[int, BeforeValidator(size_bytes)]
Duration = Annotated[float, BeforeValidator(duration_s)]
