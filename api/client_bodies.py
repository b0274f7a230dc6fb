"""What a program hands its client, as requests' JSON, each as long as one request may be.

Features are taken by what `weir.load` takes them by, so that both refuse the same in the same
words; it is loaded where it is needed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, TypeAlias

Features: TypeAlias = Mapping[str, Any]  # numbers, texts, true and false; or mappings of them

# Of one request: below `api.max_body_bytes`, and as many rows as the API takes.
_BYTES_MAX, _ROWS_MAX = 500_000, 10_000


def taken(features: Features) -> Features:
    """The features of one row or event, values of numpy's as Python's.

    Raises:
        RowRefusedError: One is what JSON does not have; with its name.
    """
    from api.offline.rows import features_of

    return features_of(features)


def taken_rows(rows: Any) -> Iterator[Features]:
    """The same of all rows of a frame of pandas, or of any iterable of mappings.

    Raises:
        RowRefusedError: Likewise, with the number of the row.
    """
    from api.offline.rows import chunks_of

    return chain.from_iterable(chunks_of(rows))


def taken_event(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """An event with its features as `taken` has them."""
    return {**event, "features": taken(event["features"])} if "features" in event else event


def parts(rows: Iterable[Any]) -> Iterator[str]:
    """Lists in JSON, each as long as one request may be."""
    part: list[str] = []
    size = 0
    for text in map(as_json, rows):
        if part and (size + len(text) > _BYTES_MAX or len(part) == _ROWS_MAX):
            yield f"[{','.join(part)}]"
            part, size = [], 0
        part.append(text)
        size += len(text) + 1
    if part:
        yield f"[{','.join(part)}]"


def as_json(value: Any) -> str:
    """The JSON of a body; of a label or a weight it takes numpy's values, too."""
    return json.dumps(value, allow_nan=False, default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):  # a value of numpy's or pandas'
        return value.item()
    raise TypeError(f"{type(value).__name__} is no value that a feature can have")
