"""`weir rebuild` as it is typed: what goes with what, and what is said where the log is gone."""

import pytest
import typer

from stream.replay.cli import ReplayWiring, rebuild_command


def _not_asked(*_: object) -> None:
    raise AssertionError("a usage error needs no server")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "give either vN or --with-current"),
        ({"version": "v7", "with_current": True}, "give either vN or --with-current"),
        ({"with_current": True, "whole": True}, "--whole is of a version that is made again"),
        ({"version": "v7", "start": "earliest"}, "--from and --reason go with --with-current"),
        ({"version": "v7", "reason": "x"}, "--from and --reason go with --with-current"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(given, told):
    rebuild = rebuild_command(ReplayWiring(settings=_not_asked, connect=_not_asked))
    with pytest.raises(typer.BadParameter, match=told):
        rebuild(model="returns", **given)
