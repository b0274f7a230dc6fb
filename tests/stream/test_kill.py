"""SIGKILL at random times, and zombies: each event is learned exactly once all the same.

Hundreds of such trials: `make torture`.
"""

from pathlib import Path

import pytest

from checkpoints.dev_server import ValkeyServer
from tests.servers import SharedKafka
from tests.stream.torture import kill_trial, zombie_trial


@pytest.mark.parametrize(("partitions", "seed"), [(1, 1), (4, 3)])
def test_killed_at_random_each_event_is_learned_once(
    kafka_server: SharedKafka,
    valkey_server: ValkeyServer,
    tmp_path: Path,
    unique_name: str,
    partitions: int,
    seed: int,
) -> None:
    """With one partition, the scores are those of an uninterrupted run, to the last bit."""
    result = kill_trial(
        kafka=kafka_server.address,
        redis=valkey_server.url,
        folder=tmp_path,
        name=unique_name,
        partitions=partitions,
        seed=seed,
    )

    assert result.problems == []
    assert result.kills > 0


def test_a_zombie_never_moves_the_head(
    kafka_server: SharedKafka,
    valkey_server: ValkeyServer,
    tmp_path: Path,
    unique_name: str,
) -> None:
    """A learner that slept past its lease wakes up, and its successor's line stays whole."""
    result = zombie_trial(
        kafka=kafka_server.address,
        redis=valkey_server.url,
        folder=tmp_path,
        name=unique_name,
        seed=1,
    )

    assert result.problems == []
