"""What an event has and a pipeline does not take: which feature, and at which step.

Found by trying: the steps are asked one after the other, and of the one that raises it is tried
which values it would have taken. For the one message that a learner ends with; nothing is learned.
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

from river import base, compose

from learner.errors import told

# River's own name for what a wrapper wraps; it has no public one.
_wrapped = attrgetter("_wrapped_model")
_RAISES = (BaseException,)  # River's Rust panics with what is no Exception
_NAMED_MAX = 3
# What stands for a value of the other kind, to see whether the step takes that.
_NUMBER, _TEXT = 0.5, "text"


class _Failing(NamedTuple):
    """A step that raises, the features that reach it, and how it is tried again."""

    step: Any
    x: Mapping[str, Any]
    ask: Callable[[Any], object]
    cause: BaseException


def why_raised(model: Any, x: Any, y: Any) -> str | None:
    """What is wrong with this example, as far as it can be told; None where it does not raise.

    Args:
        model: A pipeline of River's, or an object with its verbs. It is left as it is.
        x: The features, as they reach the model.
        y: The learner's own label.

    >>> from river import linear_model, preprocessing
    >>> scaled = preprocessing.StandardScaler() | linear_model.LinearRegression()
    >>> print(why_raised(scaled, {"hum": 0.5, "dteday": "2011-01-01"}, 3.0))
    'dteday' is text and reaches StandardScaler: leave it out, or encode it
    >>> picked = compose.Select("temp") | linear_model.LinearRegression()
    >>> print(why_raised(picked, {"hum": 0.5}, 3.0))
    'temp' is missing and Select wants it: send it, or take it out of the pipeline
    """
    model = copy.deepcopy(model)
    for questions in (_asking, lambda step: _learning(step, y)):
        failing = _failing(model, x, questions)
        if failing is not None:
            return _what(failing)
    return None


def _what(failing: _Failing) -> str:
    name = type(failing.step).__name__
    missing = _missing(failing)
    if missing is not None:
        advice = "send it, or take it out of the pipeline"
        return f"{missing!r} is missing and {name} wants it: {advice}"
    if texts := _unsuited(failing, (str,), _NUMBER):
        is_text, them = ("is text", "it") if len(texts) == 1 else ("are text", "them")
        reaches = "reaches" if len(texts) == 1 else "reach"
        advice = f"leave {them} out, or encode {them}"
        return f"{_named(texts)} {is_text} and {reaches} {name}: {advice}"
    if numbers := _unsuited(failing, (int, float, bool), _TEXT):
        are = "is no text" if len(numbers) == 1 else "are no text"
        return f"{_named(numbers)} {are}, which is all that {name} takes"
    return f"{name} raises {told(failing.cause)}"


def _missing(failing: _Failing) -> object:
    """The feature that the step looked for and the event does not have."""
    cause = failing.cause
    key = cause.args[0] if isinstance(cause, KeyError) and cause.args else None
    return key if isinstance(key, str) and key not in failing.x else None


def _unsuited(failing: _Failing, kinds: tuple[type, ...], instead: object) -> list[str]:
    """The features of these kinds that it does not take, where it takes `instead` of them."""
    suspects = [name for name, value in failing.x.items() if type(value) in kinds]
    harmless = {**failing.x, **dict.fromkeys(suspects, instead)}
    if not suspects or _raised(failing.ask, harmless):
        return []
    return [name for name in suspects if _raised(failing.ask, {**harmless, name: failing.x[name]})]


def _failing(
    step: Any, x: Any, questions: Callable[[Any], Callable[[Any], object]]
) -> _Failing | None:
    """The innermost step that raises, in the order in which they are passed."""
    if not isinstance(x, Mapping):
        return None
    ask = questions(step)
    cause = _raised(ask, x)
    if cause is None:
        return None
    for inner, reaching in _within(step, x):
        failing = _failing(inner, reaching, questions)
        if failing is not None:
            return failing
    return _Failing(step, x, ask, cause)


def _within(step: Any, x: Any) -> Iterator[tuple[Any, Any]]:
    """The steps inside, each with what reaches it."""
    if issubclass(type(step), compose.Pipeline):
        for inner in step.steps.values():
            yield inner, x
            if isinstance(inner, base.Transformer):
                try:
                    x = inner.transform_one(x)
                except _RAISES:
                    return
    elif issubclass(type(step), compose.TransformerUnion):
        for inner in step.transformers.values():
            yield inner, x
    elif isinstance(step, base.Wrapper):
        yield _wrapped(step), x


def _asking(step: Any) -> Callable[[Any], object]:
    verb = "transform_one" if isinstance(step, base.Transformer) else "predict_one"
    return lambda x: getattr(step, verb)(dict(x))


def _learning(step: Any, y: Any) -> Callable[[Any], object]:
    labels = (y,) if getattr(step, "_supervised", True) else ()
    return lambda x: copy.deepcopy(step).learn_one(dict(x), *labels)


def _raised(ask: Callable[[Any], object], x: Any) -> BaseException | None:
    try:
        ask(x)
    except _RAISES as error:
        return error
    return None


def _named(names: list[str]) -> str:
    """The first few, in quotes.

    >>> _named(["a"]), _named(["a", "b"]), _named(list("abcde"))
    ("'a'", "'a' and 'b'", "'a', 'b', 'c' and 2 more")
    """
    shown = [repr(name[:80]) for name in names[:_NAMED_MAX]]
    more = len(names) - len(shown)
    if more:
        shown.append(f"{more} more")
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
