"""What the tests of the stream share."""

import pytest

from tests.stream.rig import RECORDER


@pytest.fixture
def place(kafka_server, valkey_server, tmp_path, unique_name):
    """Where a rig finds its servers."""
    return {
        "kafka": kafka_server.address,
        "redis": valkey_server.url,
        "folder": tmp_path,
        "model_text": RECORDER.format(name=unique_name, every_seconds=0.05),
    }
