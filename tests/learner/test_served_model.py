"""A version that serves: it answers as the learner did, or it is not served at all."""

import copy

import pytest

from checkpoints.unpickle import loads
from learner.errors import RestoreError
from learner.served_model import ProbeFailedError, ServedModel
from learner.trainer import Trainer
from learner.values import Event, Reason
from tests.learner.streams import binary, classes, model_file, numbers, only_numbers
from tests.learner.taking import Taking

LOGISTIC = {"river": ["preprocessing.StandardScaler", "linear_model.LogisticRegression"]}
CASES = {
    "river": ("binary", LOGISTIC, only_numbers(binary(300)), {"labels": ["DOWN", "UP"]}),
    "classes": ("multiclass", {"river": ["naive_bayes.GaussianNB"]},
                only_numbers(classes(300)), {}),
    "numbers": ("regression", {"river": ["linear_model.LinearRegression"]},
                only_numbers(numbers(300)), {}),
    "vw": ("binary", {"vw": "--loss_function logistic --link logistic"}, binary(300), {}),
}  # fmt: skip


def trained(name, tmp_path):
    """A trainer, its model file, and the loaded payload of its snapshot."""
    task, learner, pairs, sections = CASES[name]
    file = model_file(task, learner, **sections)
    trainer, taking = Trainer(file, tmp_path), Taking(file)
    for n, (x, y) in enumerate(pairs):
        label = ("DOWN", "UP")[y] if "labels" in sections else y
        assert taking.one(trainer, Event(features=x, label=label), offset=n) is None
    return trainer, file, loads(trainer.snapshot(version="v1").segments["model"], ())


@pytest.mark.parametrize("name", CASES)
def test_it_answers_as_the_learner_would(name, tmp_path):
    """Prediction and probabilities, in the labels of the model file."""
    trainer, file, payload = trained(name, tmp_path)
    served = ServedModel(file, payload, tmp_path)

    for x, _ in CASES[name][2][:50]:
        answer = served.predict(x)
        label, _ = trainer._estimator.predict(x)
        if name == "river":
            assert answer["prediction"] == ("UP" if label else "DOWN")
            assert list(answer["probabilities"]) == ["DOWN", "UP"]
        else:
            assert answer["prediction"] == label
        if file.task == "regression":
            assert "probabilities" not in answer
        else:
            assert sum(answer["probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize("name", CASES)
def test_a_model_that_answers_its_probe_otherwise_is_not_served(name, tmp_path):
    """Another build, another kind of machine, or bytes that are not what they seem."""
    _, file, payload = trained(name, tmp_path)
    label, chances = payload["probe"]["predicted"]
    wrong = copy.copy(payload)
    other = label + 1e-9 if file.task == "regression" else "another"
    wrong["probe"] = {"x": payload["probe"]["x"], "predicted": (other, chances)}

    with pytest.raises(ProbeFailedError, match="the learner answered"):
        ServedModel(file, wrong, tmp_path)


def test_a_probability_off_by_one_bit_is_not_served(tmp_path):
    """Equal to the last bit, or refused."""
    file = model_file("binary", LOGISTIC, metrics=["LogLoss"])
    trainer, taking = Trainer(file), Taking(file)
    for n, (x, y) in enumerate(only_numbers(binary(100))):
        taking.one(trainer, Event(features=x, label=y), offset=n)
    payload = loads(trainer.snapshot(version="v1").segments["model"], ())
    _, chances = payload["probe"]["predicted"]
    chances[True] = chances[True] * (1 + 2**-52)

    with pytest.raises(ProbeFailedError):
        ServedModel(file, payload)


def test_an_untrained_version_is_served_and_has_nothing_to_say(tmp_path):
    """v1: prediction null, no probabilities yet; nothing is raised."""
    learner = {"river": ["naive_bayes.GaussianNB"]}
    file = model_file("multiclass", learner)
    payload = loads(Trainer(file).snapshot(version="v1").segments["model"], ())

    assert ServedModel(file, payload).predict({"a": 1}) == {"prediction": None, "probabilities": {}}


MACHINES = {"river": [{"facto.FMRegressor": {"seed": 1}}]}
MACHINE = {"river": [{"facto.FMClassifier": {"seed": 1}}]}
WILD = {
    "a raw timestamp and a number to predict": ("regression", MACHINES, ["MAE"], 1.7e9),
    "a raw timestamp": ("binary", MACHINE, ["Accuracy"], 1.7e9),
    "a raw timestamp, and scores that read probabilities": ("binary", MACHINE, ["LogLoss"], 1.7e9),
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # numpy's own, of the overflow
@pytest.mark.parametrize("name", WILD)
def test_a_model_gone_nan_is_counted_and_told_apart_from_one_untrained(name):
    """A null prediction with its reason; the untrained one has none."""
    task, learner, scores, size = WILD[name]
    file = model_file(task, learner, metrics=scores)
    untrained = loads(Trainer(file).snapshot(version="v1").segments["model"], ())
    trainer, taking = Trainer(file), Taking(file)
    for n, (x, y) in enumerate(only_numbers((numbers if task == "regression" else binary)(300))):
        event = Event(features={**x, "at": size + n}, label=y)
        assert taking.one(trainer, event, offset=n) is None

    snapshot = trainer.snapshot(version="v2")
    answer = ServedModel(file, loads(snapshot.segments["model"], ())).predict(
        {"a": 1.0, "at": size}
    )

    assert snapshot.nonfinite > 200
    assert (answer["prediction"], answer["reason"]) == (None, "not_finite")
    assert set(answer.get("probabilities", {}).values()) <= {None}
    assert "reason" not in ServedModel(file, untrained).predict({"a": 1.0, "at": size})


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ({"a": 1e13}, Reason.out_of_bounds),
        ({"a": "x" * 2000}, Reason.too_large),
        ({f"f{n}": 1 for n in range(1001)}, Reason.too_many_features),
    ],
)
def test_a_question_passes_the_gate(features, reason, tmp_path):
    """Its features as an event's; it has no label to be looked at."""
    _, file, payload = trained("river", tmp_path)

    assert ServedModel(file, payload, tmp_path).predict(features).reason is reason


def test_questions_change_nothing(tmp_path):
    """However many: the answer to the last is the answer to the first."""
    _, file, payload = trained("vw", tmp_path)
    served = ServedModel(file, payload, tmp_path)
    first = [served.predict(x) for x, _ in binary(20)]

    for x, _ in binary(500, seed=8):
        served.predict(x)

    assert [served.predict(x) for x, _ in binary(20)] == first


def test_vw_of_other_arguments_is_not_served(tmp_path):
    """VW would load it without a word and answer otherwise."""
    _, _, payload = trained("vw", tmp_path)
    other = model_file("binary", {"vw": "--loss_function hinge"})

    with pytest.raises(RestoreError, match="learned with"):
        ServedModel(other, payload, tmp_path)


@pytest.mark.parametrize("name", CASES)
def test_it_is_judged_by_labelled_events_and_remembers_none(name, tmp_path):
    """In the learner's own labels; a label that it has never seen changes no answer."""
    _, file, payload = trained(name, tmp_path)
    served = ServedModel(file, payload, tmp_path)
    x, y = CASES[name][2][0]
    label = ("DOWN", "UP")[y] if name == "river" else y
    answer = served.predict(x)

    truth, (predicted, _) = served.judge(Event(features=x, label=label))
    strange = served.judge(Event(features=x, label="never seen"))

    assert truth == y
    assert served._labels.answer((predicted, None))[0] == answer["prediction"]
    assert served.predict(x) == answer
    if name == "classes":
        assert strange.y == "never seen"
    else:
        assert strange.reason is Reason.bad_label


def test_what_may_not_be_predicted_is_not_judged(tmp_path):
    """A feature of another kind than it was, or no label."""
    _, file, payload = trained("river", tmp_path)
    served = ServedModel(file, payload, tmp_path)

    assert served.judge(Event(features={"a": "text"}, label="UP")).reason is Reason.wrong_type
    assert served.judge(Event(features={"a": 1.0})).reason is Reason.missing_label
