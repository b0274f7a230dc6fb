"""What MLflow's errors say, in one line for who waits. Pure: the errors are handed in."""

import re
import textwrap
from collections.abc import Iterator

from config.text.addresses import without_password

__all__ = ["address_of", "told"]

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_CHARACTERS_MAX = 300
_CLIENTS = ("requests", "urllib3")  # by which MLflow asks its server
_UNREACHED = ("ConnectionError", "Timeout", "TimeoutError", "ProxyError", "SSLError")


def address_of(uri: str) -> str:
    """Where MLflow is, as it may stand in a log.

    >>> address_of("https://me:secret@mlflow.example:5000"), address_of("./mlruns")
    ('https://mlflow.example:5000', './mlruns')
    """
    return without_password(uri) if "://" in uri else uri


def told(error: BaseException, address: str) -> str:
    """That its server does not answer, or else the first sentence of what it says."""
    chain = list(_behind(error))
    if any(_is_unreached(each) for each in chain):
        return f"MLflow at {address} does not answer ({_reason(chain)}): is it running?"
    return f"MLflow at {address}: {_first_sentence(str(error)) or type(error).__name__}"


def _behind(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came of: causes, and what an error holds as its reason."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]


def _is_unreached(error: BaseException) -> bool:
    kind = type(error)
    return kind.__module__.partition(".")[0] in _CLIENTS and kind.__name__.endswith(_UNREACHED)


def _reason(chain: list[BaseException]) -> str:
    """In the system's words, where it has any."""
    said = [each.strerror for each in chain if isinstance(each, OSError) and each.strerror]
    if said:
        return said[0].lower()
    if any("Timeout" in type(each).__name__ for each in chain):
        return "no answer in time"
    return _first_sentence(str(chain[-1])).lower() or "connection lost"


def _first_sentence(text: str) -> str:
    """Whole, or cut between two words.

    >>> _first_sentence("INVALID: There is no run 7. Look elsewhere.\\nTraceback")
    'INVALID: There is no run 7'
    """
    line = next(iter(text.strip().splitlines()), "")
    sentence = _SENTENCE_END.split(line, maxsplit=1)[0].rstrip(".")
    return textwrap.shorten(sentence, _CHARACTERS_MAX, placeholder=" …")
