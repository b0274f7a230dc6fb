"""A model's answers as plain Python values: what numpy returns looks like them, and is not.

Whatever answers, an estimator hands on Python's own floats, labels and dicts of them, so that
nothing that is written down or sent can hold anything else. A scalar of numpy, or of a library like
it, becomes the same number to the last bit. What is no number and no label is a mistake of the
model, and no value that could be made of it would be its answer.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from config.model_file import TaskName
from learner.estimator import Native
from learner.tasks import TASKS


class AnswerError(TypeError):
    """The model answered what is no prediction of its task.

    Operator: the model's class has to be mended; the message names what it returned.
    """


class Border:
    """What may pass from a model of one task to whoever asked it.

    Args:
        model: Whose name is in the messages.
        task: What it predicts.

    Attributes:
        kinds: Types of a prediction that pass as they are; all others go through `label`.

    >>> import numpy as np
    >>> Border(object(), "regression").label(np.float32(0.5))
    0.5
    >>> Border(object(), "binary").label(np.int64(1))
    True
    >>> Border(object(), "multiclass").label([2])
    Traceback (most recent call last):
        ...
    learner.plain.AnswerError: predict_one of builtins:object answered a list ([2]); a prediction \
of a multiclass model is a whole number, a text or None
    """

    def __init__(self, model: object, task: TaskName) -> None:
        self.kinds, self._wanted = TASKS[task].kinds, TASKS[task].wanted
        self._prediction = TASKS[task].prediction
        self._task, self._name = task, name_of(model)

    def label(self, answer: Any) -> Native | None:
        """The plain value of what `predict_one` answered.

        Raises:
            AnswerError: It is none.
        """
        if answer is None:
            return None
        found: Native | None = self._plain(answer)
        if found is None:
            wanted = f"a prediction of a {self._task} model is {self._wanted}"
            raise AnswerError(f"predict_one of {self._name} answered {_told(answer)}; {wanted}")
        return found

    def chances(self, answer: Any) -> dict[Native, float]:
        """What `predict_proba_one` answered if it is plain, else the plain dict in its order.

        Raises:
            AnswerError: It is none.
        """
        if type(answer) is dict:
            kinds = self.kinds
            for label, chance in answer.items():
                if type(chance) is not float or type(label) not in kinds:
                    break
            else:
                return answer
        return self._made_plain(answer)

    def _made_plain(self, answer: Any) -> dict[Native, float]:
        if answer is None:
            return {}
        if not isinstance(answer, Mapping):
            raise self._no_chances(answer)
        found = {}
        for label, chance in answer.items():
            native, number = self._plain(label), _number(_taken_out(chance))
            if native is None or type(native) is float or number is None:
                raise self._no_chances({label: chance})
            found[native] = number
        return found

    def _plain(self, answer: Any) -> Any:
        found = _taken_out(answer)
        number = _number(found)
        if number is not None and not isfinite(number):
            return number  # no label, and counted as such
        return self._prediction(found, number)

    def _no_chances(self, answer: Any) -> AnswerError:
        wanted = "probabilities are a dict of labels and numbers"
        return AnswerError(f"predict_proba_one of {self._name} answered {_told(answer)}; {wanted}")


def name_of(model: object) -> str:
    """A model as its user knows it: a component of River by River's name, else `module:class`.

    >>> from river import linear_model
    >>> name_of(linear_model.PARegressor()), name_of(3)
    ('linear_model.PARegressor', 'builtins:int')
    """
    kind = type(model)
    first, *rooms = kind.__module__.split(".")
    if first == "river" and rooms:
        return f"{rooms[0]}.{kind.__qualname__}"
    return f"{kind.__module__}:{kind.__qualname__}"


def _taken_out(answer: Any) -> Any:
    """What a scalar of numpy or an array without dimensions holds; anything else as it is."""
    is_scalar = getattr(answer, "ndim", None) == 0 and callable(getattr(answer, "item", None))
    return answer.item() if is_scalar else answer


def _number(answer: Any) -> Any:
    """The same number as a float, an int or a bool; None for what is none."""
    kind = type(answer)
    if kind is float or kind is bool:
        return answer
    if isinstance(answer, float):
        return float(answer)
    if isinstance(answer, int) and abs(answer) <= _INT_MAX:
        return int(answer)
    return None


# Beyond this a whole number is no float any more, which every score and every answer wants.
_INT_MAX = 2**1023


def _told(answer: Any) -> str:
    kind = type(answer)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    article = "an" if name[0] in "aeiouAEIOU" else "a"
    return f"{article} {name} ({_shown(answer)})"


def _shown(answer: Any) -> str:
    try:
        shown = repr(answer)
    except Exception as error:  # a class of the user's
        shown = f"its repr raises {type(error).__name__}"
    return shown if len(shown) <= 80 else shown[:79] + "…"
