"""The bodies of commands: one a command, with the fields that it takes and no other."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.http.paging import VERSION
from checkpoints.operating.order import REASON_MAX, TAG

# A reason of spaces is none.
Reason = Annotated[str, Field(max_length=REASON_MAX, pattern=r"\S")]
Version = Annotated[str, Field(pattern=VERSION)]
TagName = Annotated[str, Field(pattern=f"^{TAG}$")]
Target = Annotated[str, Field(pattern=r"^(v[1-9][0-9]{0,14}|" + TAG + ")$")]


class OrderBody(BaseModel):
    """What every command takes. `reason` goes to the audit; `expect` refuses the command when
    another has changed the model since that version."""

    model_config = ConfigDict(extra="forbid", strict=True, regex_engine="python-re")

    reason: Reason
    expect: Version | None = None
    dry_run: bool = False


class WholeModel(OrderBody):
    """About the whole model: it names no version."""


class Pin(OrderBody):
    """`to`: the version to serve, or a tag that it has."""

    to: Target


class RollbackBody(Pin):
    """`mode` forget serves `to` and forgets what came after it. Rewinding, and leaving events out
    of it by `skip`, come with a later release."""

    mode: Literal["forget", "rewind"]
    skip: tuple[str, ...] = Field(default=(), strict=False)


class Tag(OrderBody):
    """`tag`: the name that `to`, or what is being served, is given."""

    tag: TagName
    to: Target | None = None


BODIES: dict[str, type[OrderBody]] = {
    "rollback": RollbackBody,
    "pin": Pin,
    "unpin": WholeModel,
    "freeze": WholeModel,
    "thaw": WholeModel,
    "tag": Tag,
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "rollback": {"to": "v1", "mode": "forget", "reason": "bad labels since noon"},
    "pin": {"to": "v1", "reason": "audit under way"},
    "unpin": {"reason": "audit done"},
    "freeze": {"reason": "the labels look wrong"},
    "thaw": {"reason": "the labels are mended"},
    "tag": {"to": "v1", "tag": "stable", "reason": "good all week"},
}
