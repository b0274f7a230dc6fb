"""The door to MLflow: the one file of the program that talks to it.

A version is registered as a model "from code": `mlflow_model.py`, the signed file, the key that
signed it, and our own wheel. The rooms themselves are never given as `code_paths`: their names are
common, and would stand in the way of others.
"""

import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from api.registry.own_wheel import own_wheel
from checkpoints.exporting.export import Written
from checkpoints.records.manifest import Manifest
from config.runs import TrialRun

__all__ = [
    "MlflowMissingError",
    "MlflowRefusedError",
    "check_mlflow",
    "log_runs",
    "register",
    "require_mlflow",
]

_CODE = Path(__file__).with_name("mlflow_model.py")
_METRICS_AT_ONCE = 500  # a server takes 1,000
_PARAMS_AT_ONCE = 100
_UNNAMABLE = re.compile(r"[^\w\-. :/]")  # what a name there may not have, such as brackets
# MLflow's own defaults wait for minutes for a server that is gone.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


class MlflowMissingError(Exception):
    """MLflow is not installed. Operator: install the extra."""

    exit_code = 2


class MlflowRefusedError(Exception):
    """The tracking server does not answer, or did not take it. Operator: look at its address."""

    exit_code = 5


def check_mlflow() -> None:
    """Refuse what is to be logged at the end, before it is begun. MLflow is not loaded yet: it
    starts threads, beside which nobody should fork.

    Raises:
        MlflowMissingError: It is not installed.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise MlflowMissingError("MLflow is no part of Weir: pip install 'weir[mlflow]'")


def require_mlflow() -> Any:
    """MLflow, imported where it is needed: it takes seconds.

    Raises:
        MlflowMissingError: It is not installed.
    """
    for name, usual in _PATIENCE.items():
        os.environ.setdefault(name, usual)
    try:
        import mlflow
        import mlflow.pyfunc
    except ImportError as error:
        raise MlflowMissingError(
            f"MLflow is no part of Weir: pip install 'weir[mlflow]' ({error})"
        ) from error
    return mlflow


def register(written: Written, name: str, alias: str | None) -> dict[str, Any]:
    """Register an exported version as the next one of the MLflow model `name`.

    Args:
        alias: Moved to it, as `champion`.

    Returns:
        `name`, `version`, `alias`, `run_id`, and `uri` to load it by.

    Raises:
        MlflowMissingError, MlflowRefusedError: It is not registered.
    """
    mlflow = require_mlflow()
    manifest = written.version.manifest
    with _told(mlflow), tempfile.TemporaryDirectory(prefix="weir-mlflow-") as folder:
        with mlflow.start_run(run_name=f"{manifest.model} {manifest.name}") as run:
            mlflow.set_tags(_tags(written))
            mlflow.log_metrics(_lifetime(manifest))
            logged = _log_model(mlflow, written, name, Path(folder))
        version = str(logged.registered_model_version)
        if alias is not None:
            mlflow.MlflowClient().set_registered_model_alias(name, alias, version)
    uri = f"models:/{name}@{alias}" if alias else f"models:/{name}/{version}"
    return {"name": name, "version": version, "alias": alias, "run_id": run.info.run_id, "uri": uri}


def _log_model(mlflow: Any, written: Written, name: str, folder: Path) -> Any:
    key, wheel = folder / "public.pem", own_wheel(folder)
    key.write_text(written.public_key)
    trust = written.version.manifest.model_file.get("trust") or ()
    return mlflow.pyfunc.log_model(
        name="model",
        python_model=str(_CODE),
        artifacts={"version": str(written.file), "public_key": str(key)},
        code_paths=[str(wheel)],
        pip_requirements=[f"code/{wheel.name}", f"mlflow=={mlflow.__version__}"],
        model_config={"trust": list(trust)},
        registered_model_name=name,
    )


def _tags(written: Written) -> dict[str, str]:
    return {f"weir.{name}": str(value) for name, value in written.body.items() if name != "file"}


def _lifetime(manifest: Manifest) -> dict[str, float]:
    found = {name: windows.get("lifetime") for name, windows in manifest.metrics.items()}
    return {name: value for name, value in found.items() if value is not None}


def log_runs(
    experiment: str,
    parent: TrialRun,
    children: Sequence[TrialRun],
    *,
    warn: Callable[[str], None],
) -> None:
    """Log trials as one run and its children; a server that is lost meanwhile costs no trial.

    Args:
        experiment: Made where there is none of the name.
        parent: What all of them have in common.
        warn: Told what was not logged, once; nothing is raised for it.

    Raises:
        MlflowMissingError: MLflow is not installed.
    """
    mlflow = require_mlflow()
    try:
        with _told(mlflow):
            client = mlflow.MlflowClient()
            found = client.get_experiment_by_name(experiment)
            of = found.experiment_id if found else client.create_experiment(experiment)
            above = _log_run(mlflow, client, of, parent, {})
            for child in children:
                _log_run(mlflow, client, of, child, {"mlflow.parentRunId": above})
    except MlflowRefusedError as error:
        warn(f"not all is logged in MLflow: {error}")


def _log_run(mlflow: Any, client: Any, of: str, run: TrialRun, tags: dict[str, str]) -> str:
    entities = mlflow.entities
    made: str = client.create_run(of, run_name=run.name, tags={**run.tags, **tags}).info.run_id
    at_ms = mlflow.utils.time.get_current_time_millis()
    params = [entities.Param(_named(name), value) for name, value in run.params.items()]
    for some in _batches(params, _PARAMS_AT_ONCE):
        client.log_batch(made, params=some)
    points = [
        entities.Metric(_named(name), value, at_ms, step)
        for name, series in run.metrics.items()
        for step, value in sorted(series)
        if value is not None
    ]
    for some in _batches(points, _METRICS_AT_ONCE):
        client.log_batch(made, metrics=some)
    for name, content in run.artefacts.items():
        client.log_text(made, content, name)
    client.set_terminated(made)
    return made


def _named(name: str) -> str:
    """The name as MLflow takes it.

    >>> _named("learner.river[1].LogisticRegression.l2")
    'learner.river.1.LogisticRegression.l2'
    """
    return re.sub(r"\.{2,}", ".", _UNNAMABLE.sub(".", name)).strip(".")


def _batches(things: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (things[first : first + size] for first in range(0, len(things), size))


@contextmanager
def _told(mlflow: Any) -> Iterator[None]:
    """Errors of MLflow's and of its server become one of ours; what it prints goes to stderr."""
    import requests

    try:
        with redirect_stdout(sys.stderr):
            yield
    except (mlflow.exceptions.MlflowException, requests.RequestException, OSError) as error:
        first = str(error).strip().splitlines()[0][:300]
        raise MlflowRefusedError(
            f"MLflow at {mlflow.get_tracking_uri()}: {first}; name its server in "
            "MLFLOW_TRACKING_URI"
        ) from error
