"""The learner's errors: a model file that asks for too much, a snapshot that cannot be loaded, an
example that it raised on.
"""

from collections.abc import Mapping
from typing import Any

from learner.events.examples import Examples

_TOLD_MAX = 500
_NAME_MAX = 80


def told(cause: BaseException) -> str:
    """What was raised, with its type: text that can be encoded, no longer than a header should be.

    >>> told(ValueError("no such thing"))
    'ValueError: no such thing'
    """
    try:
        what = f"{type(cause).__name__}: {cause}"
    except Exception as error:  # a class of the user's may fail to say what it is
        what = f"{type(cause).__name__}, whose text raises {type(error).__name__}"
    return what[:_TOLD_MAX].encode("utf-8", "backslashreplace").decode()


def told_of(cause: BaseException, x: Any) -> str:
    """What was raised on these features; a feature that was looked for and is absent is named so.

    >>> told_of(KeyError("price"), {"items": 2})
    "KeyError: feature 'price' is absent, and a step of the pipeline wants it: send it, or select \
by compose.Discard, which takes what there is"
    """
    key = cause.args[0] if isinstance(cause, KeyError) and cause.args else None
    if not isinstance(key, str) or not isinstance(x, Mapping) or key in x:
        return told(cause)
    name = key[:_NAME_MAX].encode("utf-8", "backslashreplace").decode()
    return (
        f"KeyError: feature {name!r} is absent, and a step of the pipeline wants it: "
        "send it, or select by compose.Discard, which takes what there is"
    )


class SpecError(ValueError):
    """The model file names something that cannot be built, or that does not suit its task.

    Operator: correct the model file at `key`; the message names the nearest right name.
    """

    exit_code = 2

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key, self.message = key, message


class UnlearnableError(ValueError):
    """Each of the first events of a model raises: what they hold is not what its learner takes.

    Operator: mend the events or the pipeline, as the message says, and start again. Those that no
    version has refused are read again.
    """

    exit_code = 2


class RestoreError(ValueError):
    """A snapshot's model cannot go on in this program, or not as this model file has it.

    Operator: restore with the model file and the versions of River and Vowpal Wabbit that the
    version's manifest names, or rebuild the version from the log.
    """

    exit_code = 4


class LearnFailedError(Exception):
    """The learner raised on an example and may be half-updated: throw it away, restore the head.

    Attributes:
        place: Which of the examples given.
        what: What it raised, with its type.
    """

    def __init__(self, examples: Examples, place: int, cause: BaseException) -> None:
        self.topic, self.partition = examples.topic, examples.partition
        self.offset, self.place = examples.offsets[place], place
        self.what = told_of(cause, examples.xs[place])
        super().__init__(f"learning {self.topic}-{self.partition}-{self.offset} raised {self.what}")
