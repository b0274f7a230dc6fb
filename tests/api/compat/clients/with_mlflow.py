"""MLflow's client of its scoring server."""

from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from tests.api.compat.clients.calls import Answers, fails, of, run

TEXT = "domain"


def _client(url: str) -> Any:
    host, _, port = url.removeprefix("http://").partition(":")
    return ScoringServerClient(host, port)


def _answers(response: Any) -> Answers:
    return list(zip(response["predictions"], response["probabilities"], strict=True))


def frame(url: str, model: str, rows: list[dict[str, Any]]) -> Answers:
    """A DataFrame, which goes as `dataframe_split`."""
    response = _client(url).invoke(pd.DataFrame(rows))
    assert list(response.get_predictions()[0]) == response["predictions"]
    return _answers(response)


def records(url: str, model: str, rows: list[dict[str, Any]]) -> Answers:
    """A list of dictionaries, which goes as `inputs`."""
    return _answers(_client(url).invoke(rows))


@of("listed")
def array(url: str, model: str, rows: list[dict[str, Any]]) -> Answers:
    """An array of all features that are listed, in their order."""
    names = [name for name in rows[0] if name != TEXT]
    return _answers(_client(url).invoke(np.array([[row[name] for name in names] for row in rows])))


def health(url: str, model: str, rows: list[dict[str, Any]]) -> None:
    """Probes, and the text of errors."""
    client = _client(url)
    client.ping()
    client.wait_server_ready(timeout=5)
    assert client.get_version().startswith("weir ")
    fails(lambda: client.invoke([{"https": "text"}]), "/inputs/0/https")
    fails(lambda: client.invoke(rows[:1], params={"k": 1}), "no model here takes parameters")


if __name__ == "__main__":
    run([health, frame, records, array])
