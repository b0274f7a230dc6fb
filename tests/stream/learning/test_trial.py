"""What no version can be made of is refused once, before it has learned, and in words that help."""

import pytest

from learner.errors import SpecError
from learner.events.examples import Examples
from learner.trainer import Trainer
from learner.trial.probe import PredictChangesError
from learner.trial.unwritable import UnwritableError
from stream.commit.committer import CommitEndedError
from stream.commit.protocol import SnapshotFailedError
from stream.doctor import model_findings
from stream.learning.trial import check_restorable, check_snapshot
from tests.learner.streams import model_file
from tests.stream.commit.test_committer import Learning

HERE = "tests.stream.unfit"


def own(name, task="regression", **sections):
    trust = sections.pop("trust", [HERE])
    return model_file(task, {"python": f"{HERE}:{name}"}, trust=trust, **sections)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (
            "with_lambda",
            r"steps\['<lambda>'\].func is a lambda \(.*with_lambda.<locals>.<lambda>\)",
        ),
        ("with_local_class", "the model itself is of a class made within a function"),
        ("Locked", r"parts\['guard'\]\[0\] is a _thread.lock"),
        ("Reading", "(source is an open file|lines is a generator)"),
    ],
)
def test_what_cannot_be_pickled_is_named_with_the_way_to_it(name, what):
    """The attribute, and what it holds."""
    with pytest.raises(
        UnwritableError, match=f"{HERE}:{name} cannot be made into a version: {what}"
    ):
        check_restorable(own(name), None)


@pytest.mark.parametrize("name", ["Counting", "Summing", "Drawing", "Tiring", "Patient"])
def test_a_model_that_is_changed_by_being_asked_is_refused(name):
    """Also one that looks up features, whose names nobody has told."""
    with pytest.raises(
        PredictChangesError, match=f"predict_one of {HERE}:{name} changes the model: asked again"
    ):
        check_restorable(own(name), None)


def test_a_class_of_a_module_that_is_not_trusted_is_told_with_the_line_to_add():
    """Nothing of forgery: the object is the reader's own."""
    with pytest.raises(SpecError, match=r"it holds tests\.stream\.recorder\.Recorder") as refusal:
        check_restorable(own("Foreign"), None)

    line = f"add `trust: [{HERE}, tests.stream.recorder]` to the model file"
    assert line in str(refusal.value)
    assert "signed" not in str(refusal.value)
    check_restorable(own("Foreign", trust=[HERE, "tests.stream.recorder"]), None)


def test_answers_that_are_no_predictions_are_refused_where_all_are():
    """A feature that is answered is right or wrong with the feature, which is not known yet."""
    with pytest.raises(SpecError, match=f"predict_one of {HERE}:Listing answered a numpy.ndarray"):
        check_restorable(own("Listing"), None)

    check_restorable(own("Flag", "binary"), None)
    check_restorable(own("Flag", "multiclass"), None)


@pytest.mark.parametrize("name", ["Half", "Remembering", "Grouped"])
def test_what_harms_nobody_is_let_through(name):
    """One that keeps a question or writes into it; clusters, ratings and a season of River's."""
    file = own(name)
    check_restorable(file, None)
    trainer = Trainer(file)
    xs = [{"age": float(n % 3), "b": 1.0 + n} for n in range(60)]
    trainer.take(
        Examples("events", 0, [*range(60)], [1] * 60, xs, [float(n % 5) for n in range(60)])
    )

    check_snapshot(trainer.snapshot(version="v1"), file, None)


@pytest.mark.parametrize(
    "learner",
    [
        {"vw": "--loss_function logistic"},
        {"river": ["preprocessing.StandardScaler", "linear_model.LogisticRegression"]},
        {
            "river": [
                {
                    "neighbors.KNNClassifier": {
                        "engine": {"neighbors.LazySearch": {"window_size": 50}}
                    }
                }
            ]
        },
        {"river": ["tree.HoeffdingAdaptiveTreeClassifier"]},
    ],
    ids=str,
)
def test_other_learners_pass_the_same_trial(learner, tmp_path):
    """Vowpal Wabbit saves to a path."""
    check_restorable(model_file("binary", learner), tmp_path)


@pytest.mark.parametrize(
    ("name", "x", "what"),
    [
        ("CountingLater", {"a": 1.0}, "predict_one of .*:CountingLater changes the model"),
        ("ForeignLater", {"a": 1.0}, r"add `trust: \[.*tests.stream.recorder\]`"),
    ],
)
def test_what_shows_only_once_it_has_learned_ends_the_learner_before_a_version_is_made(
    name, x, what
):
    """With code 2 and the same words, since no later version would be served either."""
    check_restorable(own(name), None)
    at = Learning(own(name), x=x, y=1.0)
    at.committer.begin(at.trainer, at.positions, control_seq=0)

    with pytest.raises(CommitEndedError, match=what) as ended:
        at.look_until(lambda: False)
    assert ended.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("FractionLater", r"it holds fractions\.Fraction"),
        ("PatternLater", r"it holds re\._compile"),
    ],
)
def test_a_class_of_ones_own_is_tried_with_each_version(name, what):
    """It may come to hold with any event what nobody could load; the last version can be."""
    at = Learning(own(name), x={"a": 1.0}, y=1.0)
    at.begin()
    assert at.finish().manifest.counts.learned == 1
    at.trainer.take(Examples("events", 0, [1, 2], [1000] * 2, [{"a": 1.0}] * 2, [1.0] * 2))
    at.committer.begin(at.trainer, at.positions, control_seq=0)

    with pytest.raises(CommitEndedError, match=what) as ended:
        at.look_until(lambda: False)
    assert ended.value.exit_code == 2


def test_a_model_that_answers_otherwise_once_it_is_loaded_is_noticed():
    """Whatever it is that differs: it is asked as whoever serves it would ask."""
    file = own("Alternating")
    trainer = Trainer(file)
    xs = [{"a": float(n)} for n in range(4)]
    trainer.take(Examples("events", 0, [0, 1, 2, 3], [1] * 4, xs, [1.0] * 4))

    with pytest.raises(SpecError, match="once it is loaded again it answers otherwise"):
        check_snapshot(trainer.snapshot(version="v1"), file, None)


def test_what_can_no_longer_be_pickled_is_named_too():
    """Learning goes on meanwhile, from the last version that could be made."""
    at = Learning(own("LockedLater"), x={"a": 1.0}, y=1.0)
    at.committer.begin(at.trainer, at.positions, control_seq=0)

    with pytest.raises(SnapshotFailedError, match=r"guard is a _thread\.lock"):
        at.look_until(lambda: False)


@pytest.mark.parametrize(
    ("name", "word"), [("with_lambda", "lambda"), ("Counting", "predict_one"), ("Foreign", "trust")]
)
def test_the_doctor_makes_the_same_trial(name, word, tmp_path):
    """With nothing set up; the finding stands at the line of the learner."""
    path = tmp_path / "m.yaml"
    path.write_text(
        f'name: m\ntask: regression\nlearner: {{python: "{HERE}:{name}"}}\ntrust: [{HERE}]\n'
    )

    model_file, (found,) = model_findings(path)

    assert model_file is None
    assert (found.level, found.exit_code, found.about) == ("error", 2, f"{path}:3")
    assert word in found.what
