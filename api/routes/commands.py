"""Operators' commands by HTTP: the same `Operator` as behind the command line."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header

from api.http.guard import Who
from api.http.lines import Line
from api.http.problem import HttpProblem
from api.http.threads import Threads
from api.openapi import answers
from api.openapi.details import Json, told
from api.openapi.problem_examples import (
    BAD_ORDER,
    CHANGED,
    NO_REWIND,
    NO_STORE,
    NO_VERSION,
    NOT_JSON,
    NOT_JSON_MEDIA,
    TOO_LARGE,
)
from api.routes.command_bodies import BODIES, EXAMPLES, OrderBody
from api.serving.served import ServedLine
from checkpoints.errors import BadCommand, Conflict
from checkpoints.operating.operator import Operator, Order, Unsupported
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern="^[!-~]([ -~]{0,253}[!-~])?$",
        description="Given again within 24 hours, nothing is done and the first answer is "
        "repeated; with another command it is refused (422).",
    ),
]
_SUMMARIES = {
    "rollback": "Go back to a version, and forget what was learned after it",
    "pin": "Serve one version, whatever is learned beside it",
    "unpin": "Serve the newest version again",
    "freeze": "Stop learning; go on serving",
    "thaw": "Learn on from where it stopped",
    "tag": "Give a version a name, which also keeps it",
}
# What a refusal of `Order` is about, by a word in it.
_FIELDS = ("reason", "skip", "mode", "tag", "expect")
_TO_AUDIT = {
    "listAudit": {"operationId": "listAudit", "parameters": {"model": "$request.path.model"}},
    "getModel": {"operationId": "getModel", "parameters": {"model": "$request.path.model"}},
}


class Ordering:
    """Answers the commands.

    Args:
        store: Where commands are written.
        keys: Commands need the operator's.
        threads: Where the store is waited for.
    """

    def __init__(self, store: Store, keys: Keys, threads: Threads) -> None:
        self._store, self._keys, self._threads = store, keys, threads

    async def order(
        self, line: ServedLine, command: str, body: OrderBody, who: str, key: str | None
    ) -> Json:
        """Carry out `command` and answer when it is in force.

        Raises:
            HttpProblem: 422: the body; 501: a rewind.
            CheckpointError: Whatever the command meets; `api.http.problem` knows its status.
        """
        operator = Operator(
            self._store, self._keys.signer("operator"), self._keys.verifier, who=who
        )
        try:
            order = Order(command=command, **body.model_dump())
            answer = await self._threads.run(operator.run, line.line, order, idempotency_key=key)
        except BadCommand as error:
            raise _bad(error) from error
        except Conflict as error:
            if key is not None and "Idempotency-Key" in error.what:
                pointer = "/Idempotency-Key"
                raise HttpProblem(422, "conflict", str(error), pointer=pointer) from error
            raise
        return Json(answer)

    def add_to(self, router: APIRouter) -> None:
        """A route for each command."""
        for command, kind in BODIES.items():
            router.post(
                f"/v1/models/{{model}}/{command}",
                operation_id=command,
                summary=_SUMMARIES[command],
                description="Answers when it is in force. `dry_run` says what would happen and "
                "changes nothing; `changed` is false where the order stood already; `expect` "
                "refuses it if another command has changed the model since.",
                response_model=answers.CommandAnswer,
                responses=told(
                    _example(command),
                    NOT_JSON, NO_VERSION, CHANGED, TOO_LARGE, NOT_JSON_MEDIA, BAD_ORDER, NO_STORE,
                    *((NO_REWIND,) if command == "rollback" else ()),
                    links=_TO_AUDIT,
                ),
            )(self._handler(command, kind))  # fmt: skip

    def _handler(
        self, command: str, kind: type[OrderBody]
    ) -> Callable[..., Coroutine[Any, Any, Json]]:
        usual = {"usual": {"value": EXAMPLES[command]}}

        async def handle(
            line: Line,
            body: Annotated[kind, Body(openapi_examples=usual)],  # type: ignore[valid-type]
            who: Who,
            key: IdempotencyKey = None,
        ) -> Json:
            return await self.order(line, command, body, who, key)

        return handle


def _example(command: str) -> dict[str, Any]:
    changes_model = command == "rollback"
    return {
        "command_id": "6f1d" * 8,
        "command": command,
        "from": "v17",
        "to": EXAMPLES[command].get("to"),
        "version": "v18" if changes_model else None,
        "serving": "v18" if changes_model else "v17",
        "forgotten": 512 if changes_model else 0,
        "replayed": 0,
        "changed": True,
        "dry_run": False,
        **({"tag": EXAMPLES[command]["tag"]} if command == "tag" else {}),
    }


def _bad(error: BadCommand) -> Exception:
    """The command's own refusal, with the field it is about."""
    if isinstance(error, Unsupported):
        return error
    field = next((name for name in _FIELDS if name in error.what), "to")
    return HttpProblem(422, "bad_value", str(error), pointer=f"/{field}")
