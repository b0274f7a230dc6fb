"""A small client of the Open Inference Protocol's own: it writes and reads tensors by struct."""

import json
import struct
from typing import Any

import httpx

HEAD = "inference-header-content-length"
_CODES = {"FP64": "d", "FP32": "f", "INT64": "q", "INT32": "i", "UINT8": "B", "BOOL": "?"}


def tensor(name: str, datatype: str, values: list[Any], **more: Any) -> dict[str, Any]:
    """An input in JSON."""
    return {"name": name, "datatype": datatype, "shape": [len(values)], "data": values, **more}


def in_bytes(inputs: list[dict[str, Any]], **more: Any) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a request whose tensors stand behind the JSON."""
    behind = b""
    described = []
    for each in inputs:
        content = _packed(each["datatype"], each["data"])
        size = {"parameters": {"binary_data_size": len(content)}}
        described.append({key: it for key, it in each.items() if key != "data"} | size)
        behind += content
    head = json.dumps({"inputs": described, **more}).encode()
    return {HEAD: str(len(head)), "content-type": "application/octet-stream"}, head + behind


def outputs(answer: httpx.Response) -> dict[str, list[Any]]:
    """The values of each output, wherever they stand."""
    assert answer.status_code == 200, answer.text
    at = int(answer.headers.get(HEAD, len(answer.content)))
    found = {}
    for each in json.loads(answer.content[:at])["outputs"]:
        if "data" in each:
            found[each["name"]] = each["data"]
            continue
        end = at + each["parameters"]["binary_data_size"]
        found[each["name"]] = _unpacked(each["datatype"], answer.content[at:end])
        at = end
    assert at == len(answer.content)
    return found


def _packed(datatype: str, values: list[Any]) -> bytes:
    if datatype == "BYTES":
        texts = [each.encode() for each in values]
        return b"".join(struct.pack("<I", len(each)) + each for each in texts)
    return struct.pack(f"<{len(values)}{_CODES[datatype]}", *values)


def _unpacked(datatype: str, content: bytes) -> list[Any]:
    if datatype != "BYTES":
        size = struct.calcsize(f"<{_CODES[datatype]}")
        return list(struct.unpack(f"<{len(content) // size}{_CODES[datatype]}", content))
    found, at = [], 0
    while at < len(content):
        (length,) = struct.unpack_from("<I", content, at)
        found.append(content[at + 4 : at + 4 + length].decode())
        at += 4 + length
    return found
