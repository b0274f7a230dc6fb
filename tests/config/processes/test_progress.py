"""A start is judged by its progress; one slow child does not keep the roll from being called."""

import asyncio
import io
import time
from pathlib import Path

from config.processes.child import ProcessSpec
from config.processes.roll_call import Roll
from config.processes.supervisor import Supervisor
from tests.config.processes.test_supervisor import FOREVER, Run, shell
from tests.config.processes.waiting import soon


def test_one_that_stands_still_is_killed_and_tried_again(tmp_path: Path) -> None:
    """A start that hangs is a failed start."""
    run = Run(shell("slow", "exec sleep 60", tmp_path, ready=lambda: False, still_max_s=0.7))

    async def during(run: Run) -> None:
        await soon(lambda: len(run.lines) == 2, what="killed")

    run(during)
    assert run.lines[:2] == [
        "weir | slow is not ready and stands still for 0.7 s: killed",
        "weir | slow was ended by SIGKILL: starting it again in 0.5 s",
    ]


SLOW = {
    "computes": "while :; do :; done",
    "says so": "while :; do echo .; sleep 0.2; done",
    "has a child that computes": "sh -c 'while :; do :; done' & wait",
    "has many": "while :; do timeout 0.1 sh -c 'while :; do :; done'; done",
}


def test_one_that_is_slow_is_waited_for(tmp_path: Path) -> None:
    """As long as it does anything, for many times as long as it might stand still."""
    began = time.monotonic()
    is_ready = lambda: time.monotonic() - began > 4.0  # noqa: E731
    run = Run(
        *(
            shell(name, script, tmp_path, ready=is_ready, waits=False, still_max_s=1.0)
            for name, script in SLOW.items()
        )
    )

    async def during(run: Run) -> None:
        await soon(lambda: bool(run.pids), what="ready")
        assert run.pids[0].keys() == SLOW.keys()
        assert not [line for line in run.lines if line.startswith("weir")]

    assert run(during) == 0


def rolls_of(
    tmp_path: Path, *specs: ProcessSpec, until_told: int, patience_s: float
) -> tuple[list[Roll], list[str]]:
    """The first rolls that were called."""
    told: list[Roll] = []
    output = io.StringIO()
    supervisor = Supervisor(specs, on_change=told.append, output=output, patience_s=patience_s)

    async def both() -> None:
        async def then_stop() -> None:
            await soon(lambda: len(told) >= until_told, what="told")
            supervisor.stop()

        await asyncio.gather(supervisor.run(), then_stop())

    asyncio.run(both())
    return told, output.getvalue().splitlines()


def test_a_slow_one_does_not_keep_the_roll_from_being_called(tmp_path: Path) -> None:
    """It is told as starting, and told anew when it is ready."""
    began = time.monotonic()
    first, second = rolls_of(
        tmp_path,
        shell("server", FOREVER, tmp_path),
        shell(
            "learner:a", FOREVER, tmp_path, waits=False, spares_others=True,
            ready=lambda: time.monotonic() - began > 2.0,
        ),
        shell("learner:b", FOREVER, tmp_path, waits=False, spares_others=True),
        until_told=2, patience_s=0.5,
    )[0][:2]  # fmt: skip

    assert first.starting == ("learner:a",)
    assert first.pids.keys() == second.pids.keys() == {"server", "learner:a", "learner:b"}
    assert second.starting == ()


def test_one_that_fails_again_and_again_is_not_waited_for(tmp_path: Path) -> None:
    """How it ends is told with the roll."""
    (first, *_), lines = rolls_of(
        tmp_path,
        shell("server", FOREVER, tmp_path),
        shell("learner:a", "exit 1", tmp_path, ready=lambda: False, spares_others=True),
        shell("learner:b", FOREVER, tmp_path, waits=False, spares_others=True),
        until_told=1, patience_s=60.0,
    )  # fmt: skip

    assert first.starting == ()
    assert first.failing == {"learner:a": "ended with code 1, 2 times in a row"}
    assert lines[-1].endswith("starting it again in 1 s")


def test_the_roll_waits_for_whom_all_need_however_patient_it_is(tmp_path: Path) -> None:
    """A server that is not ready, and work that one has not taken up yet from another."""
    began = time.monotonic()
    lacks = lambda: {"learner:a"} if time.monotonic() - began < 2.0 else set()  # noqa: E731
    (first, *_), _ = rolls_of(
        tmp_path,
        shell("learner:a", FOREVER, tmp_path, spares_others=True),
        shell(
            "api", FOREVER, tmp_path, waits=False, rest=lacks,
            ready=lambda: time.monotonic() - began > 1.0,
        ),
        until_told=1, patience_s=0.3,
    )  # fmt: skip

    assert 1.0 < time.monotonic() - began < 2.0 + 0.3
    assert first.starting == ("learner:a",)
    assert first.pids.keys() == {"learner:a", "api"}
