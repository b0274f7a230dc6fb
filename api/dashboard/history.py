"""How the scores came to be what they are, out of the head's history."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BeforeValidator

from api.http.lines import Line
from api.http.paging import asked_ms, digits
from api.http.threads import Threads
from api.openapi import seen
from api.openapi.details import Json, told
from api.openapi.problem_examples import NOT_READY
from api.serving.served import ServedLine
from checkpoints.reading.reader import LineReader
from checkpoints.reading.views import timestamp
from checkpoints.records.manifest import Manifest, Version
from checkpoints.records.signing import Verifier
from checkpoints.stores.contract import Store
from learner.events.times import RFC_3339, is_rfc3339
from learner.history.reading import Row, by_score, is_of_history, rows_of, thinned

_POINTS_USUAL, _POINTS_MAX = 500, 1000
_EVENTS = "[0-9]{1,15}"


def _start(text: str | None) -> str | None:
    """Refuse what is neither a number of events nor a time."""
    if text is None or (text.isascii() and text.isdigit() and len(text) <= 15) or is_rfc3339(text):
        return text
    raise ValueError(
        f"{text[:40]!r} is neither a number of learned events nor a time (RFC 3339), such as "
        "2026-11-20T12:00:00Z"
    )


StartAsked = Annotated[
    str | None,
    Query(
        alias="from",
        description="Points from here on: so many learned events, or a time (RFC 3339).",
        json_schema_extra={"pattern": f"^({_EVENTS}|{RFC_3339})$"},
    ),
    AfterValidator(_start),
]
PointsAsked = Annotated[
    int,
    Query(ge=1, le=_POINTS_MAX, description="How many at most, evenly from all that are kept."),
    BeforeValidator(digits),
]


class Histories:
    """Answers for the history of each model.

    Args:
        store: Where versions are.
        verifier: Whose records are believed.
        threads: Where the store is waited for.
    """

    def __init__(self, store: Store, verifier: Verifier, threads: Threads) -> None:
        self._store, self._verifier, self._threads = store, verifier, threads
        # Of each model what its head has, by the hash: most of it is the next one's, too.
        self._segments: dict[str, dict[str, bytes]] = {}

    async def history(
        self, line: Line, start: StartAsked = None, points: PointsAsked = _POINTS_USUAL
    ) -> Json:
        """Points of the head's history."""
        head = line.known().head
        assert head is not None  # `known` has seen to it
        rows = rows_of(await self._threads.run(self._of_head, line, head))
        return Json(_view(head.manifest, thinned(_from(rows, start), points)))

    def _of_head(self, line: ServedLine, head: Version) -> dict[str, bytes]:
        """The segments by name; those that the head before it had are not read again."""
        held = self._segments.get(line.name, {})
        refs = {
            name: ref.sha256 for name, ref in head.manifest.segments.items() if is_of_history(name)
        }
        missing = [name for name, sha256 in refs.items() if sha256 not in held]
        reader = LineReader(self._store, self._verifier, line.line)
        read = reader.load_segments(head, missing) if missing else {}
        found = {name: read[name] if name in read else held[it] for name, it in refs.items()}
        self._segments[line.name] = {sha256: found[name] for name, sha256 in refs.items()}
        return found

    def add_to(self, router: APIRouter) -> None:
        """The route."""
        router.get(
            "/v1/models/{model}/history",
            operation_id="getHistory",
            summary="The scores over the model's life",
            description="Columns of numbers, oldest first. A point is made by the learner after "
            "so many events, and is the same in a version that is rebuilt. After a rollback it is "
            "the history of the version that was gone back to.",
            response_model=seen.HistoryView,
            responses=told(_EXAMPLE, NOT_READY),
        )(self.history)


def _from(rows: list[Row], start: str | None) -> list[Row]:
    if start is None:
        return rows
    column = "learned" if start.isdigit() else "at_ms"
    least = int(start) if start.isdigit() else asked_ms(start)
    return [row for row in rows if (row[column] or 0) >= least]


def _view(manifest: Manifest, rows: list[Row]) -> dict[str, Any]:
    counts = {name: [int(row[name] or 0) for row in rows] for name in ("learned", "scored")}
    return {
        "version": manifest.name,
        **counts,
        "at": [timestamp(int(row["at_ms"] or 0)) for row in rows],
        "metrics": by_score(rows, manifest.metrics),
    }


_EXAMPLE: dict[str, Any] = {
    "version": "v17",
    "learned": [1000, 1125],
    "scored": [1000, 1125],
    "at": ["2026-11-20T11:59:40.000Z", "2026-11-20T12:00:00.000Z"],
    "metrics": {
        "Accuracy": {
            "lifetime": [0.88, 0.89], "rolling": [0.9, 0.91], "fading": [0.89, 0.9],
            "no_change": [0.52, 0.52], "majority": [0.55, 0.56],
        }
    },
}  # fmt: skip
