"""What a command is handed, and what it tells."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import Struct

from checkpoints.errors import CheckpointError
from checkpoints.operating.not_found import no_such_model
from checkpoints.reading.going_back import AskLog
from checkpoints.reading.reader import LineReader, LineState
from checkpoints.records.line import Line
from checkpoints.records.signing import Keys
from checkpoints.stores.contract import Store

Model = Annotated[str, typer.Argument(help="The model's name.", metavar="MODEL")]
DataDir = Annotated[Path | None, typer.Option(help="Of the `weir dev` to talk to.")]


class Connection(Struct, frozen=True, kw_only=True):
    """What a command needs: the store, the keys, and in whose name it speaks.

    Attributes:
        forget_group: Has the log forget how far a model's learner was; what came of it, in words.
        ask_log: Whether the log has what a rewind is to replay; None: not asked.
    """

    store: Store
    keys: Keys
    who: str
    forget_group: Callable[[str], str] = lambda _model: "not asked: no Kafka is given"
    ask_log: AskLog | None = None

    def reader(self, model: str) -> LineReader:
        """A reader of the model's line."""
        return LineReader(self.store, self.keys.verifier, line_of(model))

    def state(self, model: str) -> tuple[LineReader, LineState]:
        """The line's state, which must be beyond doubt.

        Raises:
            NoSuchModel: Nothing was ever committed.
            CheckpointError: Something there does not verify.
        """
        reader = self.reader(model)
        state = reader.checked()
        if state.head is None:
            raise no_such_model(self.store, line_of(model), state.learner)
        return reader, state

    def found(self, model: str) -> tuple[LineReader, LineState]:
        """As `state`, for those who look at what is damaged; says what is not believed.

        Raises:
            NoSuchModel: Nothing was ever committed.
        """
        reader = self.reader(model)
        state = reader.state()
        if state.head is None and not state.problems and not reader.listing(limit=1):
            raise no_such_model(self.store, line_of(model), state.learner)
        for problem in state.problems:
            typer.echo(f"weir: not believed: {problem}", err=True)
        return reader, state


class Told(Struct, frozen=True, kw_only=True):
    """What a command answers: the body of its route, and the same for people.

    Attributes:
        error: What the command ends with, once that is printed.
    """

    body: Any
    lines: Iterable[str]
    error: CheckpointError | None = None


def line_of(model: str) -> Line:
    """The line of a model that was named on the command line."""
    try:
        return Line(model)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="MODEL") from error
