"""Operators and a live learner: freeze, thaw, rollback; and whole lives of a model, by chance."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from checkpoints.records.lineage import accounted, advanced
from tests.stream.recorder import Recorder
from tests.stream.rig import RECORDER, Rig, events, rig

BATCH = 150


@pytest.fixture
def at(kafka_server, valkey_server, tmp_path, unique_name):
    """A rig that commits often."""
    text = RECORDER.format(name=unique_name, every_seconds=0.05)
    with rig(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, model_text=text
    ) as made:
        yield made


@dataclass(slots=True)
class Life:
    """A model line under operators, and what must be true of it.

    Attributes:
        kept: The numbers learned that each version committed while nothing was to be read holds:
            the oracle's copy of what a rollback brings back.
        ordered: The commands given, oldest first.
    """

    at: Rig
    sent: int = 0
    process: Any = None
    is_frozen: bool = False
    kept: dict[str, list[int]] = field(default_factory=dict)
    ordered: list[str] = field(default_factory=list)

    def start(self) -> None:
        if self.process is None:
            self.process = self.at.start()

    def stop(self) -> None:
        if self.process is not None:
            assert self.at.stop(self.process) == 0
            self.process = None

    def kill(self) -> None:
        if self.process is not None:
            self.at.kill(self.process)
            self.process = None
            # An order waits for it no longer than a second.
            self.at.store.beat(self.at.line, role="learner", name="learner", payload={}, ttl_s=1)

    def send(self) -> None:
        made = events(BATCH, seed=self.sent)
        for n, event in enumerate(made, self.sent):
            event["features"]["n"] = n
        self.at.send_events(made)
        self.sent += BATCH

    def settle(self) -> None:
        """Wait until all that may be learned is learned, and remember what that version holds."""
        if self.process is None or self.is_frozen:
            return
        self.at.until(lambda: self.at.consumed() == self.sent, "all is learned")
        head = self.at.head()
        self.kept[head.manifest.name] = list(self.at.payload(head)["estimator"].learned)

    def order(self, command: str, to: str | None = None) -> dict[str, Any]:
        operator = Operator(
            self.at.store, self.at.keys.signer("operator"), self.at.keys.verifier, who="ann"
        )
        mode = "forget" if command == "rollback" else None
        body = operator.run(
            self.at.line, Order(command=command, to=to, mode=mode, reason=f"{len(self.ordered)}")
        )
        self.ordered.append(command)
        self.is_frozen = {"freeze": True, "thaw": False}.get(command, self.is_frozen)
        return body

    def roll_back(self, to: str) -> None:
        """Go back to a version whose content is known; the new one holds the same."""
        body = self.order("rollback", to)
        self.kept[body["version"]] = self.kept[to]
        version = self.at.reader().version(int(body["version"][1:]))
        assert self.at.payload(version)["estimator"].learned == self.kept[to]


def manifest(at: Rig) -> Any:
    return at.head().manifest


def learned(at: Rig) -> list[int]:
    return list(at.payload()["estimator"].learned)


def check_books(at: Rig) -> None:
    """Each version: every offset is in one count; numbers rise; one chain of parents."""
    versions = at.reader().versions(limit=1000)
    for version in versions:
        assert advanced(version.manifest) == accounted(version.manifest)
    for newer, older in pairwise(versions):
        assert newer.number > older.number
    ids = {version.id: version.number for version in versions}
    for version in versions:
        parent = version.manifest.parent
        assert parent is None or parent not in ids or ids[parent] < version.number


def test_a_frozen_learner_consumes_nothing_until_thawed(at):
    """What was taken is committed, what comes waits; a restart stays frozen."""
    life = Life(at)
    life.start()
    life.send()
    life.settle()
    life.order("freeze")
    before = at.head().id
    life.send()

    at.until(lambda: beat(at).get("state") == "frozen", "it says so")
    at.until(lambda: beat(at).get("lag") == BATCH, "it says what waits")
    life.stop()
    life.start()
    at.until(lambda: beat(at).get("state") == "frozen", "a new process stands still too")
    at.until(lambda: beat(at).get("lag") == BATCH, "it says so, too")
    assert at.head().id == before

    life.order("thaw")
    life.settle()
    life.stop()
    assert learned(at) == list(range(2 * BATCH))
    check_books(at)


def beat(at: Rig) -> dict[str, Any]:
    return at.store.beats(at.line, "learner").get("learner", {})


def test_a_freeze_under_load_loses_nothing(at):
    """Ordered in the middle of learning: all that was taken is in the head, to the record."""
    life = Life(at)
    for _ in range(20):
        life.send()
    life.start()
    at.until(lambda: at.consumed() > 0, "it learns")
    life.order("freeze")
    frozen_at = at.consumed()
    assert learned(at) == list(range(frozen_at))

    life.order("thaw")
    life.settle()
    life.stop()
    assert learned(at) == list(range(life.sent))


@pytest.mark.parametrize("is_live", [True, False], ids=["live", "down"])
def test_a_rollback_forgets_and_learning_goes_on(at, is_live):
    """With the learner up or down: vN's model, the head's offsets, and the rest is learned."""
    life = Life(at)
    life.start()
    life.send()
    life.settle()
    old = manifest(at).name
    life.send()
    life.settle()
    if not is_live:
        life.stop()

    life.roll_back(old)
    rolled = manifest(at)
    assert rolled.kind == "rollback" or is_live
    life.start()
    life.send()
    life.settle()
    life.stop()

    expected = [*range(BATCH), *range(2 * BATCH, 3 * BATCH)]
    assert learned(at) == expected
    counts = manifest(at).counts
    assert (counts.learned, counts.forgotten) == (2 * BATCH, BATCH)
    check_books(at)
    check_answers(at, expected)


def check_answers(at: Rig, numbers: list[int]) -> None:
    """The model is River's own, had it learned these events only, in this order."""
    alone = Recorder()
    batches: dict[int, list[Any]] = {}
    for n in numbers:
        first = n - n % BATCH
        made = batches.setdefault(first, events(BATCH, seed=first))[n % BATCH]
        alone.learn_one({**made["features"], "n": n}, made["label"])
    found = at.payload()["estimator"]
    for event in events(100, seed=1):
        x = event["features"]
        assert found.predict_proba_one(x) == alone.predict_proba_one(x)


def rounds(life: Life, rng: random.Random) -> dict[str, Callable[[], object]]:
    """What may happen to a model now."""
    at = life.at
    known = [name for name in life.kept if at.store.manifest_by_number(at.line, int(name[1:]))]
    possible: dict[str, Callable[[], object]] = {
        "start": life.start, "kill": life.kill, "stop": life.stop, "send": life.send,
        "freeze": lambda: life.order("freeze"), "thaw": lambda: life.order("thaw"),
        "unpin": lambda: life.order("unpin"),
    }  # fmt: skip
    if known:
        to = rng.choice(known)
        possible["pin"] = lambda: life.order("pin", to)
        possible["rollback"] = lambda: life.roll_back(to)
    return possible


@pytest.mark.parametrize("seed", [1, 2])
def test_twenty_rounds_of_life(at, seed):
    """In any order: no number is used twice, the audit is whole, every offset is in one count."""
    rng = random.Random(seed)
    life = Life(at)
    life.start()
    life.send()
    life.settle()
    seen = {version.number: version.id for version in at.reader().versions(limit=1000)}
    names = ["start", "kill", "stop", "freeze", "thaw", "pin", "unpin", "rollback", "send"]
    plan = [*names, *names, *rng.choices(names, k=2)]
    rng.shuffle(plan)

    for name in plan:
        rounds(life, rng)[name]()
        life.send()
        life.settle()
        for version in at.reader().versions(limit=1000):
            assert seen.setdefault(version.number, version.id) == version.id, f"{version} twice"

    life.start()
    if life.is_frozen:
        life.order("thaw")
    life.settle()
    life.stop()
    check_books(at)
    counts = manifest(at).counts
    assert counts.learned + counts.forgotten + counts.refused == life.sent
    numbers = learned(at)
    assert numbers == life.kept[list(life.kept)[-1]]
    assert len(numbers) == counts.learned == len(set(numbers))
    check_answers(at, numbers)
    audit = [control.record.command for control in at.reader().audit(limit=1000)]
    assert [command.command for command in audit][::-1] == life.ordered
    assert [command.reason for command in audit][::-1] == [str(n) for n in range(len(audit))]
