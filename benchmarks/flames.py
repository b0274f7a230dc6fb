"""`make profile`: flame graphs of the source and of the learner while they are at their fastest.

Two SVG files, each by py-spy, which looks at the running process from outside a few hundred times a
second. Needs the right to trace processes: root, or `kernel.yama.ptrace_scope` 0.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.bench import Place, place
from benchmarks.program import end_in_order
from benchmarks.throughput import CASES, model_text
from tests.stream.rig import rig

_PY_SPY = Path(sys.executable).with_name("py-spy")
_LOOKS_A_SECOND = 200


class NotTracedError(Exception):
    """py-spy could not look at a process: see what this module's text says it needs."""


def main() -> int:
    """Profile one case of `throughput.CASES`, write the two pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", default="logistic regression", choices=list(CASES))
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=Path(), help="the folder of the pictures")
    asked = parser.parse_args()
    end_in_order()
    with place(0) as at:
        for path in profile(at, asked.case, seconds=asked.seconds, out=asked.out):
            print(path)
    return 0


def profile(at: Place, case: str, *, seconds: int, out: Path) -> list[Path]:
    """The pictures of source and learner, taken at once.

    Raises:
        NotTracedError: py-spy may not, or could not, trace them.
    """
    topic = at.streams.at_least(CASES[case].events, form=CASES[case].form)
    servers = at.servers
    with rig(
        kafka=servers.kafka,
        redis=servers.redis,
        folder=servers.folder,
        model_text=model_text(f"profile-{case}", CASES[case], topic),
    ) as learning:
        learning.start()
        learning.until(lambda: learning.consumed() > 0, "it learns")
        pictures = {
            out / f"profile-{part}.svg": learning.part(part) for part in ("source", "learner")
        }
        processes = [_record(pid, path, seconds) for path, pid in pictures.items()]
        for process in processes:
            _, said = process.communicate()
            if process.returncode:
                raise NotTracedError(said.strip().splitlines()[-1])
        assert learning.consumed() < CASES[case].events, "it was idle at the end"
    return list(pictures)


def _record(pid: int | None, path: Path, seconds: int) -> "subprocess.Popen[str]":
    options = {"--pid": pid, "--output": path, "--duration": seconds, "--rate": _LOOKS_A_SECOND}
    told = [str(word) for option in options.items() for word in option]
    return subprocess.Popen([_PY_SPY, "record", *told], stderr=subprocess.PIPE, text=True)


if __name__ == "__main__":
    sys.exit(main())
