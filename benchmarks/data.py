"""Streams for parity and benchmarks: those that River ships, and files of a folder given."""

import csv
import gzip
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from river import datasets

Pair = tuple[dict[str, Any], Any]

_AIRLINES = (
    "Month",
    "DayofMonth",
    "DayOfWeek",
    "CRSDepTime",
    "CRSArrTime",
    "CRSElapsedTime",
    "Distance",
)
_BIKES = (
    *("season", "yr", "mnth", "hr", "holiday", "weekday", "workingday", "weathersit"),
    *("temp", "atemp", "hum", "windspeed"),
)


def shipped(name: str, limit: int | None = None) -> list[Pair]:
    """The first examples of a stream that River's wheel holds."""
    return list(islice(getattr(datasets, name)(), limit))


def from_folder(folder: Path, name: str, limit: int | None = None) -> list[Pair]:
    """The first examples of `name` in `folder`, typed as the stream's description says."""
    return list(islice(_READERS[name](_rows(folder / f"{name}.csv.gz")), limit))


def vw_lines(folder: Path, name: str) -> list[bytes]:
    """The lines of a file in Vowpal Wabbit's format."""
    with gzip.open(folder / f"{name}.dat.gz", "rb") as file:
        return [line.rstrip(b"\n") for line in file]


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def _elec2(rows: Iterator[dict[str, str]]) -> Iterator[Pair]:
    for row in rows:
        y = row.pop("class") == "UP"
        yield {k: int(v) if k == "day" else float(v) for k, v in row.items()}, y


def _airlines(rows: Iterator[dict[str, str]]) -> Iterator[Pair]:
    for row in rows:
        x = {k: float(row[k]) for k in _AIRLINES if row[k] != "NA"}
        yield x, row["IsArrDelayed"] == "YES"


def _sea(rows: Iterator[dict[str, str]]) -> Iterator[Pair]:
    for row in rows:
        y = row.pop("class") == "1"
        yield {k: float(v) for k, v in row.items()}, y


def _rbf(rows: Iterator[dict[str, str]]) -> Iterator[Pair]:
    for row in rows:
        y = row.pop("class")
        yield {k: float(v) for k, v in row.items()}, y


def _bikes(rows: Iterator[dict[str, str]]) -> Iterator[Pair]:
    for row in rows:
        yield {k: float(row[k]) for k in _BIKES}, int(row["cnt"])


_READERS: dict[str, Callable[[Iterator[dict[str, str]]], Iterator[Pair]]] = {
    "elec2": _elec2,
    "airlines2k": _airlines,
    "sea_abrupt": _sea,
    "interchanging_rbf": _rbf,
    "bikes_hour": _bikes,
}
