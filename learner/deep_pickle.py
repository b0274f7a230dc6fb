"""Pickling of deeply nested models.

A Hoeffding adaptive tree regressor nests deeper than Python's recursion limit after some hundred
events. Pickling recurses in C, so the deep ones are pickled on a thread with a stack to match.
"""

import pickle
import sys
import threading

# Levels of nesting, and a stack that holds them at about 1 KiB of C stack a level.
_DEPTH_MAX = 200_000
_STACK_BYTES = 512 * 1024 * 1024


def dumps(value: object) -> bytes:
    """The pickle of `value` (protocol 5), however deeply it is nested.

    Raises:
        pickle.PicklingError, TypeError, AttributeError: It holds what cannot be pickled.
        RecursionError: It is nested deeper than 200,000 levels.
    """
    try:
        return pickle.dumps(value, protocol=5)
    except RecursionError:
        return _dumps_on_deep_stack(value)


def _dumps_on_deep_stack(value: object) -> bytes:
    done: list[bytes] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            done.append(pickle.dumps(value, protocol=5))
        except Exception as error:
            failed.append(error)

    stack_before = threading.stack_size(_STACK_BYTES)
    limit_before = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(_DEPTH_MAX)
        thread = threading.Thread(target=work, name="deep-pickle")
        thread.start()
        thread.join()
    finally:
        sys.setrecursionlimit(limit_before)
        threading.stack_size(stack_before)
    if failed:
        raise failed[0]
    return done[0]
