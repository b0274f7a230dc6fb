"""Whether a `weir` command line, as documents and deployments write it, would be understood."""

from collections.abc import Sequence
from typing import Any

import typer

import weir


class NotUnderstoodError(Exception):
    """What `weir` itself would say of the command line."""


def commands() -> dict[str, Any]:
    """Every command that `weir --help` shows, by its name; of a group, by both names."""
    program: Any = typer.main.get_command(weir.app)
    shown = {name: each for name, each in program.commands.items() if not each.hidden}
    return {
        " ".join(names): command
        for name, each in shown.items()
        for names, command in (
            [((name, inner), command) for inner, command in each.commands.items()]
            if hasattr(each, "commands")
            else [((name,), each)]
        )
    }


def options(command: Any) -> set[str]:
    """The options that `--help` shows, `--help` itself left out."""
    shown = [each for each in command.params if each.param_type_name == "option"]
    return {name for each in shown if not each.hidden for name in each.opts}


def understood(words: Sequence[str]) -> None:
    """Parse `words`, what stands after `weir`, and run nothing.

    Raises:
        NotUnderstoodError: It is a usage error.
    """
    found = commands()
    if words == ["--help"]:
        return
    length = 1 if words[0] in found else 2
    name, rest = " ".join(words[:length]), words[length:]
    if name not in found:
        raise NotUnderstoodError(f"no such command: {name}")
    try:
        found[name].make_context(name, list(rest))
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        raise NotUnderstoodError(f"weir {' '.join(words)}: {error}") from error
