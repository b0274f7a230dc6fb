"""The screen: what the record alone tells of whether it may be learned.

Pure, and without memory of what was learned: it may run in another process than the learner. The
gate (`learner.events.gate`) asks what is left, of which it keeps the memory.
"""

from typing import Any

from config.model_file import ModelFile
from learner.estimator import Estimator
from learner.events.kinds import KINDS, NO_KIND, refused_by_spec
from learner.events.words import above, as_yaml, epoch_unit
from learner.values import Event, Features, Reason, Refusal, Scalar
from learner.vw.text import unlabelled

# Names found short enough are remembered up to so many: only a saving.
_NAMES_REMEMBERED = 100_000
_NUMBERS: tuple[Any, ...] = ()


_NO_LABEL = Refusal(
    Reason.missing_label,
    "an event without a label: by `late_labels.features` answers of the API wait for theirs",
    "gate",
)


class Screen:
    """Checks events and the features of prediction requests.

    Args:
        model_file: Its limits, features, `missing` and `strict`.
        estimator: Built from it; whether it flattens, takes weights, imputes and fills.
    """

    def __init__(self, model_file: ModelFile, estimator: Estimator) -> None:
        self._limits = model_file.limits
        self._specs = model_file.features or {}
        self._missing = frozenset(model_file.missing or ())
        self._strict = model_file.strict
        late = model_file.late_labels
        self._may_wait = late is None or late.features != "predictions"
        self._flattens, self._imputes = estimator.flattens, estimator.imputes
        self._fills = dict.fromkeys(estimator.fills).keys()
        self._takes_weight = estimator.takes_weight
        self._short_names: set[str] = set()
        self._layouts: dict[tuple[Any, ...], set[str]] = {}

    def check(self, event: Event) -> Any:
        """The event's features as the learner takes them, or its line of text; None: it is a label
        on its own; or a `Refusal`.
        """
        if event.features is None and event.text is None:
            return self._refused_id(event.id)
        if event.text is not None:
            x: Any = event.text if event.label is not None else unlabelled(event.text)
            layout = _NUMBERS
        else:
            x, layout = self.screened(event.features or {})
            if type(x) is Refusal:
                return x
        if event.weight is not None or event.id is not None or event.label is None:
            refusal = self._refused_beside(event)
            if refusal is not None:
                return refusal
        if type(x) is dict:
            names = self._layouts.get(layout)
            if names is None:
                self._layouts[layout] = set(x)
            elif not x.keys() <= names:
                names.update(x)
        return x

    def names(self) -> dict[str, list[str]]:
        """Names of the features that passed `check` since this was last asked, by kind."""
        found: dict[str, set[str]] = {}
        for layout, names in self._layouts.items():
            odd = layout[::2]
            found.setdefault("number", set()).update(names.difference(odd))
            for name, kind in zip(odd, layout[1::2], strict=True):
                found.setdefault(KINDS.get(kind, NO_KIND), set()).add(name)
        self._layouts = {}
        return {kind: list(names) for kind, names in found.items()}

    def _refused_id(self, event_id: str | None) -> Refusal | None:
        if event_id is None or len(event_id) <= self._limits.string:
            return None
        return _too_long("id", len(event_id), self._limits.string)

    def _refused_beside(self, event: Event) -> Refusal | None:
        """Why what stands beside the features is refused."""
        if event.weight is not None:
            refusal = self._refused_weight(event.weight)
            if refusal is not None:
                return refusal
        if event.label is None and event.served is None and not self._may_wait:
            return _NO_LABEL
        return self._refused_id(event.id)

    def _refused_weight(self, weight: float) -> Refusal | None:
        if not 0.0 <= weight <= self._limits.value:
            detail = f"weight {weight!r} is not within 0 and limits.value {self._limits.value:g}"
            return Refusal(Reason.out_of_bounds, detail, "gate")
        if not self._takes_weight:
            return Refusal(Reason.weight_unsupported, "this learner takes no weight", "gate")
        return None

    def features(self, features: Features) -> Any:
        """The features as the learner takes them, unchanged where nothing has to change; or a
        `Refusal`.
        """
        return self.screened(features)[0]

    def screened(self, features: Features) -> tuple[Any, tuple[Any, ...]]:
        """The same, and name and type of each that is no number, one after the other."""
        if len(features) > self._limits.features:
            count = len(features) - sum(map(self._is_left_out, features.values()))
            if count > self._limits.features:
                return _too_many(count, self._limits.features), _NUMBERS
        layout = self._odd_values(features)
        if type(layout) is Refusal:
            return layout, _NUMBERS
        if not (features.keys() <= self._short_names):
            refusal = self._refused_names(features)
            if refusal is not None:
                return refusal, _NUMBERS
        if layout is None or (self._fills and not features.keys() >= self._fills):
            rebuilt = self._rebuilt(features)
            if isinstance(rebuilt, Refusal):
                return rebuilt, _NUMBERS
            features, layout = rebuilt, _layout_of(rebuilt)
        if self._specs or self._strict:
            refusal = self._refused_by_schema(features)
            if refusal is not None:
                return refusal, _NUMBERS
        return features, tuple(layout)

    def _odd_values(self, features: Features) -> Any:
        """Name and type of each value that is no number; None where nulls, absent words or nested
        objects are still to be looked at; or a refusal.
        """
        bound, string_limit, missing = self._limits.value, self._limits.string, self._missing
        has_more = False
        odd: list[Any] = []
        value: Any  # its kind is looked at below
        for name, value in features.items():
            kind = type(value)
            if kind is float or kind is int:
                if not -bound <= value <= bound:
                    refusal = self._beyond(name, value)
                    if refusal is not None:
                        return refusal
            elif kind is str:
                if len(value) > string_limit:
                    return _too_long(name, len(value), string_limit)
                if missing and value in missing:
                    has_more = True
                odd += (name, str)
            elif kind is bool:
                odd += (name, bool)
            else:
                has_more = True
        return None if has_more else odd

    def _beyond(self, name: str, value: float) -> Refusal | None:
        """The refusal of a number beyond `limits.value`, unless its feature has bounds of its own,
        which are the more specific word.
        """
        spec, bound = self._specs.get(name), self._limits.value
        lowest = spec.min if spec and spec.min is not None else -bound
        highest = spec.max if spec and spec.max is not None else bound
        return None if lowest <= value <= highest else beyond(name, value, bound)

    def _is_left_out(self, value: Any) -> bool:
        return not self._imputes and self._is_absent(value)

    def _is_absent(self, value: Any) -> bool:
        return value is None or (type(value) is str and value in self._missing)

    def _refused_names(self, features: Features) -> Refusal | None:
        for name in features:
            if len(name) > self._limits.string:
                return _too_long("a feature's name", len(name), self._limits.string)
        if len(self._short_names) < _NAMES_REMEMBERED:
            self._short_names.update(features)
        return None

    def _rebuilt(self, features: Features) -> Features | Refusal:
        """What is absent left out or, where the learner imputes, None; nested objects checked and,
        where the learner wants it, flattened.
        """
        kept: Features = {}
        count = 0
        for name, value in features.items():
            group = self._group(name, value) if isinstance(value, dict) else {name: value}
            if isinstance(group, Refusal):
                return group
            group = {k: None if self._is_absent(v) else v for k, v in group.items()}
            if not self._imputes:
                group = {k: v for k, v in group.items() if v is not None}
            count += len(group)
            found: Features = {**group}
            if isinstance(value, dict) and not self._flattens:
                found = {name: group}
            for full_name, each in found.items():
                if kept.get(full_name) is None:
                    kept[full_name] = each
                elif each is not None:
                    return _given_twice(features, full_name)
        if count > self._limits.features:
            return _too_many(count, self._limits.features)
        return kept | {name: None for name in self._fills if name not in kept}

    def _group(self, outer: str, values: dict[str, Scalar]) -> dict[str, Scalar] | Refusal:
        """The features within a nested one, by their full names if the learner wants it flat."""
        limits = self._limits
        if limits.depth < 2:
            detail = f"feature {outer!r} is nested, limits.depth is {limits.depth}"
            return Refusal(Reason.too_deep, detail, "gate")
        for name, value in values.items():
            if isinstance(value, str):
                if len(value) > limits.string:
                    return _too_long(f"{outer}.{name}", len(value), limits.string)
            elif value is not None and not -limits.value <= value <= limits.value:
                refusal = self._beyond(f"{outer}.{name}", value)
                if refusal is not None:
                    return refusal
            if value is not None and len(name) > limits.string:
                return _too_long("a feature's name", len(name), limits.string)
        return {f"{outer}.{k}": v for k, v in values.items()} if self._flattens else values

    def _refused_by_schema(self, features: Features) -> Refusal | None:
        for name, value in features.items():
            pairs = value.items() if isinstance(value, dict) else ((None, value),)
            for inner, scalar in pairs:
                full_name = name if inner is None else f"{name}.{inner}"
                spec = self._specs.get(full_name)
                if scalar is None:
                    continue
                if spec is not None:
                    refusal = refused_by_spec(full_name, scalar, spec)
                    if refusal is not None:
                        return refusal
                elif self._strict:
                    detail = f"feature {full_name!r} is not listed and the model file is strict"
                    return Refusal(Reason.unknown_field, detail, "gate")
        return None


def _layout_of(features: Features) -> list[Any]:
    """Name and type of each that is no number."""
    odd: list[Any] = []
    for name, value in features.items():
        kind = type(value)
        if kind is not float and kind is not int:
            odd += (name, kind)
    return odd


def beyond(name: str, value: float, bound: float) -> Refusal:
    """The refusal of a number that is beyond `limits.value`, and what would admit it."""
    unit, admits = epoch_unit(value), above(value)
    detail = f"feature {name[:80]!r} is {str(value)[:40]}, limits.value is {bound:g}"
    if unit is not None:
        detail += f"; it looks like {unit}"
    if admits is None:
        return Refusal(Reason.out_of_bounds, detail, "gate")
    kind = "float" if type(value) is float else "int"
    side = f"max: {admits}" if value > 0 else f"min: -{admits}"
    mend = f"limits: {{value: {admits}}} or features: {{{as_yaml(name)}: {{type: {kind}, {side}}}}}"
    return Refusal(Reason.out_of_bounds, f"{detail}; {mend} admits it", "gate", mend=mend)


def _too_long(name: str, length: int, limit: int) -> Refusal:
    detail = f"{name[:80]} is {length} characters, limits.string is {limit}"
    return Refusal(Reason.too_large, detail, "gate")


def _too_many(count: int, limit: int) -> Refusal:
    detail = f"{count} features, limits.features is {limit}"
    return Refusal(Reason.too_many_features, detail, "gate")


def _given_twice(features: Features, full_name: str) -> Refusal:
    """Two features that flattening makes one: which of them is meant is not ours to guess."""
    places = []
    for name, value in features.items():
        if isinstance(value, dict):
            places += [
                f"{inner} in {name}"
                for inner, scalar in value.items()
                if f"{name}.{inner}" == full_name and scalar is not None
            ]
        elif name == full_name and value is not None:
            places.append(name)
    ways = " and as ".join(place[:80] for place in places)
    detail = f"feature {full_name[:80]!r} is given twice, as {ways}"
    return Refusal(Reason.wrong_type, detail, "gate")
