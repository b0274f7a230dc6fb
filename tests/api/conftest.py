"""The API that most tests ask: nothing they do changes what another sees."""

from collections.abc import Iterator

import pytest

from tests.api.running import Running, running


@pytest.fixture(scope="module")
def api() -> Iterator[Running]:
    """A running API with a model that has learned 200 events."""
    with running() as found:
        yield found
