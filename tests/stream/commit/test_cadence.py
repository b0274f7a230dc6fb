"""How often a version is made: what is measured of a learner that has no core."""

import os
import subprocess
import sys
import time

from stream.commit.cadence import coreless_s, lost_s


def test_time_without_a_core_is_time_lost_up_to_what_the_version_took() -> None:
    cores = os.sched_getaffinity(0)
    one = {min(cores)}
    busy = [sys.executable, "-c", f"import os; os.sched_setaffinity(0, {one})\nwhile True: pass"]
    os.sched_setaffinity(0, one)
    try:
        with subprocess.Popen(busy) as rival:
            before, until = coreless_s(), time.monotonic() + 1.0
            while time.monotonic() < until:
                pass
            found = lost_s(before, work_s=60.0)
            rival.kill()
    finally:
        os.sched_setaffinity(0, cores)
    assert 0.2 < found < 1.5
    assert lost_s(before, work_s=0.1) == 0.1


def test_where_the_system_does_not_tell_all_the_work_counts() -> None:
    assert lost_s(None, work_s=0.7) == 0.7
