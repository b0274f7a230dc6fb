"""A version out of a file answers as the API does, to the last bit, or it is not loaded."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

import weir
from api.offline.errors import AnsweringEndedError, NotFitHereError, RowRefusedError
from checkpoints.errors import FileRefused, KeyProblem
from checkpoints.records.signing import public_pem
from tests.api.offline.exported import PUBLIC, export
from tests.api.offline.frames import pd
from tests.api.running import PHISHING, phishing, running
from tests.checkpoints.builders import STRANGER
from tests.learner.streams import binary, numbers

TREE = """
name: trees
task: multiclass
learner: {river: [{tree.HoeffdingTreeClassifier: {grace_period: 20}}]}
"""
NEIGHBOURS = """
name: neighbours
task: multiclass
learner: {river: [preprocessing.StandardScaler, {neighbors.KNNClassifier: {n_neighbors: 4}}]}
"""
FOREST = """
name: forest
task: binary
learner: {river: [{forest.ARFClassifier: {n_models: 3, seed: 1, grace_period: 20}}]}
"""
VW = """
name: rabbit
task: binary
learner: {vw: "--loss_function logistic --link logistic -q ::"}
"""
NUMBER = """
name: number
task: regression
learner: {river: [preprocessing.StandardScaler, linear_model.LinearRegression]}
"""
OWN = """
name: own
task: binary
learner: {python: "tests.stream.recorder:Recorder"}
trust: [tests]
"""


def texts(count):
    """Classes that are texts, told by features that are texts, too: what sets are made of."""
    words = ("Istanbul", "Ankara", "Izmir", "Bursa", "Adana", "Konya")
    return [
        ({**x, "where": words[n % 6], "what": words[n % 5]}, words[(n * n) % 6])
        for n, (x, _) in enumerate(numbers(count))
    ]


def points(count):
    """The same, where they are without texts."""
    return [({k: v for k, v in x.items() if type(v) is float}, y) for x, y in texts(count)]


def sums(count):
    """A number to predict."""
    return [(x, sum(x.values())) for x, _ in phishing(count)]


CASES = {
    "logistic regression": (PHISHING, phishing),
    "a tree over texts": (TREE, texts),
    "neighbours": (NEIGHBOURS, points),
    "a forest": (FOREST, phishing),
    "Vowpal Wabbit": (VW, binary),
    "a number": (NUMBER, sums),
}

# Loads a file in a process as a notebook's is, and answers the rows on stdin.
NOTEBOOK = """
import json, sys
import weir

model = weir.load(sys.argv[1], public_key=sys.argv[2])
found = model.predict_many(json.load(sys.stdin))
print(json.dumps({"answers": found, "where": model.explain()["answers_in"]}))
"""


def in_a_notebook(file: Path, rows: list, folder: Path, **variables: str) -> dict:
    """What `NOTEBOOK` says, by a Python that was told nothing of ours."""
    ours = {"PYTHONHASHSEED", "OPENBLAS_NUM_THREADS"}
    environ = {name: value for name, value in os.environ.items() if name not in ours}
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK, str(file), PUBLIC],
        env={**environ, "PYTHONPATH": str(Path(weir.__file__).parent), **variables},
        cwd=folder, input=json.dumps(rows), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def without_the_moment(answer: dict) -> dict:
    return {name: each for name, each in answer.items()
            if name not in ("prediction_id", "age_seconds")}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_answers_as_the_api_does_whatever_the_hash_seed(name, tmp_path):
    """In a process beside a notebook's whose seed is another; compared as JSON, to the last bit."""
    text, pairs = CASES[name]
    file = tmp_path / "model.weir"
    with running(text, pairs=pairs) as api:
        model = api.learning.model_file.name
        rows = [x for x, _ in pairs(300)[200:]]
        body = {"instances": rows}
        asked = api.post(f"/v1/models/{model}/predict", body).json()["predictions"]
        export(api.store, model, file)

    found = in_a_notebook(file, rows, tmp_path, PYTHONHASHSEED="4242")

    wanted = [without_the_moment(each) for each in asked]
    assert json.dumps(found["answers"]) == json.dumps(wanted)
    is_vw = name == "Vowpal Wabbit"
    assert found["where"] == ("this process" if is_vw else "a process beside this one")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The phishing model, 200 learned."""
    with running() as api:
        export(api.store, "phishing", tmp_path / "phishing.weir")
    return tmp_path / "phishing.weir"


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process runs as a learner's: `make` sets the hash seed, as `weir` does."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process was told nothing of how a learner's runs."""
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)


ROW = phishing(1)[0][0]


def test_one_row_many_and_a_frame_are_answered_alike(here, file):
    rows = [x for x, _ in phishing(50)]
    with weir.load(file, public_key=PUBLIC) as model:
        one_by_one = [model.predict(row) for row in rows]

        assert model.predict_many(rows) == one_by_one
        assert model.predict_many(iter(rows)) == one_by_one
        assert model.predict_many(pd.DataFrame(rows)) == one_by_one


@pytest.mark.parametrize("text", [VW, PHISHING], ids=["here", "beside"])
def test_a_frame_names_nested_features_by_their_place(elsewhere, tmp_path, text):
    """A row that is a dict says itself where it has them, as a request does."""
    rows = [{"geo": {"lat": n / 7, "lon": 40.0 - n}, "size": n % 5} for n in range(20)]
    flat = [{"geo.lat": row["geo"]["lat"], "geo.lon": row["geo"]["lon"]} | row for row in rows]
    frame = pd.DataFrame(flat).drop(columns="geo")
    pairs = [(row, n % 3 == 0) for n, row in enumerate(rows)]
    with running(text, learned=20, pairs=lambda count: pairs[:count]) as api:
        export(api.store, api.learning.model_file.name, tmp_path / "nest.weir")

    with weir.load(tmp_path / "nest.weir", public_key=PUBLIC) as model:
        assert model.predict_many(frame) == model.predict_many(rows)


def test_what_it_is_is_told_from_what_was_signed(here, file):
    with weir.load(file, public_key=PUBLIC) as model:
        about = model.explain()

    assert (model.model, model.version) == ("phishing", "v1")
    assert (about["learned"], about["scored"], about["task"]) == (200, 200, "binary")
    assert 0.5 < about["metrics"]["Accuracy"]["lifetime"] <= 1
    assert about["offsets"] == {"phishing.events": {"0": 200}}
    assert about["lineage"]["kind"] == "commit"
    assert about["signer"].startswith("learner:")
    json.dumps(about)


def test_what_the_api_refuses_is_refused_with_its_reason(here, file):
    with weir.load(file, public_key=PUBLIC) as model:
        with pytest.raises(RowRefusedError, match="wrong_type") as refused:
            model.predict({**ROW, "https": "yes"})
        assert refused.value.row is None
        with pytest.raises(RowRefusedError, match="row 1: out_of_bounds"):
            model.predict_many([ROW, {**ROW, "https": 1e300}])
        assert model.predict(ROW)["version"] == "v1"


def test_nobodys_key_is_told_in_words(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyProblem, match=r"no public key is known here.*public_key="):
        weir.load(file)
    with pytest.raises(FileRefused, match="no key known here"):
        weir.load(file, public_key=public_pem(STRANGER.public).decode())


def test_keys_of_the_environment_are_believed(here, file, tmp_path, monkeypatch):
    """Those of other environments, by a path; and those of ours."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "theirs.pub").write_text(PUBLIC)
    for name in ("WEIR_SIGNING__IMPORT_PUBLIC", "WEIR_SIGNING__LEARNER_PUBLIC"):
        with monkeypatch.context() as given:
            given.setenv(name, "theirs.pub")
            with closing(weir.load(file)) as model:
                assert model.model == "phishing"


@pytest.mark.parametrize("uses", ["river", "vowpalwabbit"])
def test_another_library_is_refused_with_the_one_to_install(uses, tmp_path):
    text, pairs = (PHISHING, phishing) if uses == "river" else (VW, binary)
    with running(text, learned=0) as api:
        learning = api.learning
        learning.learn(pairs(50))
        learning.commit(software={uses: "0.1.2"})
        export(api.store, learning.model_file.name, tmp_path / "old.weir")

    with pytest.raises(NotFitHereError, match=rf"learned with {uses} 0\.1\.2.*{uses}==0\.1\.2"):
        weir.load(tmp_path / "old.weir", public_key=PUBLIC)


def test_a_learner_of_ones_own_is_loaded_only_where_the_caller_says_so(elsewhere, tmp_path):
    file = tmp_path / "own.weir"
    pairs = lambda count: [({"n": n, "a": 0.5}, n % 2 == 0) for n in range(count)]  # noqa: E731
    with running(OWN, pairs=pairs) as api:
        export(api.store, "own", file)

    with pytest.raises(NotFitHereError, match=r'trust=\["tests"\]'):
        weir.load(file, public_key=PUBLIC)
    with weir.load(file, public_key=PUBLIC, trust=["tests"]) as model:
        assert model.explain()["answers_in"] == "a process beside this one"
        assert model.predict({"n": 1, "a": 0.5})["learned"] == 200


def test_in_a_process_that_runs_as_a_learners_no_other_is_started(here, file):
    with weir.load(file, public_key=PUBLIC) as model:
        assert model.explain()["answers_in"] == "this process"
        assert model.predict(ROW)["learned"] == 200


def beside(model) -> int:
    """The id of the process that answers."""
    return model._answers._process.pid


def test_the_process_beside_ends_with_its_caller_and_is_started_anew(elsewhere, file):
    model = weir.load(file, public_key=PUBLIC)
    first, answer = beside(model), model.predict(ROW)

    os.kill(first, 9)
    with pytest.raises(AnsweringEndedError, match="ask again"):
        model.predict(ROW)
    assert model.predict(ROW) == answer
    second = beside(model)
    assert second != first
    model.close()
    assert not Path(f"/proc/{second}").exists()
    assert model.predict(ROW) == answer
    third = beside(model)
    del model
    assert not Path(f"/proc/{third}").exists()


def test_an_answer_that_nobody_waits_for_is_not_taken_for_the_next(elsewhere, file, monkeypatch):
    """Ctrl-C between question and answer."""
    rows = [x for x, _ in phishing(2)]
    with weir.load(file, public_key=PUBLIC) as model:
        first, second = model.predict_many(rows)
        channel = model._answers._channel
        with monkeypatch.context() as interrupted:
            interrupted.setattr(channel, "receive", raise_interrupt)
            with pytest.raises(KeyboardInterrupt):
                model.predict(rows[0])

        assert first != second
        assert model.predict(rows[1]) == second


def raise_interrupt(**_):
    raise KeyboardInterrupt


def test_a_file_that_was_replaced_does_not_answer_for_the_first(elsewhere, file):
    """The process beside reads the file itself; what it finds must be what was verified."""
    model = weir.load(file, public_key=PUBLIC)
    model.close()
    with running(learned=100) as api:
        export(api.store, "phishing", file)

    with pytest.raises(NotFitHereError, match="another version now"):
        model.predict(ROW)


def test_a_process_forked_while_another_thread_asks_asks_by_one_of_its_own(elsewhere, file):
    """A lock that is held by a thread which the fork left behind is nobody's."""
    row, is_over = phishing(1)[0][0], threading.Event()
    with closing(weir.load(file, public_key=PUBLIC)) as model:
        wanted = model.predict(row)

        def ask_on() -> None:
            while not is_over.is_set():
                model.predict_many([row] * 20_000)

        asking = threading.Thread(target=ask_on)
        asking.start()
        try:
            ends = [_asked_in_a_fork(model, row, wanted) for _ in range(2)]
        finally:
            is_over.set()
            asking.join()
    assert ends == [0, 0]


def _asked_in_a_fork(model, row, wanted) -> int:
    """How a child ends that asks one question: 0, if it is answered as its parent was."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the test's own time limit has it
        signal.alarm(20)
        os._exit(model.predict(row) != wanted)
    return os.waitpid(child, 0)[1]
