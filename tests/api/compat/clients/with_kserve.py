"""KServe's SDK, by its first and its second protocol."""

import asyncio
import json
from typing import Any

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

from tests.api.compat.clients.calls import Answers, fails, run

TEXT = "domain"


def _ask(url: str, protocol: str, what: str, *args: Any, **options: Any) -> Any:
    async def ask() -> Any:
        async with InferenceRESTClient(RESTConfig(protocol=protocol)) as client:
            return await getattr(client, what)(url, *args, **options)

    return asyncio.run(ask())


def _request(model: str, rows: list[dict[str, Any]], *, is_binary: bool) -> Any:
    inputs = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        kind, dtype = ("BYTES", object) if name == TEXT else ("FP64", np.float64)
        each = InferInput(name, [len(rows)], kind)
        each.set_data_from_numpy(np.array(values, dtype=dtype), binary_data=is_binary)
        inputs.append(each)
    return InferRequest(model_name=model, infer_inputs=inputs)


def _answers(response: Any) -> Answers:
    outputs = {each.name: each for each in response.outputs}
    labels = json.loads(outputs["probabilities"].parameters["labels"])
    predictions = outputs["prediction"].as_numpy().tolist()
    chances = outputs["probabilities"].as_numpy().tolist()
    pairs = zip(predictions, chances, strict=True)
    return [(_text(label), dict(zip(labels, each, strict=True))) for label, each in pairs]


def _text(label: Any) -> str:
    return label.decode() if isinstance(label, bytes) else str(label)


def second_in_json(url: str, model: str, rows: list[dict[str, Any]]) -> Answers:
    """The Open Inference Protocol in JSON."""
    request = _request(model, rows, is_binary=False)
    return _answers(_ask(url, "v2", "infer", request, model_name=model))


def second_binary(url: str, model: str, rows: list[dict[str, Any]]) -> Answers:
    """The same, asked with tensors as bytes."""
    request = _request(model, rows, is_binary=True)
    return _answers(_ask(url, "v2", "infer", request, model_name=model))


def first(url: str, model: str, rows: list[dict[str, Any]]) -> Answers:
    """`POST /v1/models/{model}:predict`."""
    body = _ask(url, "v1", "infer", {"instances": rows}, model_name=model)
    return list(zip(body["predictions"], body["probabilities"], strict=True))


def health(url: str, model: str, rows: list[dict[str, Any]]) -> None:
    """Probes, and the text of errors."""
    assert _ask(url, "v2", "is_server_live") is True
    assert _ask(url, "v2", "is_server_ready") is True
    assert _ask(url, "v2", "is_model_ready", model) is True
    assert _ask(url, "v1", "is_model_ready", model) is True
    wrong = {"instances": [{"https": [1]}]}
    fails(lambda: _ask(url, "v1", "infer", wrong, model_name=model), "/instances/0/https")
    request = _request(model, rows[:1], is_binary=False)
    fails(lambda: _ask(url, "v2", "infer", request, model_name="nope"), "no model 'nope'")


if __name__ == "__main__":
    run([health, second_in_json, second_binary, first])
