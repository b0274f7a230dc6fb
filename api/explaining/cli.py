"""`weir explain`, as it is typed. What is slow to load is imported when it runs."""

import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from checkpoints.operating.connection import Connection, DataDir, Model
from checkpoints.operating.tables import short, signed, table

if TYPE_CHECKING:
    from api.explaining.explained import ExplainRequest
    from api.serving.load import Loaded
    from checkpoints.reading.reader import LineReader
    from checkpoints.records.line import Line
    from config.model_file import ModelFile

Features = Annotated[
    str, typer.Option(help="As a request has them: a JSON object.", metavar="JSON")
]
AVersion = Annotated[
    str | None,
    typer.Argument(help="As in v17, or a tag; what is served.", metavar="[vN]", show_default=False),
]
HowAsked = Annotated[str, typer.Option(help="auto, exact, leave_one_out, shapley or shap.")]
Rounds = Annotated[
    int | None, typer.Option(help="Of asking, each against another event's values: 1 to 100.")
]
Top = Annotated[int | None, typer.Option(help="So many contributions, the largest.")]
Label = Annotated[str | None, typer.Option("--class", help="The class to explain, as answered.")]
Budget = Annotated[int, typer.Option(min=1, help="Milliseconds of the processor, for asking.")]
File = Annotated[
    Path | None,
    typer.Option(
        "--model", help="The model file, whose `trust:` may be loaded.", exists=True,
        dir_okay=False,
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="The answer as the route has it.")]
_BUDGET_MS = 1000  # nobody else waits for it here
_AS_ANSWERED = 1e-9  # nearer than this a sum is the answer


class ExplainWiring(Struct, frozen=True, kw_only=True):
    """What the program gives the command.

    Attributes:
        model: The line and the model file of a path.
        connect: The store, given a data directory and a model.
    """

    model: "Callable[[Path], tuple[Line, ModelFile]]"
    connect: Callable[[Path | None, str], Connection]


def explain_command(wired: ExplainWiring) -> Callable[..., None]:
    """The command `explain`."""

    def explain(
        model: Model,
        version: AVersion = None,
        *,
        features: Features,
        method: HowAsked = "auto",
        samples: Rounds = None,
        top: Top = None,
        label: Label = None,
        budget_ms: Budget = _BUDGET_MS,
        file: File = None,
        as_json: Json = False,
        data_dir: DataDir = None,
    ) -> None:
        """Say what a model answers to some features, and what each of them adds to that."""
        from api.http.problem import HttpProblem
        from config.processes.scratch import private_folder

        asked = {"method": method, "samples": samples, "top": top, "class": _label(label)}
        try:
            question = _question(features, {k: v for k, v in asked.items() if v is not None})
            trust = () if file is None else wired.model(file)[1].trust
            reader, state = wired.connect(data_dir, model).state(model)
            found = _version(reader, state, version)
            with private_folder(None) as scratch:
                loaded = _loaded(reader, found, trust, scratch)
                body = _answered(reader, loaded, question, budget_ms / 1000)
        except HttpProblem as problem:
            raise typer.BadParameter(str(problem)) from problem
        for line in [json.dumps(body, ensure_ascii=False)] if as_json else _lines(body):
            typer.echo(line)

    return explain


def _label(text: str | None) -> Any:
    """A class as answers name it: a number and true or false are read as JSON, the rest as text."""
    try:
        found = None if text is None else json.loads(text)
    except ValueError:
        return text
    return found if isinstance(found, bool | int | float | str) else text


def _question(features: str, asked: dict[str, Any]) -> "ExplainRequest":
    from api.explaining.explained import ExplainRequest
    from learner.explaining.with_shap import require_shap

    by_shap = asked["method"] == "shap"  # it takes too long for a server
    if by_shap:
        require_shap()
        asked = {**asked, "method": "shapley"}
    question = ExplainRequest(f'{{"features":{features},{json.dumps(asked)[1:]}'.encode())
    question.asked = replace(question.asked, method="shap") if by_shap else question.asked
    return question


def _version(reader: "LineReader", state: Any, name: str | None) -> Any:
    from checkpoints.operating.cli_reads import find_version

    if name is None and state.serving is None:
        raise typer.BadParameter("no version is served; name one", param_hint="[vN]")
    return state.serving if name is None else find_version(reader, state, name)


def _loaded(reader: "LineReader", version: Any, trust: tuple[str, ...], scratch: Path) -> "Loaded":
    from api.serving.load import load
    from config.model.of_sections import model_file_of

    sections = version.manifest.model_file
    return load(reader, version, model_file_of(sections, where=str(version), trust=trust), scratch)


def _answered(
    reader: "LineReader", loaded: "Loaded", question: "ExplainRequest", budget_s: float
) -> dict[str, Any]:
    """The body that the route would answer."""
    from api.explaining.backgrounds import Backgrounds
    from api.explaining.explained import begun, stepped, told
    from api.routes.predict import asked, facts

    body = asked(loaded, question.features, ("features",))
    body["prediction_id"] = secrets.token_hex(8)
    body |= facts(loaded, time.time_ns() // 1_000_000)
    explanation = begun(loaded, question)
    if not explanation.is_whole:
        rows = Backgrounds().fetched(reader, loaded.version)
        for _ in stepped(loaded, question, explanation, rows, budget_s):
            pass
    return {**body, "explanation": told(explanation)}


def _lines(body: dict[str, Any]) -> Iterator[str]:
    """The same for people."""
    found = body["explanation"]
    yield f"{body['model']} {body['version']} answers {json.dumps(body['prediction'])}"
    how = f", asked {found['predictions_made']} times" if "predictions_made" in found else ""
    if not found["exact"] and abs(found["residual"]) > _AS_ANSWERED:
        how += f", the sum off by {short(found['residual'])}"
    of = f" of {json.dumps(found['class'])}" if "class" in found else ""
    yield f"{found['scale'].replace('_', ' ')}{of}, {found['method']}{how}:"
    rows = [("", "base", signed(found["base"]))]
    for each in found["contributions"]:
        error = each.get("standard_error")
        about = "" if error is None else f" ± {short(error)}"
        value = json.dumps(each["value"], ensure_ascii=False)
        rows.append((value, each["feature"], signed(each["contribution"]) + about))
    if found["rest"]:
        rows.append(("", "the others", signed(found["rest"])))
    rows.append(("", "sum", signed(found["sum"])))
    yield from table(("value", "feature", "adds"), rows)
    for split in found.get("path", ()):
        value = json.dumps(split["value"], ensure_ascii=False)
        yield f"at {split['feature']} = {value}: {split['is']} {split['than']}"
