"""How far a look back is, on stderr."""

import re

import pytest

from stream.looking_back.progress import LookProgress


def test_a_line_has_what_is_done_the_rate_and_the_time_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = LookProgress("returns: versions judged", 40, every_s=0.0)

    progress.add(10)

    assert re.fullmatch(
        r"returns: versions judged: 10 of 40, [\d,.e+]+/s, [\d,]+ s left\n", capsys.readouterr().err
    )


def test_what_is_done_at_once_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    progress = LookProgress("returns: versions judged", 40)

    for _ in range(40):
        progress.add()

    assert capsys.readouterr().err == ""
