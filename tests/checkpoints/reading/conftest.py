"""A line of five versions in memory, and an operator, for what is told of going back."""

import pytest

from checkpoints.operating.operator import Operator
from checkpoints.stores.in_memory.store import MemoryStore
from tests.checkpoints.builders import granted, history
from tests.checkpoints.operators import LINE, Steady, an_operator


@pytest.fixture
def steady() -> Steady:
    return Steady()


@pytest.fixture
def store(steady) -> MemoryStore:
    return MemoryStore(clock=steady)


@pytest.fixture
def token(store) -> str:
    return granted(store, LINE).token


@pytest.fixture
def versions(store, token):
    """v1 to v5, of ten events each; the learner that made them holds the line."""
    return history(store, LINE, token, length=5)


@pytest.fixture
def operator(store, steady) -> Operator:
    return an_operator(store, steady)
