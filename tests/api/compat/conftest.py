"""The API that other servers' clients ask, with the model that `make compat` has."""

from collections.abc import Iterator

import pytest

from tests.api.compat.trial import MODEL, pairs
from tests.api.running import Running, running


@pytest.fixture(scope="module")
def compat() -> Iterator[Running]:
    """Ten listed numbers, a text, labels that are texts."""
    with running(MODEL.format(name="compat"), learned=1250, pairs=pairs) as found:
        yield found
