"""A short run of the campaign `python -m tests.stream.loop_trial`."""

from pathlib import Path

import pytest

from tests.stream.loop_trial import VICTIMS, run


@pytest.mark.timeout(300)
def test_each_label_by_prediction_id_is_learned_once_whatever_is_killed(
    starts_servers: None, tmp_path: Path
) -> None:
    """Each of the processes once."""
    assert run(tmp_path, kills=len(VICTIMS), seed=1) == []
