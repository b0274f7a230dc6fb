"""A committed model that answers predictions and learns nothing."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from config.model_file import ModelFile
from learner.build import restore_estimator
from learner.estimator import Native, Predicted, is_not_finite
from learner.events.kinds import Kinds
from learner.events.labels import Answer
from learner.events.screen import Screen
from learner.explaining.explain import Explainer, Explanation, HowToExplain
from learner.tasks import TASKS
from learner.trial.probe import same_predicted
from learner.values import Event, Features, Reason, Refusal
from learner.vw.text import unlabelled

_UNKNOWN_MAX, _NAME_SHOWN = 20, 80


class ProbeFailedError(Exception):
    """The loaded model does not answer as it did when its snapshot was cut.

    Operator: the version must not be served; the last good one stays. Check that this machine has
    the learner's own versions of River, Vowpal Wabbit and numpy and its family of CPU.
    """


class Judged(NamedTuple):
    """The truth of an event and what was predicted of it, both in the learner's own labels."""

    y: Native
    predicted: Predicted


class ServedModel:
    """One version, loaded.

    Args:
        model_file: The reader's own copy.
        payload: The loaded segment "model" of a version.
        scratch: A private folder in memory, for learners that load only from a path.

    Attributes:
        example: Features that were learned last, or a line of text; None before the first.

    Raises:
        ProbeFailedError: It answers its own probe otherwise than the learner did.
    """

    def __init__(
        self, model_file: ModelFile, payload: Mapping[str, Any], scratch: Path | None = None
    ) -> None:
        self._estimator = restore_estimator(
            model_file, payload["estimator"], scratch, wants_probabilities=True
        )
        task = TASKS[model_file.task]
        self._labels = task.labels(model_file)
        self._labels.restore(payload["gate"]["labels"])
        self._screen = Screen(model_file, self._estimator)
        self._kinds = Kinds()
        self._kinds.restore(payload["gate"])
        self._listed = (model_file.features or {}).keys()
        self._known = self._kinds.names | self._listed
        self._takes_groups = not self._estimator.flattens and model_file.limits.depth > 1
        self._has_chances = task.has_classes
        probe = payload["probe"]
        self.example: Any = None if probe is None else probe["x"]
        self._check(probe)
        self._explainer = Explainer(self._estimator, task, self._labels)

    @property
    def features(self) -> Mapping[str, str]:
        """What it has learned of: number, text or bool, by name."""
        return self._kinds.of_each

    @property
    def classes(self) -> tuple[Native, ...]:
        """The labels that it knows, as its learner has them; none of a regression."""
        return self._labels.known

    def predict(self, features: Features) -> dict[str, Any] | Refusal:
        """The prediction for a request's features, or why they are refused.

        Returns:
            `prediction`, None while the model has none, and for classes `probabilities` by the
            label's JSON text, where the learner has any. Where the prediction is None because what
            the model answered is NaN or infinite, `reason` says `not_finite`. `unknown_features`,
            where there are any: names of features that it has never learned, some of them.
        """
        x, odd = self._screen.screened(features)
        if isinstance(x, Refusal):
            return x
        unknown = None
        if odd or not self._kinds.are_numbers(x):
            refusal = self._kinds.refusal(x)
            if refusal is not None:
                return refusal
            unknown = self._unknown(x)
        predicted = self._estimator.predict(x)
        prediction, chances = self._labels.answer(predicted)
        answer: dict[str, Any] = {"prediction": prediction}
        if is_not_finite(predicted):
            answer = {"prediction": None, "reason": Reason.not_finite.value}
        if self._has_chances and (chances is not None or answer["prediction"] is None):
            answer["probabilities"] = chances or {}
        if unknown:
            answer["unknown_features"] = unknown
        return answer

    def nested_in(self, name: str) -> tuple[str, str] | None:
        """The group that has a feature called `outer.inner`, and its name there; None: the name
        is the feature's own.

        To a learner that takes nested features as they are, the two are different features. The
        name is its own where it was learned. Else it has no weight, and is that of a group that
        was learned; or, before either was, of the one that the model file can only mean.
        """
        if not self._takes_groups or name in self._kinds.names:
            return None
        outers = [name[:at] for at, character in enumerate(name) if character == "."]
        found = [
            *filter(self._kinds.is_group, outers),
            *filter(self._kinds.names.__contains__, outers),  # a value by that name, too
            *(outers[:1] if name in self._listed else ()),
        ]
        return (found[0], name[len(found[0]) + 1 :]) if found else None

    def as_learned(self, rows: Sequence[Features]) -> Sequence[Features]:
        """Rows of a table as `predict` is asked with them.

        A column has a name and no objects, so what is nested is called `outer.inner` there, which
        River's pipelines call it, too; Vowpal Wabbit has it as another feature.
        """
        names = {name for row in rows for name in row if "." in name}
        found = {name: self.nested_in(name) for name in names}
        places = {name: place for name, place in found.items() if place is not None}
        return [nested(row, places) for row in rows] if places else rows

    def explain(self, features: Features, asked: HowToExplain) -> Explanation | Refusal:
        """Why these features of a request are answered as `predict` answers them.

        Raises:
            NotExplainedError: What is asked for cannot be had of this model.
            NoAnswerError: It has no answer.
            Exception: Whatever the learner raises.
        """
        x = self._screen.features(features)
        return x if isinstance(x, Refusal) else self._explainer.explain(x, asked)

    def judge(self, event: Event) -> Judged | Refusal:
        """What is predicted of a labelled event of the log, beside its label; or why it is refused.

        Nothing of it is remembered.

        Raises:
            Exception: Whatever the learner raises.
        """
        self._labels.mark()
        y = self._labels.native(event.label)
        self._labels.take_back()
        if isinstance(y, Refusal):
            return y
        if event.text is not None:
            return Judged(y, self._estimator.predict(unlabelled(event.text)))
        x = self._screen.features(event.features or {})
        refusal = x if isinstance(x, Refusal) else self._kinds.refusal(x)
        return refusal if refusal is not None else Judged(y, self._estimator.predict(x))

    def answer_to(self, x: Any) -> Answer:
        """The answer to features as the learner takes them, such as those of a probe."""
        return self._labels.answer(self._estimator.predict(x))

    def answer_raw(self, x: Any) -> tuple[Any, Any]:
        """What the learner itself answers for features as it takes them: label and probabilities.

        For whoever compares two versions on events that were learned; nothing is screened.
        """
        return self._estimator.predict(x)

    def _unknown(self, x: Features) -> list[str]:
        """What was neither learned nor listed; nothing is unknown to a model that knows nothing."""
        if not self._kinds.names or x.keys() <= self._known:
            return []
        names = (name[:_NAME_SHOWN] for name in x if name not in self._known)
        return list(islice(names, _UNKNOWN_MAX))

    def _check(self, probe: Mapping[str, Any] | None) -> None:
        if probe is None:
            return
        answer = self._estimator.predict(probe["x"])
        if not same_predicted(probe["predicted"], answer):
            label, chances = answer
            expected_label, expected_chances = probe["predicted"]
            raise ProbeFailedError(
                f"the probe is answered {label!r} {chances!r}, the learner answered "
                f"{expected_label!r} {expected_chances!r}"
            )


def nested(row: Features, places: Mapping[str, tuple[str, str]]) -> Features:
    """A row with these features in their groups.

    Where it has a value in a group's or a feature's place already, the name stays as it is.

    >>> places = {"geo.lat": ("geo", "lat"), "geo.lon": ("geo", "lon")}
    >>> nested({"geo.lat": 2.0, "size": 3, "geo.lon": 40.0}, places)
    {'geo': {'lat': 2.0, 'lon': 40.0}, 'size': 3}
    >>> nested({"geo": {"lat": 1.0}, "geo.lat": 2.0, "geo.lon": None}, places)
    {'geo': {'lat': 1.0, 'lon': None}, 'geo.lat': 2.0}
    """
    found: Features = {}
    for name, value in row.items():
        place = places.get(name)
        if isinstance(value, dict):
            begun: Any = found.get(name) or {}
            found[name] = {**value, **begun}
        elif place is not None and _is_free(row, *place):
            group: Any = found.get(place[0]) or {}
            found[place[0]] = {**group, place[1]: value}
        elif value is not None or name not in found:
            found[name] = value
    return found


def _is_free(row: Features, outer: str, inner: str) -> bool:
    there = row.get(outer)
    return there is None or (isinstance(there, dict) and there.get(inner) is None)
