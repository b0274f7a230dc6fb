"""The door to MLflow: the one file of the program that talks to it.

A version is registered as a model "from code": `mlflow_model.py`, the signed file, the key that
signed it, and our own wheel. The rooms themselves are never given as `code_paths`: their names are
common, and would stand in the way of others.
"""

import importlib.util
import os
import re
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from operator import attrgetter
from pathlib import Path
from typing import Any

from api.registry.own_wheel import own_wheel
from api.registry.refusals import address_of, told
from checkpoints.exporting.export import Written
from checkpoints.records.manifest import Manifest
from config.logs import held_back
from config.runs import TrialRun
from config.text.extras import extra_missing

__all__ = [
    "MlflowMissingError",
    "MlflowNameError",
    "MlflowRefusedError",
    "MlflowUnnamedError",
    "check_mlflow",
    "log_runs",
    "register",
    "require_mlflow",
]

_CODE = Path(__file__).with_name("mlflow_model.py")
_METRICS_AT_ONCE = 500  # a server takes 1,000
_PARAMS_AT_ONCE = 100
_TAG_CHARACTERS_MAX = 5_000  # what a server takes
_NAMED = "MLFLOW_TRACKING_URI"
_SOURCE = "mlflow.source.name"
_UNNAMABLE = re.compile(r"[^\w\-. :/]")  # what a name there may not have, such as brackets
# MLflow's own rules, which have no public names.
_name_rules = attrgetter(
    "_validate_model_name", "_validate_model_alias_name", "_validate_model_alias_name_reserved"
)
# MLflow's own defaults wait for minutes for a server that is gone, and print two lines a run.
_USUAL = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class MlflowMissingError(Exception):
    """MLflow is not installed. Operator: install the extra."""

    exit_code = 2


class MlflowUnnamedError(Exception):
    """No server is named: MLflow would write files into the current folder, unasked.

    Operator: name one; a path or an address of SQLite is one, too.
    """

    exit_code = 2

    def __init__(self) -> None:
        super().__init__(
            f"no MLflow server is named: export {_NAMED}=http://127.0.0.1:5000; one is started by  "
            "mlflow server --backend-store-uri sqlite:///mlflow.db --port 5000"
        )


class MlflowRefusedError(Exception):
    """The tracking server does not answer, or did not take it. Operator: look at its address."""

    exit_code = 5


class MlflowNameError(ValueError):
    """A name or an alias that MLflow does not take. Operator: choose another."""

    exit_code = 2


def check_mlflow() -> None:
    """Refuse what is to be logged at the end, before it is begun. MLflow is not loaded yet: it
    starts threads, beside which nobody should fork.

    Raises:
        MlflowMissingError: It is not installed.
        MlflowUnnamedError: Nobody has said where its server is.
    """
    if importlib.util.find_spec("mlflow") is None:
        raise MlflowMissingError(extra_missing("MLflow", "mlflow"))
    if not os.environ.get(_NAMED):
        raise MlflowUnnamedError


def require_mlflow() -> Any:
    """MLflow, imported where it is needed: it takes seconds.

    Raises:
        MlflowMissingError: It is not installed.
    """
    for name, usual in _USUAL.items():
        os.environ.setdefault(name, usual)
    try:
        import mlflow
        import mlflow.pyfunc
    except ImportError as error:
        raise MlflowMissingError(f"{extra_missing('MLflow', 'mlflow')} ({error})") from error
    return mlflow


def register(written: Written, name: str, alias: str | None) -> dict[str, Any]:
    """Register an exported version as the next one of the MLflow model `name`.

    Args:
        alias: Moved to it, as `champion`.

    Returns:
        `name`, `version`, `alias`, `run_id`, `uri` to load it by, and `tracking`: where it is.

    Raises:
        MlflowMissingError, MlflowRefusedError: It is not registered.
        MlflowNameError: What it was to be called cannot be a name; nothing is made.
    """
    mlflow = require_mlflow()
    _check_names(mlflow, name, alias)
    manifest = written.version.manifest
    with _told(mlflow), tempfile.TemporaryDirectory(prefix="weir-mlflow-") as folder:
        tags = {**_tags(written), _SOURCE: _typed()}
        with mlflow.start_run(run_name=f"{manifest.model} {manifest.name}", tags=tags) as run:
            mlflow.log_metrics(_lifetime(manifest))
            logged = _log_model(mlflow, written, name, Path(folder))
        version = str(logged.registered_model_version)
        _describe(mlflow.MlflowClient(), written, name, version)
        if alias is not None:
            mlflow.MlflowClient().set_registered_model_alias(name, alias, version)
    return {
        "name": name,
        "version": version,
        "alias": alias,
        "run_id": run.info.run_id,
        "uri": f"models:/{name}@{alias}" if alias else f"models:/{name}/{version}",
        "tracking": address_of(mlflow.get_tracking_uri()),
    }


def _check_names(mlflow: Any, name: str, alias: str | None) -> None:
    """By MLflow's own rules, which its server would apply when half of it is made."""
    from mlflow.utils import validation

    name_rule, *alias_rules = _name_rules(validation)
    try:
        name_rule(name)
        for rule in alias_rules if alias is not None else ():
            rule(alias)
    except mlflow.exceptions.MlflowException as error:
        raise MlflowNameError(f"MLflow takes no such name: {error.message}") from error


def _describe(client: Any, written: Written, name: str, version: str) -> None:
    """What stands on the version's page, before an alias leads there."""
    for tag, value in _tags(written).items():
        client.set_model_version_tag(name, version, tag, value)
    client.update_model_version(name, version, description=description_of(written))


def description_of(written: Written) -> str:
    """A registered version, in a sentence."""
    manifest = written.version.manifest
    scores = "".join(f", {score} {value:.4g}" for score, value in _lifetime(manifest).items())
    return (
        f"Weir's model {manifest.model} as of {manifest.name}: {manifest.counts.learned:,} events "
        f"learned{scores} over its life; signed by {written.signer}."
    )


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
        model_config={"trust": list(trust)} if trust else None,
        signature=False,  # MLflow's word for: none is wanted, so none is guessed
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
    say: Callable[[str], None],
) -> None:
    """Log trials as one run and its children; a server that is lost meanwhile costs no trial.

    Args:
        experiment: Made where there is none of the name.
        parent: What all of them have in common.
        say: Told where all of it is; or once, what is not logged, for which nothing is raised.

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
        say(f"warning: not all is logged in MLflow: {error}")
        return
    count, at = 1 + len(children), address_of(mlflow.get_tracking_uri())
    say(f"logged in MLflow at {at}: experiment {experiment}, {count} runs")


def _log_run(mlflow: Any, client: Any, of: str, run: TrialRun, tags: dict[str, str]) -> str:
    entities = mlflow.entities
    now_ms = mlflow.utils.time.get_current_time_millis()
    at_ms = run.ended_ms or now_ms
    made: str = client.create_run(
        of,
        start_time=run.began_ms or now_ms,
        run_name=run.name,
        tags={**_usual_tags(), **run.tags, **tags},
    ).info.run_id
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
    client.set_terminated(made, end_time=run.ended_ms)
    return made


def _usual_tags() -> dict[str, str]:
    """What MLflow's own client says of each run, such as who began it; but not of which commit
    this program is, which is no news of a trial.
    """
    from mlflow.tracking.context.git_context import GitRunContext
    from mlflow.tracking.context.registry import resolve_tags

    tags: dict[str, str] = resolve_tags({_SOURCE: _typed()}, ignore=[GitRunContext])
    return tags


def _typed() -> str:
    """The command as it was typed; MLflow's own client would name the path of the program."""
    return shlex.join(["weir", *sys.argv[1:]])[:_TAG_CHARACTERS_MAX]


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
        with redirect_stdout(sys.stderr), held_back("urllib3"):
            yield
    except (mlflow.exceptions.MlflowException, requests.RequestException, OSError) as error:
        raise MlflowRefusedError(told(error, address_of(mlflow.get_tracking_uri()))) from error
