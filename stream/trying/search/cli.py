"""`weir search`, as it is typed. What is slow to load is imported when it runs."""

from collections.abc import Callable, Container, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from checkpoints.operating.connection import DataDir
from stream.trying.cli import (
    INTERRUPTED,
    AsJson,
    Csv,
    Mlflow,
    Plot,
    RunLog,
    TryWiring,
    code_of_rows,
    kafka_source,
)

if TYPE_CHECKING:
    from stream.trying.candidates import Candidate
    from stream.trying.search.engine import Engine
    from stream.trying.search.experiment import Experiment
    from stream.trying.search.lab import Lab
    from stream.trying.search.search import Search
    from stream.trying.sources import TrialSource

_BY_DEFAULT = ", the model file's first score (`metric` names another)"

File = Annotated[
    Path,
    typer.Argument(help="The experiment file (YAML).", metavar="FILE", exists=True, dir_okay=False),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="The winner, as a model file.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that no search has written.")]


def search_command(wired: TryWiring) -> Callable[..., None]:
    """The command, for the program's Typer."""

    def search(
        file: File,
        output: Output = None,
        force: Force = False,
        csv: Csv = None,
        plot: Plot = None,
        mlflow: Mlflow = None,
        as_json: AsJson = False,
        data_dir: DataDir = None,
    ) -> None:
        """Find the values of a model file that score best: grid, random, or successive halving."""
        from config.files import check_asked
        from config.processes.stopping import stop_when_told
        from stream.errors import SendError
        from stream.trying.plot import check_plot
        from stream.trying.progress import say
        from stream.trying.search.experiment import load_experiment

        if plot is not None:
            check_plot(plot)
        experiment = load_experiment(file)
        check_asked(output, csv, plot, reads=experiment.reads(file))
        if output is not None and not force:
            _check_replaceable(output)
        log = wired.run_log() if mlflow is not None else None
        with stop_when_told() as stop:
            has_curve = plot is not None or mlflow is not None
            lab, found = _found(experiment, file, wired, data_dir, stop, has_curve=has_curve)
        _print(experiment, lab, found, csv=csv, plot=plot, as_json=as_json)
        if mlflow is not None and log is not None:
            _log(mlflow, log, file, experiment, lab, found, output)
        if found.is_stopped:
            say(f"stopped: these are the {len(found.rows)} trials so far, and no winner")
            raise typer.Exit(INTERRUPTED)
        if lab.ended_by is not None:
            say(f"warning: only {lab.records:,} records were read: {lab.ended_by}")
        if found.winner is None:
            what = "can win" if found.unfit else "has a score"
            say(f"no trial {what}: there is no winner")
            raise typer.Exit(code_of_rows(found.rows) or 1)
        if output is not None:
            _write_winner(output, experiment, file, lab, found)
        if isinstance(lab.ended_by, SendError):
            raise typer.Exit(lab.ended_by.exit_code)

    return search


def _found(
    experiment: "Experiment",
    file: Path,
    wired: TryWiring,
    data_dir: Path | None,
    stop: Any,
    *,
    has_curve: bool,
) -> "tuple[Lab, Search]":
    """Read, decode, and search."""
    from stream.trying.progress import TrialProgress
    from stream.trying.search.lab import open_lab
    from stream.trying.search.rungs import rungs, steps
    from stream.trying.search.search import search

    tried, metric = tried_by(experiment, file)
    _say_draws(experiment, [each.settings for each in tried])
    workers = _workers(experiment)
    source = _source(experiment, file, tried[0], wired, data_dir)
    reading = TrialProgress(source.name, source.total())
    lab = open_lab(tried, source, metric, reading, stop, has_curve=has_curve)
    first = experiment.first if experiment.method == "halving" else lab.records
    plan = rungs(len(tried), lab.records, first=first, keep=experiment.keep)
    progress = TrialProgress(f"{len(tried)} trials", steps(plan))
    with closing(_engine(experiment, lab, workers)) as engine:
        found = search(lab, engine, plan, stop, lambda records, at: progress.at(records, f", {at}"))
    progress.end()
    return lab, found


def _say_draws(experiment: "Experiment", tried: Sequence[dict[str, Any]]) -> None:
    """What drawing has made of what was asked, where that is less."""
    from stream.trying.progress import say
    from stream.trying.search.space import undrawn
    from stream.trying.value_paths import flow

    asked = experiment.draws_asked
    if asked is None:
        return
    if len(tried) < asked:
        what = f"there are only {len(tried)} different draws, and so {len(tried)} trials"
        say(f"trials: {asked}: {what}")
    for path, values in undrawn(experiment.space, tried).items():
        listed = ", ".join(map(flow, values))
        say(
            f"space.{path}: drawn by none of the {len(tried)} trials: {listed}; ask for more trials"
        )


def tried_by(experiment: "Experiment", file: Path) -> "tuple[list[Candidate], str]":
    """What is tried, and the score to compare by.

    Args:
        file: The experiment file, beside which others are named.

    Raises:
        ConfigError: The model file, a path or a value is wrong, or the score is not there.
    """
    from config.errors import ConfigError, ModelFileError
    from config.processes.scratch import private_folder
    from stream.trying.candidates import candidates
    from stream.trying.search.experiment import in_experiment, require_metric
    from stream.trying.search.winner import require_writable

    base = file.parent / experiment.model
    try:
        with private_folder(None) as scratch:
            tried = candidates([base], experiment.settings(), scratch)
    except ConfigError as error:
        raise ModelFileError(in_experiment(file, base, error.problems)) from error
    metric = require_metric(experiment, file, [each.model_file for each in tried])
    require_writable(base, (each.settings for each in tried))
    return tried, metric


def _source(
    experiment: "Experiment",
    file: Path,
    first: "Candidate",
    wired: TryWiring,
    data_dir: Path | None,
) -> "TrialSource":
    from stream.trying.sources import FileSource

    data = experiment.data
    if data.source is None:
        return kafka_source(wired, first.model_file, data_dir, end=data.end, limit=data.limit)
    is_river = data.source.startswith("river:")
    source = data.source if is_river else str(file.parent / data.source)
    return FileSource(source, data.csv(), limit=data.limit)


def _workers(experiment: "Experiment") -> int:
    """Trials at a time: of processes of this machine as many as it lets us have."""
    from stream.trying.progress import say
    from stream.trying.search.local import workers_at_once

    asked = experiment.workers
    if experiment.engine != "local" or (most := workers_at_once(asked)) == asked:
        return asked
    say(f"workers: {most} in place of {asked}: no more files may be open (ulimit -n)")
    return most


def _engine(experiment: "Experiment", lab: "Lab", workers: int) -> "Engine":
    from stream.trying.search.local import LocalEngine

    if experiment.engine == "local":
        return LocalEngine(lab, workers)
    from stream.trying.search.on_ray import RayEngine

    return RayEngine(lab, workers)


def _check_replaceable(output: Path) -> None:
    """See that what stands there is the winner of a search, which another may replace."""
    from stream.trying.search.winner import is_a_winner

    if output.exists() and not is_a_winner(output):
        raise typer.BadParameter(
            f"{output} is there already, and no search has written it: name another, or --force",
            param_hint="-o",
        )


def _print(
    experiment: "Experiment",
    lab: "Lab",
    found: "Search",
    *,
    csv: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    from config.files import write_asked
    from stream.trying.plot import write_plot
    from stream.trying.progress import say
    from stream.trying.rows import as_csv, json_text
    from stream.trying.rows import as_json as rows_as_json
    from stream.trying.search.search import as_body
    from stream.trying.search.space import at_edges
    from stream.trying.table import as_table, labels_of

    labels = labels_of(found.rows)
    above = {place: f"let go at {at:,} records:" for place, at in found.let_go.items()}
    table = as_table(found.rows, labels, above)
    table += [f"{labels[place]}: {why}: it cannot win" for place, why in found.unfit.items()]
    table.append(f"compared by {lab.metric}{'' if experiment.metric else _BY_DEFAULT}")
    edges = {} if found.winner is None else at_edges(experiment.space, found.rows[0].set)
    for path, side in edges.items():
        _say_edge(path, found.rows[0].set[path], side)
    if lab.is_too_much_to_pair:
        say("the trials are not compared event by event: they have too many losses to be kept")
    if as_json:
        typer.echo(json_text({**rows_as_json(found.rows), **as_body(lab, found, edges)}))
    else:
        typer.echo("\n".join(table))
    if csv is not None:
        write_asked(csv, as_csv(found.rows))
    if plot is not None:
        write_plot(plot, found.rows, labels, source=lab.source, table=table)


def _say_edge(path: str, value: Any, side: str) -> None:
    from stream.trying.progress import say
    from stream.trying.value_paths import told_settings

    (told,) = told_settings({path: value})
    further = {"largest": "larger", "smallest": "smaller"}[side]
    say(f"{told} is the {side} offered, or nearly: try {further} ones")


def _log(
    into: str,
    log: RunLog,
    file: Path,
    experiment: "Experiment",
    lab: "Lab",
    found: "Search",
    output: Path | None,
) -> None:
    """One run for the search, with the winner's model file, and one a trial below it."""
    from stream.trying.progress import say
    from stream.trying.rows import run_of_all, runs_of
    from stream.trying.table import as_table, labels_of

    labels = labels_of(found.rows)
    params = {
        "source": lab.source, "records": str(lab.records), "metric": lab.metric,
        "method": experiment.method, "seed": str(experiment.seed),
    }  # fmt: skip
    base = file.parent / experiment.model
    files = {each.name: each.read_text("utf-8-sig") for each in (file, base)}
    best = None if found.winner is None else 0
    if best is not None:
        files |= _won_file(output, files, experiment, file, lab, found)
    above = run_of_all(
        f"weir search {file.name}", found.rows, labels, as_table(found.rows, labels),
        best=best, params=params, files=files,
    )  # fmt: skip
    log(into, above, runs_of(found.rows, labels), say=say)


def _won_file(
    output: Path | None,
    others: Container[str],
    experiment: "Experiment",
    file: Path,
    lab: "Lab",
    found: "Search",
) -> dict[str, str]:
    """The winner's model file, by a name that no other file has."""
    from stream.trying.progress import say
    from stream.trying.search.winner import WinnerError

    name = "won.yaml" if output is None else output.name
    while name in others:
        name = f"won-{name}"
    try:
        return {name: _won_text(experiment, file, lab, found)}
    except WinnerError as error:  # with -o it ends the command, once all is logged
        say(f"warning: no {name} in MLflow: {error}")
        return {}


def _write_winner(
    output: Path, experiment: "Experiment", file: Path, lab: "Lab", found: "Search"
) -> None:
    from config.files import write_asked
    from stream.trying.progress import say

    write_asked(output, _won_text(experiment, file, lab, found))
    say(f"the winner is in {output}")


def _won_text(experiment: "Experiment", file: Path, lab: "Lab", found: "Search") -> str:
    from stream.trying.search.winner import how_found, winner_text

    base = file.parent / experiment.model
    row = found.rows[0]
    comment = how_found(row, experiment, str(file), lab, found)
    return winner_text(base.read_text("utf-8-sig"), row.set, comment, file=str(base))
