"""What the loader does with versions: what is loaded once, kept warm, given up."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.serving.follow import Following
from api.serving.served import ServedLine
from checkpoints.operating.operator import Operator, Order
from checkpoints.records.line import Line
from checkpoints.records.manifest import SegmentRef
from checkpoints.stores.in_memory.store import MemoryStore
from config.model_file import parse_model_file
from learner.served_model import ServedModel
from tests.api.hosting import HEAVY, LIGHT
from tests.api.running import Learning, by_line
from tests.checkpoints.builders import OPERATOR, VERIFIER

EVENT = ({"https": 1}, True)


class CountingStore(MemoryStore):
    """A store that knows how often a model was fetched to be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.counts = True

    def get_segment(self, line: Any, ref: SegmentRef) -> bytes:
        if self.counts:
            self.fetched.append(ref.sha256)
        return super().get_segment(line, ref)


class Bench:
    """A learner's part, an operator's and the loader's, over one store."""

    def __init__(
        self,
        scratch: Path,
        model: str,
        warm_bytes_max: int = 1 << 30,
        *,
        name: str = "m",
        beside: Bench | None = None,
    ) -> None:
        self.model_file = parse_model_file(model.format(name=name))
        others = [beside.model_file] if beside else []
        self.store: CountingStore = beside.store if beside else CountingStore()
        self.learning = Learning(self.model_file, self.store, scratch)
        self.following = Following(
            by_line(*others, self.model_file), self.store, VERIFIER,
            on_load=lambda _model, outcome: self.outcomes.append(outcome),
            scratch=scratch,
            warm_bytes_max=warm_bytes_max,
        )  # fmt: skip
        self.outcomes: list[str] = []
        self.operator = Operator(self.store, OPERATOR, VERIFIER, who="test")
        self.line = self.following.lines[name]

    def commit(self, **changes: Any) -> str:
        self.learning.acquire()
        self.learning.learn([EVENT])
        return self.learning.commit(**changes).manifest.name

    def order(self, command: str, **fields: Any) -> dict[str, Any]:
        self.store.counts = False  # an operator's command checks what it goes back to
        try:
            order = Order(command=command, reason="x", **fields)
            return self.operator.run(self.learning.line, order)
        finally:
            self.store.counts = True

    def turn(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Look, and load all there is to load."""
        self.following.look(hinted=True)
        while self.following.load(meanwhile):
            self.following.look(hinted=True)

    @property
    def model(self) -> ServedModel:
        assert self.line.loaded is not None
        return self.line.loaded.model

    @property
    def serving(self) -> str | None:
        return self.line.loaded.name if self.line.loaded else None


@pytest.fixture
def heavy(tmp_path: Path) -> Bench:
    found = Bench(tmp_path, HEAVY)
    found.commit()
    found.turn()
    return found


def test_a_small_model_is_handed_on_and_a_large_one_asks_for_new_workers(tmp_path: Path) -> None:
    light = Bench(tmp_path, LIGHT)
    light.commit()
    light.turn()
    light.commit()
    light.turn()
    heavy = Bench(tmp_path, HEAVY)
    heavy.commit()
    heavy.turn()

    assert light.line.standing(is_store_away=False).segment is not None
    assert (heavy.line.standing(is_store_away=False).segment, heavy.following.generation) == (
        None,
        1,
    )


@pytest.mark.parametrize("command", ["pin", "tag"])
def test_a_version_that_is_kept_warm_is_not_loaded_again(heavy: Bench, command: str) -> None:
    fields = {"tag": "stable"} if command == "tag" else {}
    heavy.order(command, to="v1", **fields)
    heavy.commit()
    if command == "pin":
        heavy.turn()
        heavy.order("unpin")
        heavy.order("pin", to="v1")
    heavy.turn()
    fetched, model = list(heavy.store.fetched), heavy.model

    version = heavy.order("rollback", to="v1", mode="forget")["version"]
    heavy.turn()

    assert heavy.serving == version
    assert heavy.store.fetched == fetched
    assert (heavy.model is model) == (command == "pin")


def test_a_tag_is_warmed_beside_what_is_served(heavy: Bench) -> None:
    second = heavy.commit()
    heavy.turn()
    heavy.order("tag", to="v1", tag="stable")
    heavy.turn()

    assert (heavy.serving, len(heavy.store.fetched)) == (second, 3)
    heavy.turn()
    assert len(heavy.store.fetched) == 3


def test_going_back_to_what_workers_have_in_memory_asks_for_no_new_ones(heavy: Bench) -> None:
    heavy.commit()
    heavy.turn()
    heavy.order("tag", to="v1", tag="stable")
    heavy.turn()
    assert (heavy.following.generation, heavy.following.ordered) == (3, 0)  # each is shared

    heavy.order("rollback", to="v1", mode="forget")
    heavy.turn()
    assert (heavy.following.generation, heavy.following.ordered) == (3, 3)

    heavy.order("rollback", to="v2", mode="forget")
    heavy.turn()
    assert (heavy.following.generation, heavy.following.ordered) == (4, 4)


def test_no_more_is_kept_warm_than_the_limit_allows(tmp_path: Path) -> None:
    bench = Bench(tmp_path, HEAVY, warm_bytes_max=1 << 20)
    bench.commit()
    bench.commit()
    bench.order("tag", to="v1", tag="stable")
    bench.turn()

    assert len(bench.store.fetched) == 1


def test_what_answers_is_kept_when_another_model_makes_room_for_it(tmp_path: Path) -> None:
    first = Bench(tmp_path, HEAVY, name="first")
    first.commit()
    first.order("pin", to="v1")
    size = first.line.reader.version(1).manifest.segments["model"].raw_bytes
    room = size + 1024  # for one; of the other, more is remembered: its topic has a longer name
    both = Bench(tmp_path, HEAVY, warm_bytes_max=room, name="second", beside=first)
    both.commit()
    both.order("tag", to="v1", tag="stable")
    both.turn()
    assert [len(loaded) for loaded in both.following.at_hand.values()] == [2, 1]
    fetched = list(both.store.fetched)

    first.order("unpin")
    both.turn()

    assert [len(loaded) for loaded in both.following.at_hand.values()] == [1, 2]
    assert both.store.fetched == fetched


def test_a_version_with_the_same_model_needs_no_load(heavy: Bench) -> None:
    version = heavy.order("rollback", to="v1", mode="forget")["version"]
    heavy.turn()

    assert (heavy.serving, len(heavy.store.fetched)) == (version, 1)
    assert heavy.following.generation == 1


def test_a_load_is_given_up_for_a_command_and_not_for_a_commit(heavy: Bench) -> None:
    second = heavy.commit()
    orders: list[Callable[[], object]] = [
        heavy.commit,
        lambda: heavy.order("pin", to="v1"),
    ]

    def meanwhile() -> None:
        if orders and heavy.serving != second:
            orders.pop(0)()
        heavy.following.look(hinted=True)

    heavy.turn(meanwhile)

    assert (heavy.serving, heavy.outcomes) == ("v1", ["ok"])
    heavy.order("unpin")
    heavy.turn()
    assert heavy.serving == "v3"


def test_orders_for_one_line_do_not_keep_those_for_another_waiting(tmp_path: Path) -> None:
    first = Bench(tmp_path, HEAVY, name="first")
    first.commit()
    first.commit()
    both = Bench(tmp_path, HEAVY, name="second", beside=first)
    both.commit()
    second = both.commit()
    both.turn()
    assert both.serving == second
    both.order("pin", to="v1")
    given = 0

    def meanwhile() -> None:  # each load of theirs meets another order for the first
        nonlocal given
        if given < 40 and both.following.lines["first"].wanted is None:
            given += 1
            first.order("pin", to=f"v{1 + given % 2}")
        both.following.look(hinted=True)

    while both.serving != "v1":
        assert given < 5
        both.following.look(hinted=True)
        assert both.following.load(meanwhile)

    assert given > 0


def test_each_line_has_its_turn(tmp_path: Path) -> None:
    first = Bench(tmp_path, HEAVY, name="first")
    first.commit()
    both = Bench(tmp_path, HEAVY, name="second", beside=first)
    both.commit()

    for _ in range(2):  # the first has something new whenever it has been loaded
        both.following.look(hinted=True)
        both.following.load(lambda: None)
        first.commit()

    assert both.serving == "v1"


def test_orders_that_leave_no_time_do_not_fill_the_memory(heavy: Bench) -> None:
    heavy.commit()
    heavy.turn()
    models = []
    for _ in range(4):
        for version in ("v1", "v2"):
            heavy.order("pin", to=version)
            heavy.turn()
            models.append(weakref.ref(heavy.model))

    gc.unfreeze()
    gc.collect()
    assert sum(model() is not None for model in models) <= 3  # one answers, two are let go


def test_what_is_being_loaded_when_it_is_ordered_is_not_begun_anew(heavy: Bench) -> None:
    heavy.commit()
    heavy.turn()
    heavy.order("tag", to="v1", tag="stable")
    orders = ["rollback"]

    def meanwhile() -> None:
        if orders:
            heavy.order(orders.pop(), to="v1", mode="forget")
        heavy.following.look(hinted=True)

    heavy.turn(meanwhile)

    assert (heavy.serving, len(heavy.store.fetched)) == ("v3", 3)  # v1, v2, v1 once again


def test_why_nothing_answers_yet_is_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path, HEAVY)
    served = ServedLine(Line(bench.model_file.name), bench.model_file)
    whys = [served.why_none]
    for step in (lambda: None, bench.commit):
        step()
        bench.following.look(hinted=True)
        served.take(bench.line.standing(is_store_away=False), None)
        whys.append(served.why_none)

    assert whys == [
        "the store has not answered yet",
        "the learner has not committed one yet",
        "v1 is being loaded",
    ]


def test_a_failed_load_is_tried_again_later_and_for_another_version_at_once(
    tmp_path: Path,
) -> None:
    light = Bench(tmp_path, LIGHT)
    light.commit()
    light.turn()
    light.commit(software={"river": "0.1.0"})
    light.turn()
    light.turn()
    assert (light.serving, light.outcomes) == ("v1", ["ok", "failed"])
    assert "river 0.1.0" in str(light.line.load_problem)

    light.commit()
    light.turn()
    assert (light.serving, light.line.load_problem) == ("v3", None)
