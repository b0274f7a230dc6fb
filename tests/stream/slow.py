"""A learner that takes long to build, as one with much to compute first does."""

import time

from tests.stream.recorder import Recorder

BUILD_S = 1.5


def slow_recorder() -> Recorder:
    """A recorder, after so much processor time."""
    began = time.process_time()
    while time.process_time() - began < BUILD_S:
        pass
    return Recorder()
