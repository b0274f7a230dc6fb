"""For schemathesis: what no schema can say.

An `Idempotency-Key` stands for one command, so no two share one. A skip ends after it begins.
"""

import itertools
import re
from typing import Any

import schemathesis

_KEY = "Idempotency-Key"
_IS_RIGHT = re.compile("[!-~]([ -~]{0,240}[!-~])?")
_numbers = itertools.count()
_OFFSETS = re.compile(
    r"((?:[A-Za-z0-9._-]{1,249}/)?[0-9]{1,9}:)([0-9]{1,18})-([0-9]{1,18})", re.ASCII
)
_TIMES = re.compile(r"time:[^/]+/[^/]+")
_A_YEAR = "time:2026-01-01T00:00:00Z/2027-01-01T00:00:00Z"


@schemathesis.hook
def before_call(context: Any, case: Any, **kwargs: Any) -> None:
    """Give a right key a number, and put skips in order; what is wrong otherwise stays so."""
    del context, kwargs
    headers = case.headers or {}
    if _IS_RIGHT.fullmatch(str(headers.get(_KEY, ""))):
        headers[_KEY] += f"-{next(_numbers)}"
    if isinstance(case.body, dict) and isinstance(case.body.get("skip"), list):
        case.body["skip"] = [_in_order(each) for each in case.body["skip"]]


def _in_order(skip: Any) -> Any:
    """A skip of a right form with its ends in order; all else as it is."""
    if not isinstance(skip, str):
        return skip
    if found := _OFFSETS.fullmatch(skip):
        first, last = sorted(map(int, found.group(2, 3)))
        return f"{found[1]}{first}-{last}"
    return _A_YEAR if _TIMES.fullmatch(skip) else skip
