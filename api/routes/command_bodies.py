"""The bodies of commands: one a command, with the fields that its row takes and no other."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from api.http.paging import VERSION
from checkpoints.operating.order import REASON_MAX, TAG
from checkpoints.operating.verbs import FIELDS, Verb
from checkpoints.records.skips import SKIP_CHARACTERS_MAX, SKIPS_MAX
from learner.events.times import RFC_3339

# A skip's form; that its spans do not end before they begin is checked with the order.
_SKIP = (
    r"^(id:[\s\S]+|source:[\s\S]+|time:[^/]+/[^/]+"
    r"|([A-Za-z0-9._-]{1,249}/)?[0-9]{1,9}:[0-9]{1,18}-[0-9]{1,18})$"
)
# What the fields hold; a reason of spaces is none.
_KINDS: dict[str, Any] = {
    "to": Annotated[str, Field(pattern=r"^(v[1-9][0-9]{0,14}|" + TAG + ")$")],
    "mode": Literal["forget", "rewind"],
    "tag": Annotated[str, Field(pattern=f"^{TAG}$")],
    "reason": Annotated[str, Field(max_length=REASON_MAX, pattern=r"\S")],
    "skip": Annotated[
        tuple[Annotated[str, Field(max_length=SKIP_CHARACTERS_MAX, pattern=_SKIP)], ...],
        Field(strict=False, max_length=SKIPS_MAX),
    ],
    "keep_serving": bool,
    "start": Annotated[str, Field(pattern=f"^(earliest|{RFC_3339})$")],
    "expect": Annotated[str, Field(pattern=VERSION)] | None,
    "dry_run": bool,
}
# What stands for a field that may be left out and is.
_LEFT_OUT: dict[str, Any] = {"skip": (), "keep_serving": False, "dry_run": False}


# What only a rewind may be given.
_OF_A_REWIND: dict[str, Any] = {"skip": {"minItems": 1}, "keep_serving": {"const": True}}


class OrderBody(BaseModel):
    """What every command takes."""

    model_config = ConfigDict(extra="forbid", strict=True, regex_engine="python-re")


class _WithSkip(OrderBody):
    """What is forgotten is not replayed, so that nothing is left out of it."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {
                    "not": {
                        "properties": {"mode": {"const": "forget"}, name: of_a_rewind},
                        "required": ["mode", name],
                    }
                }
                for name, of_a_rewind in _OF_A_REWIND.items()
            ]
        }
    )


def body_of(verb: Verb) -> type[OrderBody]:
    """The body of a command's route.

    >>> from checkpoints.operating.verbs import VERBS
    >>> list(body_of(VERBS["tag"]).model_fields)
    ['reason', 'expect', 'dry_run', 'tag', 'to']
    """
    fields: dict[str, Any] = {name: _field(name, verb) for name in verb.fields}
    title = f"{verb.name.title()}Body"
    base = _WithSkip if "skip" in verb.fields else OrderBody
    return create_model(title, __base__=base, __doc__=f"{verb.summary}.", **fields)


def _field(name: str, verb: Verb) -> tuple[Any, Any]:
    kind, about = _KINDS[name], FIELDS[name]
    if name in verb.needed:
        return kind, Field(description=about)
    usual = _LEFT_OUT.get(name)
    return (kind if usual is not None else kind | None), Field(usual, description=about)
