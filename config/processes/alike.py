"""The environment of every process that loads a model, so that all of them answer alike.

Some of River's models and scores follow the order of a set of strings, which is that of the hash
seed. A thread pool of BLAS only gets in the way of one learner, and sums in an order of its own.
"""

import os
import sys
from collections.abc import Mapping

ALIKE: Mapping[str, str] = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}


def is_told() -> bool:
    """Whether this process was started with that environment."""
    return all(os.environ.get(name) == value for name, value in ALIKE.items())


def is_alike() -> bool:
    """Whether it obeys it: the hash seed is read once, when Python starts."""
    return is_told() and not sys.flags.hash_randomization
