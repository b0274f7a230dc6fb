"""What real clients sent is answered as `/predict` answers; `make compat` keeps the bytes."""

import json
import socket
from typing import Any

import httpx
import pytest

from tests.api.compat.asking import outputs
from tests.api.compat.trial import KEPT, NAMES, SENT, pairs
from tests.api.running import Running

ROUNDED = "binary_fp32"  # whose numbers are what FP32 makes of them: the same, of these
WHOLE = ("one_table", "array")
CALLS = [(client, call) for client, calls in KEPT.items() for call in calls]


@pytest.mark.parametrize(("client", "call"), CALLS)
def test_what_a_client_sent_is_answered_as_predict_is(
    compat: Running, client: str, call: str
) -> None:
    request = (SENT / f"{client}.{call}.http").read_bytes()

    answer = _sent(compat.url, request)

    rows = [x for x, _ in pairs(3)]
    if call in WHOLE:
        rows = [{name: row[name] for name in NAMES} for row in rows]
    asked = compat.post("/v1/models/compat/predict", {"instances": rows}).json()["predictions"]
    predictions = [each["prediction"] for each in asked]
    chances = [[each["probabilities"][label] for label in ("no", "yes")] for each in asked]
    if b"/v2/" in request.partition(b"\r\n")[0]:
        found = outputs(answer)
        assert found["prediction"] == predictions
        assert found["probabilities"] == [each for row in chances for each in row]
        assert len(set(found["prediction_id"])) == len(rows)
    else:
        body = answer.json()
        assert body["predictions"] == predictions
        assert [list(each.values()) for each in body["probabilities"]] == chances
        assert len(set(body["prediction_ids"])) == len(rows)


def test_every_client_is_kept_in_all_its_ways() -> None:
    """And their rows differ in what is answered."""
    kept = {each.name for each in SENT.iterdir()}
    assert kept == {f"{client}.{call}.http" for client, call in CALLS}
    assert {x["domain"] for x, _ in pairs(3)} == {"com", "io", "bücher.example"}


def _sent(url: str, request: bytes) -> httpx.Response:
    """The answer to these bytes, sent as they are."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(request)
        content = b""
        while b"\r\n\r\n" not in content:
            content += connection.recv(1 << 16)
        head, _, body = content.partition(b"\r\n\r\n")
        headers: dict[str, Any] = {}
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.decode().partition(": ")
            headers[name.lower()] = value
        while len(body) < int(headers["content-length"]):
            body += connection.recv(1 << 16)
    return httpx.Response(int(head.split()[1]), headers=headers, content=body)


def test_the_kept_requests_are_real_ones() -> None:
    """Triton's and KServe's bytes stand behind the JSON."""
    for name in ("triton.binary", "kserve.second_binary"):
        head, _, body = (SENT / f"{name}.http").read_bytes().partition(b"\r\n\r\n")
        (line,) = [it for it in head.split(b"\r\n") if it.lower().startswith(b"inference-header")]
        asked = json.loads(body[: int(line.partition(b":")[2])])
        assert all("binary_data_size" in each["parameters"] for each in asked["inputs"])
