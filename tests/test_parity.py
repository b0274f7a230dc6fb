"""Scores through a real broker equal River's own, to the last bit, on the streams in its wheel."""

from pathlib import Path

import pytest

from benchmarks.data import shipped
from benchmarks.parity import (
    Case,
    Servers,
    classifier_cases,
    differences,
    regressor_cases,
)
from checkpoints.dev_server import ValkeyServer
from tests.servers import SharedKafka

CASES = [
    *[("Phishing", case) for case in classifier_cases("Phishing")],
    *[("ImageSegments", case) for case in classifier_cases("ImageSegments", multiclass=True)],
    *[("TrumpApproval", case) for case in regressor_cases("TrumpApproval")],
]
ARF_EXAMPLES = 600


@pytest.mark.parametrize(("stream", "case"), CASES, ids=[case.name for _, case in CASES])
def test_scores_equal_rivers_own(
    kafka_server: SharedKafka,
    valkey_server: ValkeyServer,
    tmp_path: Path,
    stream: str,
    case: Case,
) -> None:
    """Every score of every named learner, one partition."""
    servers = Servers(kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path)
    pairs = shipped(stream, ARF_EXAMPLES if "arf" in case.name else None)

    assert differences(case, pairs, servers) == []
