"""For schemathesis: an `Idempotency-Key` stands for one command, so no two share one."""

import itertools
import re
from typing import Any

import schemathesis

_KEY = "Idempotency-Key"
_IS_RIGHT = re.compile("[!-~]([ -~]{0,240}[!-~])?")
_numbers = itertools.count()


@schemathesis.hook
def before_call(context: Any, case: Any, **kwargs: Any) -> None:
    """Give a right key a number; a wrong one stays wrong."""
    del context, kwargs
    headers = case.headers or {}
    if _IS_RIGHT.fullmatch(str(headers.get(_KEY, ""))):
        headers[_KEY] += f"-{next(_numbers)}"
