"""The supervisor: what it starts, starts again, and never leaves behind."""

import asyncio
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from config.processes.child import ProcessSpec
from config.processes.roll_call import Roll
from config.processes.supervisor import Supervisor
from tests.config.processes.waiting import LIMIT_S, is_running, soon, until

ENV = {"PATH": os.environ["PATH"]}
FOREVER = "while :; do sleep 0.02; done"


def shell(name: str, script: str, cwd: Path, **more: object) -> ProcessSpec:
    """A child that runs `script`."""
    return ProcessSpec(name=name, argv=("/bin/sh", "-c", script), env=ENV, cwd=cwd, **more)


class Run:
    """One supervised run, its output, and the pids it told of."""

    def __init__(self, *specs: ProcessSpec) -> None:
        self._output = io.StringIO()
        self.pids: list[Mapping[str, int]] = []
        self.lost: dict[str, int] = {}
        self.supervisor = Supervisor(
            specs,
            on_change=lambda roll: self.pids.append(roll.pids),
            on_lost=self.lost.__setitem__,
            output=self._output,
        )

    @property
    def lines(self) -> list[str]:
        return self._output.getvalue().splitlines()

    def __call__(self, during: Callable[["Run"], Awaitable[None]]) -> int:
        """Run until `during` is over; the supervisor's exit code."""
        return asyncio.run(self._run(during))

    async def _run(self, during: Callable[["Run"], Awaitable[None]]) -> int:
        async def then_stop() -> None:
            try:
                await during(self)
            finally:
                self.supervisor.stop()

        code, _ = await asyncio.gather(self.supervisor.run(), then_stop())
        return code


def test_started_in_order_and_stopped_in_reverse(tmp_path: Path) -> None:
    """Each waits until the one before is ready; each ends before the one before is told to."""

    def member(name: str) -> ProcessSpec:
        at_stop = f"rm {name}; ls; exit 0"
        script = f"trap '{at_stop}' TERM; ls; echo starts; sleep 0.1; touch {name}; {FOREVER}"
        return shell(name, script, tmp_path, ready=(tmp_path / name).exists)

    run = Run(member("a"), member("b"), member("c"))

    async def during(run: Run) -> None:
        await soon(lambda: bool(run.pids), what="all ready")

    assert run(during) == 0
    assert run.lines == [
        "a | starts",
        *("b | a", "b | starts"),
        *("c | a", "c | b", "c | starts"),
        *("c | a", "c | b"),
        "b | a",
    ]


def test_what_is_of_no_concern_is_not_passed_on(tmp_path: Path) -> None:
    """The lines before and after it are; a one-shot counts as done only when its work is."""
    script = "echo one; echo 'WARNING no matter'; echo two; exit 0"
    run = Run(
        shell("a", script, tmp_path, unheard=("no matter",), one_shot=True),
        shell("b", FOREVER, tmp_path, one_shot=True),
    )

    async def during(run: Run) -> None:
        await soon(lambda: run.supervisor.is_done("a"), what="done")

    assert run(during) == 0
    assert run.lines == ["a | one", "a | two", "weir | a is done"]
    assert not run.supervisor.is_done("b")


def test_a_killed_child_is_started_again_at_once(tmp_path: Path) -> None:
    """One line says so, and the new pid is told."""

    def is_started_again(run: Run) -> bool:
        return run.pids[-1].get("worker", run.pids[0]["worker"]) != run.pids[0]["worker"]

    run = Run(
        shell(
            "worker",
            f"sleep 1.1; touch ready; {FOREVER}",
            tmp_path,
            ready=(tmp_path / "ready").exists,
        )
    )

    async def during(run: Run) -> None:
        await soon(lambda: bool(run.pids), what="ready")
        killed = time.monotonic()
        os.kill(run.pids[0]["worker"], signal.SIGKILL)
        await soon(lambda: is_started_again(run), what="started again")
        assert time.monotonic() - killed < 0.4

    assert run(during) == 0
    assert run.lines == ["weir | worker was ended by SIGKILL: started again"]


@pytest.mark.parametrize("end", ["exit 1", "exit 70", "kill -9 $$", "exit 0", "exit 3"])
def test_a_child_that_ends_before_it_is_ready_waits_longer_each_time(
    tmp_path: Path, end: str
) -> None:
    """Half a second, then a second: a broken start does not burn the machine."""
    run = Run(shell("worker", end, tmp_path, ready=lambda: False))

    async def during(run: Run) -> None:
        await soon(lambda: len(run.lines) == 2, what="two ends")

    run(during)
    assert [line.rpartition(": ")[2] for line in run.lines] == [
        "starting it again in 0.5 s",
        "starting it again in 1 s",
    ]
    assert run.pids == []


@pytest.mark.parametrize("code", [2, 4, 6])
def test_final_codes_stop_everything(tmp_path: Path, code: int) -> None:
    """What a restart cannot mend is not restarted: all stop, and the code is passed on."""
    go = tmp_path / "go"
    run = Run(
        shell("server", f"trap 'echo bye; exit 0' TERM; {FOREVER}", tmp_path),
        shell("worker", f"until test -e go; do sleep 0.02; done; exit {code}", tmp_path),
    )

    async def during(run: Run) -> None:
        await soon(lambda: bool(run.pids), what="all ready")
        go.touch()
        await soon(lambda: not run.supervisor.pids, what="all ended")

    assert run(during) == code
    assert run.lines == [
        f"weir | worker ended with code {code}, which a restart cannot mend: stopping everything",
        "server | bye",
    ]


@pytest.mark.parametrize("code", [2, 4, 6])
def test_one_that_spares_the_others_ends_alone(tmp_path: Path, code: int) -> None:
    """It says which and why, is not started again, and is listed no more; the rest goes on."""
    go = tmp_path / "go"
    run = Run(
        shell("server", FOREVER, tmp_path),
        shell(
            "learner:a",
            f"until test -e go; do sleep 0.02; done; echo why; exit {code}",
            tmp_path,
            spares_others=True,
        ),
        shell("learner:b", FOREVER, tmp_path, spares_others=True),
    )

    async def during(run: Run) -> None:
        await soon(lambda: bool(run.pids), what="all ready")
        assert run.pids[0].keys() == {"server", "learner:a", "learner:b"}
        go.touch()
        await soon(lambda: bool(run.lost), what="lost")
        await soon(lambda: "learner:a" not in run.pids[-1], what="not listed")
        assert run.supervisor.pids.keys() == {"server", "learner:b"}

    assert run(during) == 0
    assert run.lost == {"learner:a": code}
    assert run.pids[-1] == {name: run.pids[0][name] for name in ("server", "learner:b")}
    why, line = run.lines
    assert why == "learner:a | why"
    assert line.startswith(f"weir | learner:a ended with code {code} (")
    assert "a restart cannot mend" in line


def test_one_that_is_lost_before_all_are_ready_holds_nobody_up(tmp_path: Path) -> None:
    """Neither those that wait for it, nor the word that all are ready."""
    run = Run(
        shell("learner:a", "exit 4", tmp_path, ready=lambda: False, spares_others=True),
        shell("learner:b", FOREVER, tmp_path, waits=False, spares_others=True),
        shell("sender", FOREVER, tmp_path),
    )

    async def during(run: Run) -> None:
        await soon(lambda: bool(run.pids), what="all ready")

    assert run(during) == 0
    assert run.pids[0].keys() == {"learner:b", "sender"}


def test_when_the_last_of_them_is_lost_everything_stops(tmp_path: Path) -> None:
    """With its code: nothing is left to spare the others for."""
    second = "until test -e go; do sleep 0.02; done; exit 6"
    run = Run(
        shell("server", FOREVER, tmp_path),
        shell("learner:a", "exit 4", tmp_path, ready=lambda: False, spares_others=True),
        shell("learner:b", second, tmp_path, spares_others=True),
    )

    async def during(run: Run) -> None:
        await soon(lambda: bool(run.pids), what="all ready")
        (tmp_path / "go").touch()
        await soon(lambda: not run.supervisor.pids, what="all ended")

    assert run(during) == 6
    assert run.lost == {"learner:a": 4}
    assert run.lines[-1].endswith("which a restart cannot mend: stopping everything")


def test_a_ready_check_that_waits_holds_up_no_other_child(tmp_path: Path) -> None:
    """What it asks may be away: meanwhile the others' output is passed on."""
    is_heard = threading.Event()

    class Output(io.StringIO):
        def write(self, text: str) -> int:
            if "heard" in text:
                is_heard.set()
            return super().write(text)

    told: list[Mapping[str, int]] = []
    specs = [
        shell("asker", FOREVER, tmp_path, ready=lambda: is_heard.wait(LIMIT_S)),
        shell("talker", f"sleep 0.2; echo heard; {FOREVER}", tmp_path, waits=False),
    ]
    supervisor = Supervisor(specs, on_change=lambda roll: told.append(roll.pids), output=Output())

    async def both() -> None:
        async def then_stop() -> None:
            await soon(lambda: bool(told), what="all ready")
            supervisor.stop()

        await asyncio.gather(supervisor.run(), then_stop())

    began = time.monotonic()
    asyncio.run(both())
    assert time.monotonic() - began < LIMIT_S / 2


def test_work_that_is_done_is_not_done_again(tmp_path: Path) -> None:
    """A child of one shot may end; the others go on, and the next is started."""
    run = Run(
        shell("sender", "echo sent", tmp_path, one_shot=True, ready=lambda: False),
        shell("server", FOREVER, tmp_path),
    )

    async def during(run: Run) -> None:
        await soon(lambda: bool(run.pids), what="all ready")

    assert run(during) == 0
    assert run.lines == ["sender | sent", "weir | sender is done"]
    assert list(run.pids[0]) == ["server"]


def test_who_does_not_end_is_killed(tmp_path: Path) -> None:
    """Deaf to SIGTERM: its time passes, then SIGKILL, its own children included."""
    script = f"trap '' TERM; sh -c '{FOREVER}' & echo $!; touch ready; {FOREVER}"
    run = Run(
        shell("deaf", script, tmp_path, stop_timeout_s=0.2, ready=(tmp_path / "ready").exists)
    )

    async def during(run: Run) -> None:
        await soon(lambda: bool(run.pids), what="ready")

    assert run(during) == 0
    assert run.lines[-1] == "weir | deaf did not end within 0 s: killed"
    until(lambda: not is_running(int(run.lines[0].split()[-1])), what="its child is gone")


def test_what_a_child_leaves_behind_is_ended(tmp_path: Path) -> None:
    """Its own children end before it is started again: no two of a kind at once."""
    run = Run(shell("worker", f"sh -c '{FOREVER}' & echo $!; sleep 0.1; exit 1", tmp_path))

    async def during(run: Run) -> None:
        await soon(lambda: len(run.lines) >= 2, what="ended")
        assert not is_running(int(run.lines[0].split()[-1]))

    run(during)


def test_any_output_is_passed_on(tmp_path: Path) -> None:
    """Lines without an end, of any length, of any bytes; both streams."""
    script = (
        "head -c 200000 /dev/zero | tr '\\0' x; echo; printf '\\377\\n'; echo err >&2; printf end"
    )
    run = Run(shell("loud", script, tmp_path, one_shot=True))

    async def during(run: Run) -> None:
        await soon(lambda: not run.supervisor.pids and len(run.lines) > 3, what="ended")

    run(during)
    *long, bytes_, err, end, done = run.lines
    assert sum(line.count("x") for line in long) == 200_000
    assert (bytes_, err, end) == ("loud | \ufffd", "loud | err", "loud | end")
    assert done == "weir | loud is done"


def test_a_failing_callback_stops_everything(tmp_path: Path) -> None:
    """dev.json that cannot be written is an error, not a secret."""

    def fail(_: Roll) -> None:
        raise OSError("disk full")

    output = io.StringIO()
    specs = [shell("server", f"trap 'echo bye; exit 0' TERM; {FOREVER}", tmp_path)]
    with pytest.raises(OSError, match="disk full"):
        asyncio.run(Supervisor(specs, on_change=fail, output=output).run())

    assert output.getvalue() == "server | bye\n"


def test_a_program_that_is_not_there_stops_everything(tmp_path: Path) -> None:
    """No restart can mend that; the error names the program, and the others end in order."""
    output = io.StringIO()
    server = shell(
        "server",
        f"trap 'echo bye; exit 0' TERM; touch up; {FOREVER}",
        tmp_path,
        ready=(tmp_path / "up").exists,
    )
    missing = ProcessSpec(name="missing", argv=("/nowhere/program",), env=ENV, cwd=tmp_path)

    with pytest.raises(FileNotFoundError, match="/nowhere/program"):
        asyncio.run(Supervisor([server, missing], output=output).run())

    assert output.getvalue() == "server | bye\n"


PROGRAM = """
import asyncio, sys
from pathlib import Path
from config.processes.child import ProcessSpec
from config.processes.roll_call import Roll
from config.processes.supervisor import Supervisor

cwd = Path(sys.argv[1])
specs = [
    ProcessSpec(name=f"child-{n}", argv=("/bin/sh", "-c", script), env={"PATH": "/usr/bin:/bin"},
                cwd=cwd, ready=(cwd / f"up-{n}").exists)
    for n, script in enumerate(sys.argv[2:])
]
told = lambda roll: print(*roll.pids.values(), flush=True)
sys.exit(asyncio.run(Supervisor(specs, on_change=told).run()))
"""


def supervise(cwd: Path, *scripts: str) -> tuple["subprocess.Popen[str]", list[int]]:
    """A supervisor in a process (and a session) of its own, and its children's pids."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(cwd), *scripts],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    return process, [int(pid) for pid in process.stdout.readline().split()]


def test_kill_of_the_supervisor_leaves_no_child(tmp_path: Path) -> None:
    """kill -9: the kernel ends the children, deaf ones too."""
    process, pids = supervise(
        tmp_path, f"trap '' TERM; touch up-0; {FOREVER}", f"touch up-1; {FOREVER}"
    )
    assert all(map(is_running, pids))

    process.kill()

    until(lambda: not any(map(is_running, pids)), what="all children gone")
    process.communicate()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)]
)
def test_signals_stop_in_good_order(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """As from a terminal, to the whole group: the children hear of it from the supervisor only."""
    script = "trap 'echo wrong' INT HUP; trap 'echo bye; exit 0' TERM; touch up-0; " + FOREVER
    process, pids = supervise(tmp_path, script)

    os.killpg(process.pid, number)
    _, output = process.communicate(timeout=20)

    assert process.returncode == code
    assert output == "child-0 | bye\n"
    assert not any(map(is_running, pids))


def test_a_second_signal_kills(tmp_path: Path) -> None:
    """Whoever asks twice does not want to wait."""
    process, pids = supervise(tmp_path, f"trap 'echo deaf' TERM; touch up-0; {FOREVER}")
    assert process.stderr is not None

    process.terminate()
    assert process.stderr.readline() == "child-0 | deaf\n"
    asked_again = time.monotonic()
    process.terminate()
    process.communicate(timeout=20)

    assert time.monotonic() - asked_again < 3
    assert process.returncode == 0
    assert not any(map(is_running, pids))


def test_it_goes_on_when_no_one_reads_its_output(tmp_path: Path) -> None:
    """A closed pipe takes neither the children nor the exit code with it."""
    chatter = "while :; do echo a line; sleep 0.01; touch said; done"
    process, _ = supervise(tmp_path, "trap 'touch bye; exit 0' TERM; touch up-0; " + chatter)
    assert process.stderr is not None

    process.stderr.close()
    (tmp_path / "said").unlink(missing_ok=True)
    until((tmp_path / "said").exists, what="still working")
    process.terminate()

    assert process.wait(timeout=20) == 0
    assert (tmp_path / "bye").exists()
    assert process.stdout is not None
    process.stdout.close()
