"""The screen: what the record alone tells of whether it may be learned.

Pure, and without memory of what was learned: it may run in another process than the learner. The
gate (`learner.gate`) asks what is left, of which it keeps the memory.
"""

from typing import Any

from config.model_file import FeatureSpec, ModelFile
from learner.values import Event, Features, Reason, Refusal, Scalar

# Names found short enough are remembered up to so many: only a saving.
_NAMES_REMEMBERED = 100_000


class Screen:
    """Checks events and the features of prediction requests.

    Args:
        model_file: Its limits, features and `strict`.
        flattens: Whether nested features become `outer.inner`.
        takes_weight: Whether the learner can use a weight; else a weighted event is refused.
    """

    def __init__(self, model_file: ModelFile, *, flattens: bool, takes_weight: bool) -> None:
        self._limits = model_file.limits
        self._specs = model_file.features or {}
        self._strict = model_file.strict
        self._flattens = flattens
        self._takes_weight = takes_weight
        self._short_names: set[str] = set()

    def check(self, event: Event) -> Any:
        """The event's features as the learner takes them, or its line of text; or a `Refusal`."""
        if event.text is not None:
            x: Any = event.text
        else:
            x = self.features(event.features or {})
            if type(x) is Refusal:
                return x
        if event.label is None:
            detail = "an event without a label: labels that come late are not joined yet"
            return Refusal(Reason.missing_label, detail, "gate")
        if event.weight is not None:
            refusal = self._refused_weight(event.weight)
            if refusal is not None:
                return refusal
        if event.id is not None and len(event.id) > self._limits.string:
            return _too_long("id", len(event.id), self._limits.string)
        return x

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
        if len(features) > self._limits.features:
            count = sum(value is not None for value in features.values())
            if count > self._limits.features:
                return _too_many(count, self._limits.features)
        found = self._refused_values(features)
        if type(found) is Refusal:
            return found
        if not (features.keys() <= self._short_names):
            refusal = self._refused_names(features)
            if refusal is not None:
                return refusal
        if found:
            rebuilt = self._without_nulls(features)
            if isinstance(rebuilt, Refusal):
                return rebuilt
            features = rebuilt
        if self._specs or self._strict:
            refusal = self._refused_by_schema(features)
            if refusal is not None:
                return refusal
        return features

    def _refused_values(self, features: Features) -> Any:
        """A refusal, or whether there are nulls or nested objects still to be looked at."""
        bound, string_limit = self._limits.value, self._limits.string
        has_more = False
        value: Any  # its kind is looked at below
        for name, value in features.items():
            kind = type(value)
            if kind is float or kind is int:
                if not -bound <= value <= bound:
                    return _beyond(name, value, bound)
            elif kind is str:
                if len(value) > string_limit:
                    return _too_long(name, len(value), string_limit)
            elif kind is not bool:
                has_more = True
        return has_more

    def _refused_names(self, features: Features) -> Refusal | None:
        for name in features:
            if len(name) > self._limits.string:
                return _too_long("a feature's name", len(name), self._limits.string)
        if len(self._short_names) < _NAMES_REMEMBERED:
            self._short_names.update(features)
        return None

    def _without_nulls(self, features: Features) -> Features | Refusal:
        """Nulls left out, nested objects checked and, where the learner wants it, flattened."""
        kept: Features = {}
        count = 0
        for name, value in features.items():
            if value is None:
                continue
            if not isinstance(value, dict):
                if name in kept:
                    return _given_twice(features, name)
                kept[name] = value
                count += 1
                continue
            if self._limits.depth < 2:
                detail = f"feature {name!r} is nested, limits.depth is {self._limits.depth}"
                return Refusal(Reason.too_deep, detail, "gate")
            inner: dict[str, Scalar] = {k: v for k, v in value.items() if v is not None}
            refusal = self._refused_inner(name, inner)
            if refusal is not None:
                return refusal
            count += len(inner)
            if self._flattens:
                flat: Features = {f"{name}.{k}": v for k, v in inner.items()}
                if not flat.keys().isdisjoint(kept):
                    return _given_twice(features, min(flat.keys() & kept.keys()))
                kept.update(flat)
            else:
                kept[name] = dict(inner)
        return kept if count <= self._limits.features else _too_many(count, self._limits.features)

    def _refused_inner(self, outer: str, inner: dict[str, Any]) -> Refusal | None:
        limits = self._limits
        for name, value in inner.items():
            if isinstance(value, str):
                if len(value) > limits.string:
                    return _too_long(f"{outer}.{name}", len(value), limits.string)
            elif not -limits.value <= value <= limits.value:
                return _beyond(f"{outer}.{name}", value, limits.value)
            if len(name) > limits.string:
                return _too_long("a feature's name", len(name), limits.string)
        return None

    def _refused_by_schema(self, features: Features) -> Refusal | None:
        for name, value in features.items():
            pairs = value.items() if isinstance(value, dict) else ((None, value),)
            for inner, scalar in pairs:
                full_name = name if inner is None else f"{name}.{inner}"
                spec = self._specs.get(full_name)
                if spec is not None:
                    refusal = _refused_by_spec(full_name, scalar, spec)
                    if refusal is not None:
                        return refusal
                elif self._strict:
                    detail = f"feature {full_name!r} is not listed and the model file is strict"
                    return Refusal(Reason.unknown_field, detail, "gate")
        return None


_TYPES: dict[str, tuple[type, ...]] = {
    "float": (float, int),
    "int": (int,),
    "string": (str,),
    "bool": (bool,),
}


def _refused_by_spec(name: str, value: Any, spec: FeatureSpec) -> Refusal | None:
    if type(value) not in _TYPES[spec.type]:
        detail = f"feature {name!r} is {type(value).__name__}, the model file says {spec.type}"
        return Refusal(Reason.wrong_type, detail, "gate")
    is_below = spec.min is not None and value < spec.min
    if is_below or (spec.max is not None and value > spec.max):
        detail = f"feature {name!r} is {value!r}, not within {spec.min} and {spec.max}"
        return Refusal(Reason.out_of_bounds, detail, "gate")
    return None


def _beyond(name: str, value: object, bound: float) -> Refusal:
    detail = f"feature {name[:80]!r} is {str(value)[:40]}, limits.value is {bound:g}"
    return Refusal(Reason.out_of_bounds, detail, "gate")


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
