"""Trials on a Ray cluster: the only module that imports Ray.

The records and the models go into Ray's object store once; a step is a task, and the state of a
trial goes along with it. Its workers are given the hash seed of every process that loads a model.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from config.text.extras import extra_missing
from stream.errors import StreamError
from stream.trying.search.lab import Lab, Step, TrialOutcome

# What decides the scores of some learners, and threads that only get in the way.
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}


class RayError(StreamError):
    """Ray is not there, or does not work. Operator: see Ray's own message."""

    exit_code = 5


class RayMissingError(RayError):
    """Ray is not installed."""

    exit_code = 2


def load_ray() -> Any:
    """Ray itself.

    Raises:
        RayMissingError: It is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise RayMissingError(f"engine: ray: {extra_missing('Ray', 'ray')}") from error
    return ray


class RayEngine:
    """Runs each step as a task of a Ray cluster: that of `RAY_ADDRESS`, else one of this machine.

    Args:
        workers: Tasks at a time.

    Raises:
        RayMissingError: Ray is not installed.
        RayError: No cluster can be reached or begun.
    """

    def __init__(self, lab: Lab, workers: int) -> None:
        self._ray, self._workers = load_ray(), workers
        self._lab = self._begun(lab)
        self._advance = self._ray.remote(num_cpus=1, max_retries=2)(_advance)

    def _begun(self, lab: Lab) -> Any:
        try:
            self._ray.init(
                num_cpus=None if _has_address() else self._workers,
                runtime_env={"env_vars": _ENVIRONMENT},
                include_dashboard=False,
                configure_logging=False,
                log_to_driver=False,
            )
            return self._ray.put(lab)
        except Exception as error:
            raise RayError(f"no Ray cluster: {error}") from error

    def run(self, steps: Sequence[Step]) -> Iterator[TrialOutcome | None]:
        waiting = list(steps)[::-1]
        running: list[Any] = []
        while waiting or running:
            while waiting and len(running) < self._workers:
                running.append(self._advance.remote(self._lab, waiting.pop()))
            done, running = self._ray.wait(running, num_returns=1, timeout=0.5)
            yield from map(self._outcome, done) if done else [None]

    def _outcome(self, task: Any) -> TrialOutcome:
        try:
            outcome: TrialOutcome = self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            raise RayError(f"a trial on Ray failed: {error}") from error
        return outcome

    def under_way(self) -> int:
        return 0  # a task says nothing until it is done

    def close(self) -> None:
        self._ray.shutdown()


def _advance(lab: Lab, step: Step) -> TrialOutcome:
    """What a task does."""
    return lab.advance(step)


def _has_address() -> bool:
    import os

    return "RAY_ADDRESS" in os.environ
