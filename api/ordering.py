"""Operators' commands by HTTP: the same `Operator` as behind the command line."""

from functools import partial
from typing import Any

from api import answers
from api.bodies import CommandBody, decoder
from api.operation import Call, Operation, Parameter, json_answer
from api.problem import Answer, Problem
from api.served import Served
from api.threads import Threads
from checkpoints.commands import Operator, Order, Unsupported
from checkpoints.errors import BadCommand, Conflict
from checkpoints.signing import Keys
from checkpoints.store import Store

_KEY_BYTES_MAX = 255
_decode = decoder(CommandBody)

_IDEMPOTENCY = Parameter(
    name="Idempotency-Key",
    place="header",
    what="Given again within 24 hours, nothing is done and the first answer is repeated; with "
    "another command it is refused (422).",
)
_SUMMARIES = {
    "rollback": "Go back to a version, and forget what was learned after it",
    "pin": "Serve one version, whatever is learned beside it",
    "unpin": "Serve the newest version again",
    "freeze": "Stop learning; go on serving",
    "thaw": "Learn on from where it stopped",
    "tag": "Give a version a name, which also keeps it",
}
_BODIES: dict[str, dict[str, Any]] = {
    "rollback": {"to": "v1", "mode": "forget", "reason": "bad labels since noon"},
    "pin": {"to": "v1", "reason": "audit under way"},
    "unpin": {"reason": "audit done"},
    "freeze": {"reason": "the labels look wrong"},
    "thaw": {"reason": "the labels are mended"},
    "tag": {"to": "v1", "tag": "stable", "reason": "good all week"},
}
# What a refusal of `Order` is about, by a word in it.
_FIELDS = ("reason", "skip", "mode", "tag", "expect")


class Ordering:
    """Answers the commands.

    Args:
        served: The models.
        store: Where commands are written.
        keys: Commands need the operator's.
        threads: Where the store is waited for.
    """

    def __init__(self, served: Served, store: Store, keys: Keys, threads: Threads) -> None:
        self._served, self._store, self._keys, self._threads = served, store, keys, threads

    async def order(self, command: str, call: Call) -> Answer:
        """Carry out `command` and answer when it is in force.

        Raises:
            Problem: 422: the body; 501: a rewind.
            CheckpointError: Whatever the command meets; `api.problem` knows its status.
        """
        line = self._served.line(call.path["model"]).line
        order = _order(command, _decode(call.body))
        key = _idempotency_key(call)
        signer = self._keys.signer("operator")
        operator = Operator(self._store, signer, self._keys.verifier, who=call.who)
        try:
            body = await self._threads.run(operator.run, line, order, idempotency_key=key)
        except BadCommand as error:
            raise _bad(error) from error
        except Conflict as error:
            if key is not None and "Idempotency-Key" in error.what:
                pointer = "/Idempotency-Key"
                raise Problem(422, "conflict", str(error), pointer=pointer) from error
            raise
        return json_answer(body)

    def operations(self) -> list[Operation]:
        """The routes and their descriptions."""
        return [self._operation(command) for command in _SUMMARIES]

    def _operation(self, command: str) -> Operation:
        changes_model = command == "rollback"
        example = {
            "command_id": "6f1d" * 8,
            "command": command,
            "from": "v17",
            "to": _BODIES[command].get("to"),
            "version": "v18" if changes_model else None,
            "serving": "v18" if changes_model else "v17",
            "forgotten": 512 if changes_model else 0,
            "replayed": 0,
            "changed": True,
            "dry_run": False,
            **({"tag": _BODIES[command]["tag"]} if command == "tag" else {}),
        }
        return Operation(
            id=command,
            method="POST",
            path=f"/v1/models/{{model}}/{command}",
            tag="operators",
            summary=_SUMMARIES[command],
            what="Answers when it is in force. `dry_run` says what would happen and changes "
            "nothing; `changed` is false where the order stood already; `expect` refuses it if "
            "another command has changed the model since.",
            scope="operate",
            answer=partial(self.order, command),
            body=CommandBody,
            bodies={"usual": _BODIES[command]},
            result=answers.CommandAnswer,
            example=example,
            parameters=(_IDEMPOTENCY,),
            problems=(400, 403, 404, 409, 413, 415, 422, 503) + ((501,) if changes_model else ()),
        )


def _order(command: str, body: CommandBody) -> Order:
    try:
        return Order(
            command=command,
            reason=body.reason,
            to=body.to,
            mode=body.mode,
            skip=body.skip,
            tag=body.tag,
            expect=body.expect,
            dry_run=body.dry_run,
        )
    except Unsupported:
        raise
    except BadCommand as error:
        raise _bad(error) from error


def _bad(error: BadCommand) -> Exception:
    """The command's own refusal, with the field it is about."""
    if isinstance(error, Unsupported):
        return error
    field = next((name for name in _FIELDS if name in error.what), "to")
    return Problem(422, "bad_value", str(error), pointer=f"/{field}")


def _idempotency_key(call: Call) -> str | None:
    given = call.headers.get(b"idempotency-key")
    if given is None:
        return None
    key = given.decode("latin-1").strip()
    if not key or len(key) > _KEY_BYTES_MAX:
        detail = f"Idempotency-Key must have 1 to {_KEY_BYTES_MAX} characters"
        raise Problem(400, "bad_request", detail, pointer="/Idempotency-Key")
    return key
