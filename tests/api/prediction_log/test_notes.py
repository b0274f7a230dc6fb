"""The worker's part, where nobody takes what it notes."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from api.metrics import ApiMetrics
from api.prediction_log.notes import AnswerNotes
from api.processes.shared_counters import SharedCounters
from config.model.answer_log import AnswerLog

MIB = 1 << 20


def noting(door, *, share=1.0):
    metrics = ApiMetrics(["m"], SharedCounters(), CollectorRegistry(), logged=["m"])
    notes = AnswerNotes({"m": AnswerLog(predictions=share)}, metrics, lambda: 0)
    notes.enter(door)
    return notes, lambda: told(metrics)


def told(metrics):
    lines = metrics.text().decode().splitlines()
    name = "weir_predictions_logged_total{"
    counts = [line.rsplit(" ", 1) for line in lines if line.startswith(name)]
    return {key.split('outcome="')[1].split('"')[0]: int(float(count)) for key, count in counts}


@pytest.mark.parametrize("is_there", [False, True])
def test_what_nobody_takes_waits_up_to_a_bound_and_is_counted_as_dropped(tmp_path, is_there):
    """Be there no door, or nobody who listens behind it; and no answer waits for it."""
    door = tmp_path / "answers"
    if is_there:
        door.write_bytes(b"")
    notes, counts = noting(door)

    async def answer():
        for number in range(20):
            notes.add("m", [f"x{number}"], b"q" * MIB, b"a")
            await asyncio.sleep(0)

    asyncio.run(answer())
    assert counts() == {
        "acknowledged": 0,
        "dropped": 12,
    }  # eight, and what else a note takes, are 8 MiB
    notes.close(0.05)
    assert counts() == {"acknowledged": 0, "dropped": 20}


def test_a_share_is_taken_by_the_ids(tmp_path):
    """What is left out is not dropped."""
    notes, counts = noting(tmp_path / "answers", share=0.5)
    names = [f"x{number}" for number in range(100)]

    async def answer():
        for name in names:
            notes.add("m", [name], b"{}", b"{}")
        notes.add("m", names, b"{}", b"{}")

    asyncio.run(answer())
    notes.close(0.0)
    expected = sum(map(notes.logs["m"].holds, names))
    assert 30 < expected < 70
    assert counts() == {"acknowledged": 0, "dropped": 2 * expected}
