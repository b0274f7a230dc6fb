"""`weir learn`, as it is typed. What is slow to load is imported when it runs."""

import functools
import importlib
from pathlib import Path
from typing import Annotated

import typer

from checkpoints.opening import connected, keys_of, open_store, set_up
from checkpoints.operating.connection import DataDir
from stream.model_files import model_files_at

# The learner says every few seconds that it waits, and tries again itself.
_STORE_DEADLINE_S = 3.0

ModelOption = Annotated[
    list[Path],
    typer.Option("--model", help="A model file; repeatable.", exists=True, dir_okay=False),
]


def learn(
    model: ModelOption,
    new: Annotated[bool, typer.Option("--new", help="Begin a model the store lacks.")] = False,
    start: Annotated[
        str, typer.Option("--from", help="With --new: earliest, latest or a time (RFC 3339).")
    ] = "earliest",
    create_topics: Annotated[bool, typer.Option("--create-topics")] = False,
    abandon_history: Annotated[
        bool, typer.Option("--abandon-history", help="With --new: although it learned before.")
    ] = False,
    shard: Annotated[str, typer.Option(help="Shards to take; only 0 in this version.")] = "0",
    begin_if_untouched: Annotated[bool, typer.Option("--begin-if-untouched", hidden=True)] = False,
    data_dir: DataDir = None,
) -> None:
    """Learn the events of one model or of many, each by itself, until SIGTERM."""
    for name in ("checkpoints.stores.in_redis.store", "config.log_lines"):
        importlib.import_module(name)  # its forks have what a keeper has
    from stream.keeper import Keeper, LearnOptions, LineSpec

    if shard != "0":
        raise typer.BadParameter("this version has one shard: 0", param_hint="--shard")
    # Among several, a user's own learner is tried in its own process: it must not end all.
    models = model_files_at(model, runs_own=len(model) == 1)
    service = f"learner:{next(iter(models))}" if len(models) == 1 else "learner"
    settings = connected(service, data_dir, kafka=True, redis=True, signs_as="learner")
    options = LearnOptions(
        is_new=new,
        start=_start(start),
        abandon_history=abandon_history,
        create_topics=create_topics,
        begins_if_untouched=begin_if_untouched,
    )
    opens = functools.partial(open_store, settings, deadline_s=_STORE_DEADLINE_S)
    keys = keys_of(settings, signs_as="learner")  # a standby must know before it is needed
    specs = [
        LineSpec(
            settings=settings.of_line(place),
            line=line,
            model_file=model_file,
            options=options,
            open_store=opens,
            keys=keys,
            check_store=functools.partial(set_up, opens, line),
        )
        for place, (line, (_, model_file)) in enumerate(models.items())
    ]
    raise typer.Exit(Keeper(specs, settings.learner).run())


def _start(text: str) -> str | int:
    """`--from`: earliest, latest, or a time in milliseconds since the epoch."""
    from config.text.moments import moment_ms

    try:
        return text if text in {"earliest", "latest"} else moment_ms(text)
    except ValueError as error:
        raise typer.BadParameter(f"earliest, latest or a time: {error}") from None
