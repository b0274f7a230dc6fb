"""tritonclient[http], with tensors as bytes and in JSON."""

import json
from typing import Any

import numpy as np
from tritonclient import http

from tests.api.compat.clients.calls import Answers, fails, of, run

TEXT = "domain"


def _client(url: str) -> Any:
    return http.InferenceServerClient(url.removeprefix("http://"))


def _columns(rows: list[dict[str, Any]], *, kind: str, is_binary: bool) -> list[Any]:
    """A tensor for each feature."""
    found = []
    for number, name in enumerate(rows[0]):
        values: Any = [row[name] for row in rows]
        if name == TEXT:
            made = http.InferInput(name, [len(rows)], "BYTES")
            made.set_data_from_numpy(np.array(values, dtype=object), binary_data=is_binary)
        else:
            shape = [len(rows), 1] if number % 2 else [len(rows)]
            made = http.InferInput(name, shape, "FP64" if kind == "float64" else "FP32")
            made.set_data_from_numpy(np.array(values, kind).reshape(shape), binary_data=is_binary)
        found.append(made)
    return found


def _answers(result: Any) -> Answers:
    labels = json.loads(result.get_output("probabilities")["parameters"]["labels"])
    predictions = [_text(each) for each in result.as_numpy("prediction").tolist()]
    chances = result.as_numpy("probabilities")
    assert chances.dtype == np.float64
    assert len(set(result.as_numpy("prediction_id").tolist())) == len(predictions)
    pairs = zip(predictions, chances.tolist(), strict=True)
    return [(label, dict(zip(labels, each, strict=True))) for label, each in pairs]


def _text(label: Any) -> str:
    """The client has a text as bytes where it came as bytes."""
    return label.decode() if isinstance(label, bytes) else str(label)


def binary(url: str, model: str, rows: list[dict[str, Any]]) -> Answers:
    """All as bytes, both ways, as the client does it by default."""
    inputs = _columns(rows, kind="float64", is_binary=True)
    return _answers(_client(url).infer(model, inputs))


def in_json(url: str, model: str, rows: list[dict[str, Any]]) -> Answers:
    """All in JSON, both ways, with an id."""
    wanted = [
        http.InferRequestedOutput(name, binary_data=False)
        for name in ("probabilities", "prediction", "prediction_id")
    ]
    inputs = _columns(rows, kind="float64", is_binary=False)
    result = _client(url).infer(model, inputs, outputs=wanted, request_id="order-1")
    assert result.get_response()["id"] == "order-1"
    return _answers(result)


@of("rounded")
def binary_fp32(url: str, model: str, rows: list[dict[str, Any]]) -> Answers:
    """Numbers as FP32: what they are as doubles is predicted from."""
    inputs = _columns(rows, kind="float32", is_binary=True)
    return _answers(_client(url).infer(model, inputs))


@of("listed")
def one_table(url: str, model: str, rows: list[dict[str, Any]]) -> Answers:
    """One tensor of [rows, features], in the order that the metadata tell."""
    client = _client(url)
    names = [each["name"] for each in client.get_model_metadata(model)["inputs"]]
    table = np.array([[row[name] for name in names] for row in rows])
    made = http.InferInput("input-0", list(table.shape), "FP64")
    made.set_data_from_numpy(table)
    return _answers(client.infer(model, [made]))


def health(url: str, model: str, rows: list[dict[str, Any]]) -> None:
    """Probes, metadata, and the text of errors."""
    client = _client(url)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(model)
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    (number,) = client.get_model_metadata(model)["versions"]
    assert client.is_model_ready(model, number)
    assert not client.is_model_ready(model, "999999")
    inputs = _columns(rows[:1], kind="float64", is_binary=True)
    fails(lambda: client.infer("nope", inputs), "no model 'nope' is served here")
    fails(lambda: client.infer(model, [*inputs, inputs[0]]), "is the name of two inputs")
    missing = http.InferInput("https", [1], "FP64")
    missing.set_data_from_numpy(np.array([np.nan]))
    fails(lambda: client.infer(model, [missing]), "NaN or infinite")


if __name__ == "__main__":
    run([health, binary, in_json, binary_fp32, one_table])
