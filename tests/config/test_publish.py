"""The section `publish` of a model file, and its mistakes."""

import pytest

from checkpoints.compatibility import adopted_sections
from config.errors import ModelFileError
from config.model.publish import Publish
from config.model_file import parse_model_file

HEAD = "name: m\ntask: binary\nlearner: {vw: --noconstant}\nmetrics: [Accuracy, LogLoss]\n"


def test_a_section_names_a_score_and_a_margin():
    """Without one nothing is held back; it is in the manifest like any other."""
    model = parse_model_file(HEAD + "publish: {score: LogLoss, margin: 0.1}\n")

    assert model.publish == Publish(score="LogLoss", margin=0.1)
    assert model.sections()["publish"] == {"score": "LogLoss", "margin": 0.1}
    assert parse_model_file(HEAD).publish is None


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ("{score: F1, margin: 0.1}", "score F1 must be one of `metrics:`, which lists Accuracy, "),
        ("{score: Accuracy, margin: -0.1}", "publish.margin: "),
        ("{score: Accuracy, margin: .inf}", "publish.margin: "),
        ("{score: Accuracy}", "publish.margin: is missing"),
        ("{margin: 0.1}", "publish.score: is missing"),
        ("{score: Accuracy, margin: 0.1, by: 3}", "publish.by: is not a key that is known here"),
    ],
)
def test_a_mistake_is_told_with_its_line(section, complaint):
    """What is missing, below nothing, or not scored."""
    with pytest.raises(ModelFileError) as error:
        parse_model_file(f"{HEAD}publish: {section}\n", file="m.yaml")

    assert "m.yaml:5: publish" in str(error.value)
    assert complaint in str(error.value)


def test_a_usual_score_need_not_be_listed():
    """The metrics that are filled in count."""
    text = "name: m\ntask: regression\nlearner: {vw: --noconstant}\n"

    assert parse_model_file(text + "publish: {score: MAE, margin: 0}\n").metrics == ("MAE",)


def test_a_gate_may_be_added_changed_and_left_out():
    """Nothing is learned by it."""
    gated = parse_model_file(HEAD + "publish: {score: Accuracy, margin: 0.1}\n").sections()
    plain = parse_model_file(HEAD).sections()

    assert adopted_sections("m", "v3", plain, gated) == ("publish",)
    assert adopted_sections("m", "v3", gated, plain) == ("publish",)
