"""Which version answers: the newest, the pinned one, never one that fails to load."""

from typing import Any

import pytest

from checkpoints.errors import StoreUnavailable
from checkpoints.records.line import Line
from checkpoints.stores.heads import Position
from checkpoints.stores.in_memory.store import MemoryStore
from tests.api.running import Running, phishing, running, until
from tests.checkpoints.builders import damage, point_control

PATH = "/v1/models/phishing/predict"


class FragileStore(MemoryStore):
    """A store that can be away, and that counts who asks."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False
        self.polls = 0

    def poll(self, lines: Any) -> dict[Line, Position]:
        self.polls += 1
        if self.is_away:
            raise StoreUnavailable("redis://nowhere", doing="look", cause="it is away")
        return super().poll(lines)


def _learn_and_commit(api: Running, count: int = 50, **changes: Any) -> Any:
    api.learning.learn(phishing(count, start=api.learning.consumed))
    return api.learning.commit(**changes)


def _serving(api: Running) -> str:
    return str(api.post(PATH, {"features": phishing(1)[0][0]}).json()["version"])


def test_the_newest_version_answers_soon_after_its_commit() -> None:
    with running() as api:
        for _ in range(3):
            version = _learn_and_commit(api)
            until(lambda version=version: _serving(api) == version.manifest.name)
        assert api.get("/v1/models/phishing").json()["learned"] == 350


def test_a_pinned_version_answers_until_it_is_unpinned() -> None:
    with running() as api:
        newest = _learn_and_commit(api)
        until(lambda: api.serves(newest))
        answer = api.post("/v1/models/phishing/pin", {"to": "v1", "reason": "look"})

        assert (answer.status_code, answer.json()["serving"]) == (200, "v1")
        assert _serving(api) == "v1"
        _learn_and_commit(api)
        until(lambda: api.get("/v1/models/phishing").json()["version"] == "v3")
        assert _serving(api) == "v1"
        assert api.get("/v1/models/phishing").json()["serving"] == "v1"

        assert api.post("/v1/models/phishing/unpin", {"reason": "seen"}).status_code == 200
        assert _serving(api) == "v3"


def test_a_version_that_does_not_load_leaves_the_old_one_serving() -> None:
    with running() as api:
        changed = {**api.learning.head.manifest.model_file, "task": "multiclass"}
        bad = _learn_and_commit(api, model_file=changed)
        line = api.app.served.lines["phishing"]
        until(lambda: line.load_problem)

        assert "tells two classes apart only" in str(line.load_problem)
        assert (_serving(api), api.get("/readyz").status_code) == ("v1", 200)
        assert 'weir_model_loads_total{model="phishing",outcome="failed"}' in _metrics(api)

        good = _learn_and_commit(api)
        until(lambda: api.serves(good) and line.load_problem is None)
        assert bad.number == 2


def test_a_payload_of_another_library_is_refused() -> None:
    with running() as api:
        _learn_and_commit(api, software={"river": "0.1.0"})
        line = api.app.served.lines["phishing"]
        until(lambda: line.load_problem)
        assert "river 0.1.0" in str(line.load_problem)
        assert _serving(api) == "v1"


def test_while_the_store_is_away_what_is_loaded_answers() -> None:
    store = FragileStore()
    with running(store=store) as api:
        store.is_away = True
        before = store.polls
        until(lambda: store.polls > before + 1)

        assert _serving(api) == "v1"
        assert api.get("/v1/models/phishing").json()["learned"] == 200
        assert api.get("/readyz").status_code == 200

        store.is_away = False
        version = _learn_and_commit(api)
        until(lambda: api.serves(version))


def test_the_served_version_is_kept_from_pruning_and_operators_can_see_who_obeys() -> None:
    with running() as api:
        line = Line("phishing")
        until(lambda: api.store.in_use(line) == {api.learning.head.id})
        api.learning.beat(control_seq=1)
        api.post("/v1/models/phishing/freeze", {"reason": "look"})
        beats = api.store.beats(line, "api")
        assert [(beat["control_seq"], beat["serving"]) for beat in beats.values()] == [(1, 1)]
    assert [beat["state"] for beat in api.store.beats(line, "api").values()] == ["stopped"]


def _metrics(api: Running) -> str:
    return api.get("/metrics").text


@pytest.mark.parametrize(
    "learner", ["vw: --loss_function logistic --link logistic", "river: [naive_bayes.GaussianNB]"]
)
def test_other_learners_are_served_as_well(learner: str) -> None:
    model = f"name: other\ntask: binary\nlearner: {{{learner}}}\nmetrics: [LogLoss]\n"
    with running(model) as api:
        x, _ = phishing(1)[0]
        body = api.post("/v1/models/other/predict", {"features": x}).json()
        expected = api.learning.trainer._estimator.predict(dict(x))
        assert body["probabilities"]["true"] == expected[1][True]


def test_an_order_taken_away_is_not_forgotten_and_is_counted() -> None:
    """The pinned version goes on answering; `/metrics` says that something is wrong."""
    with running() as api:
        _learn_and_commit(api)
        assert api.post("/v1/models/phishing/pin", {"to": "v1", "reason": "look"}).is_success
        assert 'weir_store_refusals_total{model="phishing"} 0.0' in _metrics(api)
        point_control(api.store, Line("phishing"), None)

        until(lambda: 'weir_store_refusals_total{model="phishing"} 1.0' in _metrics(api))
        version = _learn_and_commit(api)
        until(lambda: api.get("/v1/models/phishing").json()["version"] == version.manifest.name)
        assert _serving(api) == "v1"


def test_a_damaged_head_is_neither_served_nor_in_the_way_of_the_list() -> None:
    """The last good one answers; the damaged one stands apart, by name."""
    with running() as api:
        version = _learn_and_commit(api)
        until(lambda: api.serves(version))
        head = _learn_and_commit(api)
        damage(api.store, head)

        until(lambda: len(api.get("/v1/models/phishing/versions").json()["items"]) == 2)
        body = api.get("/v1/models/phishing/versions").json()
        assert [item["version"] for item in body["items"]] == ["v2", "v1"]
        assert [each["version"] for each in body["damaged"]] == ["v3"]

        path = "/v1/models/phishing/rollback"
        done = api.post(path, {"to": "v1", "mode": "forget", "reason": "it is damaged"})
        assert (done.status_code, done.json()["version"]) == (200, "v4")
        assert done.json()["unreadable"]["place"] == "v2"
        assert _serving(api) == "v4"


def test_a_process_that_starts_on_a_damaged_head_says_why_it_does_not_answer() -> None:
    """It does not take an older version for the newest."""
    store = MemoryStore()
    with running(store=store) as first:
        damage(store, first.learning.head)
    with running(store=store, learned=0) as api:
        line = api.app.served.lines["phishing"]
        until(lambda: line.state)
        answer = api.post(PATH, {"features": phishing(1)[0][0]})

    assert answer.status_code == 503
    assert "not believed" in answer.json()["detail"]
