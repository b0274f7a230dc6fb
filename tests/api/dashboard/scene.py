"""A model with a life to look at: drift, versions, letters; perhaps with names that bite."""

import contextlib
import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any

from river.datasets import synth

from tests.api.dashboard.local_letters import LocalLetters
from tests.api.running import Learning, Running, now_ms, running

IMAGE = "<img src=x onerror=alert(1)>"
SCRIPT = "</script><script>alert(2)</script>"
_MODEL = """
name: loans
task: binary
labels: {labels}
learner: {{river: [tree.HoeffdingTreeClassifier]}}
features: {{age: {{type: int, min: 18, max: 99}}, salary: {{type: float, min: 0}}}}
metrics: [Accuracy, ROCAUC, LogLoss]
drift: [{{on: error, detector: ADWIN}}, {{on: error, detector: DDM}}]
"""
_REFUSED: list[tuple[dict[str, Any], str]] = [
    *[({"age": 140, "salary": 1.0}, "no")] * 7,
    *[({"age": 30}, "maybe")] * 3,
]
# Loans are given by one rule, by another, and by the first again.
_RULES = (0, 2, 0)


def _events(count: int, yes: str, more: dict[str, float]) -> Iterator[tuple[dict[str, Any], str]]:
    for seed, rule in enumerate(_RULES):
        stream = synth.Agrawal(classification_function=rule, seed=seed)
        for x, y in islice(stream, count // len(_RULES)):
            yield {**x, "salary": float(x["salary"]), **more}, yes if y else "no"


def letters(label: str) -> LocalLetters:
    """Three, one of them of bytes that are no text."""
    labelled = f'{{"id": "order-2", "features": {{"age": 31}}, "label": "{label}"}}'.encode()
    return LocalLetters(
        "loans.events",
        [
            ("out_of_bounds", "feature 'age' is 140, above 99",
             b'{"id": "order-1", "features": {"age": 140, "salary": 51000.0}, "label": "yes"}'),
            ("bad_label", f"the label '{label}' is none of no, yes", labelled),
            ("not_json", "not JSON: invalid character (byte 0)", b"\x89PNG\r\n\x1a\x00\xff" * 200),
        ],
    )  # fmt: skip


@contextlib.contextmanager
def living(
    *, hostile: bool = False, count: int = 6_000, step: int = 400, **api: Any
) -> Iterator[Running]:
    """An API whose model has learned so many events, a version each `step`.

    Its learner is heard of, and obeys at once.

    Args:
        hostile: A feature, a label and a letter are written to be taken for markup.
    """
    yes, more = (SCRIPT, {IMAGE: 1.0}) if hostile else ("yes", {})
    stream = list(_events(count, yes, more))
    text = _MODEL.format(labels=["no", yes])
    with running(
        text, learned=step, letters=letters(SCRIPT if hostile else "maybe"),
        pairs=lambda some: stream[:some], **api,
    ) as found:  # fmt: skip
        began = now_ms() - count * 1000
        for start in range(step, count, step):
            some = stream[start : start + step]
            found.learning.learn(some, first_ms=began + start * 1000, apart_ms=1000)
            if start == 2 * step:
                found.learning.learn(_REFUSED)
            found.learning.commit()
        with _heard_of(found.learning):
            yield found


@contextlib.contextmanager
def _heard_of(learning: Learning) -> Iterator[None]:
    """Every second, as of a learner that learns."""
    is_over = threading.Event()

    def beat() -> None:
        learning.beat(control_seq=10_000, state="learning", lag=3)
        while not is_over.wait(1.0):
            learning.beat(control_seq=10_000, state="learning", lag=3)

    thread = threading.Thread(target=beat, name="beats")
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
