"""One `weir dev` of one model or of many: its start, what it costs idle, what it does under load.

All models are the same logistic regression, each on a topic of its own. What the processes use is
read from `/proc`, by what they do: the supervisor is `dev`, who forks sources and learners is
`keeper`; what one of them has started, makers of versions among it, counts as its own.
"""

import json
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.feed import feeding
from benchmarks.filling import phishing
from benchmarks.program import Dev, dev
from benchmarks.recovery import MODEL
from benchmarks.samples import Running, percentile, proportional_mb, running_now, scrape, until
from benchmarks.scale import Scale

EVENTS_A_SECOND = 100  # for each model
ROLES = ("source", "learner", "keeper", "api", "kafka", "redis", "dev")
_TAKEN = "weir_events_processed_total"
_ASK_EVERY_S, _LOOK_EVERY_S = 0.025, 1.0


def host(count: int, base: Path, *, run: int, scale: Scale) -> dict[str, float]:
    """Start, idleness and load of a host of so many models."""
    folder = base / f"host-{count}-{run}"
    folder.mkdir()
    names = [f"host-{n}" for n in range(count)]
    began = time.perf_counter()
    with dev(folder, *(MODEL.format(name=name) for name in names)) as at:
        figures = {"start, s": time.perf_counter() - began}
        figures |= _idle(at, count, scale)
        figures |= _busy(at, names, scale)
    many = "1 model" if count == 1 else f"{count} models"
    return {f"{many}: {name}": value for name, value in figures.items()}


def _idle(at: Dev, count: int, scale: Scale) -> dict[str, float]:
    """What it costs while nothing happens."""
    _until_each(at, "is idle", lambda model: model["state"] == "idle")
    time.sleep(scale.settle_s)
    before, began = _by_role(at, lambda _, it: it.cpu_s), time.perf_counter()
    time.sleep(scale.idle_s)
    after, seconds = _by_role(at, lambda _, it: it.cpu_s), time.perf_counter() - began
    shares = {role: 100 * (after[role] - before[role]) / seconds for role in ROLES}
    memory = _by_role(at, lambda pid, _: proportional_mb(pid))
    return {
        "idle, % of a core": sum(shares.values()),
        **{f"idle, {role}, % of a core": share for role, share in shares.items()},
        "PSS a model, source and learner, MB": (memory["source"] + memory["learner"]) / count,
        "PSS a model, all told, MB": sum(memory.values()) / count,
    }


def _by_role(at: Dev, amount: Callable[[int, Running], float]) -> Mapping[str, float]:
    """What the processes of each role have of something, all together."""
    running = running_now()
    found: dict[str, float] = defaultdict(float)
    for pid, role in _roles(at.pid, at.file["pids"], running).items():
        found[role] += amount(pid, running[pid])
    return found


def _roles(root: int, named: Mapping[str, int], running: Mapping[int, Running]) -> dict[int, str]:
    """What each process below `root` does, itself included.

    Args:
        named: Those that `dev.json` names, as `ROLE:MODEL` or `ROLE`.

    >>> parents = {1: 0, 2: 1, 3: 2, 4: 3, 5: 1, 6: 0}
    >>> running = {pid: Running(parent, 0.0) for pid, parent in parents.items()}
    >>> found = _roles(1, {"learner:m": 3, "api": 5}, running)
    >>> found == {1: "dev", 2: "keeper", 3: "learner", 4: "learner", 5: "api"}
    True
    """
    known = {pid: name.partition(":")[0] for name, pid in named.items() if name != "learners"}
    children = defaultdict(list)
    for pid, process in running.items():
        children[process.parent].append(pid)
    found, waiting = {root: "dev"}, [root]
    while waiting:
        parent = waiting.pop()
        others = "keeper" if parent == root else found[parent]
        for pid in children[parent]:
            found[pid] = known.get(pid, others)
            waiting.append(pid)
    return found


def _busy(at: Dev, names: Sequence[str], scale: Scale) -> dict[str, float]:
    """What it does with events at a steady rate for each model."""
    topics, rate = [f"{name}.events" for name in names], EVENTS_A_SECOND * len(names)
    with feeding(at.file["kafka"], topics, rate=rate) as feed:
        _until_each(at, "has a version that learned", lambda model: model["learned"] > 0)
        time.sleep(scale.settle_s)
        began, sent_s, taken = time.perf_counter(), running_now()[feed.pid].cpu_s, _taken(at)
        asked = _ask(at, names, scale.busy_s)
        seconds, sent_s = time.perf_counter() - began, running_now()[feed.pid].cpu_s - sent_s
        taken = _taken(at) - taken
    return {
        "events/s in total": taken / seconds,
        "greatest lag, events": max(asked.lags),
        "age of the served model, p99 s": percentile(asked.ages_s, 0.99),
        "a prediction, p99 ms": percentile(asked.took_ms, 0.99),
        "who sends, % of a core": 100 * sent_s / seconds,
    }


def _taken(at: Dev) -> float:
    """Events that the learners of all models have taken; versions may be rare."""
    urls = [url for name, url in at.file["metrics"].items() if name.startswith("learner:")]
    return sum(scrape(url)[_TAKEN] for url in urls)


@dataclass(slots=True)
class _Asked:
    """What the API answered."""

    lags: list[int] = field(default_factory=list)
    ages_s: list[float] = field(default_factory=list)
    took_ms: list[float] = field(default_factory=list)


def _ask(at: Dev, names: Sequence[str], seconds: float) -> _Asked:
    """One prediction after the other, of each model in turn, and where they stand each second."""
    body, asked = msgspec.json.encode({"features": phishing()[0][0]}), _Asked()
    began = looked = time.perf_counter()
    with closing(HTTPConnection(at.file["api"].removeprefix("http://"), timeout=30)) as door:
        for name in cycle(names):
            now = time.perf_counter()
            if now - began > seconds and asked.lags:
                return asked
            age_s = _predict(door, name, body)["age_seconds"]
            took_s = time.perf_counter() - now
            asked.ages_s.append(age_s)
            asked.took_ms.append(took_s * 1000)
            if now - looked > min(_LOOK_EVERY_S, seconds):
                looked = now
                asked.lags += [each["lag"] for each in _models(at) if each["lag"] is not None]
            time.sleep(max(0.0, _ASK_EVERY_S - took_s))
    raise AssertionError("there are models")


def _predict(door: HTTPConnection, name: str, body: bytes) -> Any:
    kind = {"content-type": "application/json"}
    door.request("POST", f"/v1/models/{name}/predict", body, kind)
    answer = door.getresponse()
    content = json.loads(answer.read())
    assert answer.status == 200, content
    return content


def _until_each(at: Dev, what: str, is_so: Callable[[Mapping[str, Any]], bool]) -> None:
    """Wait until it is so of each model, with few looks: the host is what is measured."""
    until(lambda: all(map(is_so, _models(at))), f"each {what}", look_s=_LOOK_EVERY_S)


def _models(at: Dev) -> list[dict[str, Any]]:
    """Where they stand."""
    with urllib.request.urlopen(f"{at.file['api']}/v1/models", timeout=30) as answer:
        found: list[dict[str, Any]] = json.load(answer)["items"]
    return found
