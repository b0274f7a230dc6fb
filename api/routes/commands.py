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
from api.openapi.problem_examples import BAD_ORDER, CHANGED, NO_STORE, NO_VERSION
from api.routes.command_bodies import OrderBody, body_of
from api.serving.served import ServedLine
from checkpoints.errors import BadCommand, Conflict
from checkpoints.operating.operator import Operator, Order
from checkpoints.operating.verbs import AT_BOTH_DOORS, Verb
from checkpoints.reading.going_back import AskLog
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
        ask_log: Whether Kafka has what a rewind is to replay; None: the learner finds out.
    """

    def __init__(
        self, store: Store, keys: Keys, threads: Threads, ask_log: AskLog | None = None
    ) -> None:
        self._store, self._keys, self._threads = store, keys, threads
        self._ask_log = ask_log

    async def order(
        self, line: ServedLine, verb: Verb, body: OrderBody, who: str, key: str | None
    ) -> Json:
        """Carry out the command and answer when it is in force.

        Raises:
            HttpProblem: 422: the body.
            CheckpointError: Whatever the command meets; `api.http.problem` knows its status.
        """
        operator = Operator(
            self._store, self._keys.signer("operator"), self._keys.verifier, who=who,
            ask_log=self._ask_log,
        )  # fmt: skip
        try:
            order = Order(command=verb.name, **body.model_dump())
            answer = await self._threads.run(operator.run, line.line, order, idempotency_key=key)
        except BadCommand as error:
            pointer = f"/{error.field}"
            raise HttpProblem(422, "bad_value", str(error), pointer=pointer) from error
        except Conflict as error:
            if key is not None and "Idempotency-Key" in error.what:
                pointer = "/Idempotency-Key"
                raise HttpProblem(422, "conflict", str(error), pointer=pointer) from error
            raise
        return Json(answer)

    def add_to(self, router: APIRouter) -> None:
        """A route for each command."""
        for verb in AT_BOTH_DOORS:
            router.post(
                f"/v1/models/{{model}}/{verb.name}",
                operation_id=verb.name,
                summary=verb.summary,
                description="Answers when it is in force. `dry_run` says what would happen and "
                "changes nothing; `changed` is false where the order stood already; `expect` "
                "refuses it if another command has changed the model since.",
                response_model=answers.CommandAnswer,
                responses=told(
                    _example(verb), NO_VERSION, CHANGED, BAD_ORDER, NO_STORE,
                    links=_TO_AUDIT,
                ),
            )(self._handler(verb))  # fmt: skip

    def _handler(self, verb: Verb) -> Callable[..., Coroutine[Any, Any, Json]]:
        kind, usual = body_of(verb), {"usual": {"value": dict(verb.example)}}

        async def handle(
            line: Line,
            body: Annotated[kind, Body(openapi_examples=usual)],  # type: ignore[valid-type]
            who: Who,
            key: IdempotencyKey = None,
        ) -> Json:
            return await self.order(line, verb, body, who, key)

        return handle


def _example(verb: Verb) -> dict[str, Any]:
    made = "v18" if verb.makes_version else None
    return {
        "command_id": "6f1d" * 8,
        "command": verb.name,
        "from": "v17",
        "to": verb.example.get("to"),
        "version": made,
        "serving": made or "v17",
        "forgotten": 512 if made else 0,
        "replayed": 0,
        "changed": True,
        "dry_run": False,
        **({"mode": verb.example["mode"]} if "mode" in verb.takes else {}),
        **({"tag": verb.example["tag"]} if "tag" in verb.takes else {}),
    }
