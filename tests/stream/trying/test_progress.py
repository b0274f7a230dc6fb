"""How far a trial is: what is said, and how often."""

import pytest

from stream.trying.progress import TrialProgress


class Clock:
    """Seconds as a test has them."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr("stream.trying.progress.time", found)
    return found


def lines(clock: Clock, capsys: pytest.CaptureFixture[str], *, per_second: int) -> list[str]:
    """What a minute says that is looked at each second."""
    progress = TrialProgress("elec2", 600_000)
    for second in range(1, 61):
        clock.now = float(second)
        progress.at(second * per_second, ", 0 of 12 trials")
    progress.end()
    return capsys.readouterr().err.split("\n")[:-1]


def test_no_time_is_left_while_no_rate_is_known(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be centuries."""
    told = lines(clock, capsys, per_second=0)

    assert told[0] == "elec2: 0 of 600,000 records, 0 of 12 trials"


def test_where_lines_stay_there_are_few(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """One that it is at work, then one each ten seconds, in a log or a file."""
    told = lines(clock, capsys, per_second=1_000)

    assert len(told) == 6
    assert told[0] == "elec2: 1,000 of 600,000 records, 0 of 12 trials, 1,000/s, 9 min 59 s left"


def test_on_a_terminal_the_line_is_rewritten_each_second(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its place."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    (told,) = lines(clock, capsys, per_second=1_000)

    assert told.count("\r") == 60
