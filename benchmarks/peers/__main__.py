"""`make bench-peers`: the same River model, served by other tools and by Weir, loaded alike.

One process each, 32 connections that each ask again as soon as they are answered, round after
round, all servers up and one of them loaded. Before that each must answer with River's own
probability. What the client itself needs of a core is told, so that it can be seen not to be what
limits a server.
"""

import argparse
import json
import pickle
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from benchmarks.bench import place
from benchmarks.filling import as_json, phishing
from benchmarks.journal import say
from benchmarks.load import Load, drive
from benchmarks.machine import commit, load, machine
from benchmarks.parity import CLASSIFIERS, Servers
from benchmarks.peers.tools import TOOLS, Features, NotInstalledError, Tool, install, served
from benchmarks.program import end_in_order, serving
from benchmarks.report import HERE, number
from benchmarks.scale import FULL, Scale
from benchmarks.serving import LOGISTIC, MODEL
from learner.river.spec import build_pipeline
from tests.stream.rig import rig

_CONNECTIONS = 32
_WEIR = "Weir"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where one server is asked, and how."""

    port: int
    path: str
    body: bytes

    def ask(self) -> Any:
        """One answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{self.path}",
            self.body,
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def load(self, seconds: float) -> Load:
        return drive(self.port, self.path, self.body, seconds=seconds, connections=_CONNECTIONS)


def main() -> int:
    """Install, serve, load, print, write `peers.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=FULL.pairs)
    asked = parser.parse_args()
    end_in_order()
    tools, missing = _installed()
    with place(0) as at:
        loads = compare(at.servers, tools, rounds=asked.rounds, scale=FULL)
    figures = {name: _figures(each, loads[_WEIR]) for name, each in loads.items()}
    _print(figures, missing)
    found = {
        "commit": commit(),
        "machine": machine(),
        "load_after": load(),
        "versions": {tool.name: tool.packages for tool, _ in tools},
        "not_installed": missing,
        "figures": figures,
    }
    (HERE / "peers.json").write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    return 0


def _installed() -> tuple[list[tuple[Tool, Path]], dict[str, str]]:
    """The tools that can be installed with their programs, and why the others cannot."""
    found, missing = [], {}
    for tool in TOOLS:
        say(f"{tool.name}: {', '.join(tool.packages)}")
        try:
            found.append((tool, install(tool)))
        except NotInstalledError as error:
            missing[tool.name] = str(error)
            say(f"{tool.name} cannot be installed: {error}")
    return found, missing


def compare(
    servers: Servers, tools: list[tuple[Tool, Path]], *, rounds: int, scale: Scale
) -> dict[str, list[Load]]:
    """The loads of each server, one a round; every round begins with another."""
    pairs = phishing()
    model = build_pipeline(CLASSIFIERS["logistic regression"])[0]
    for x, y in pairs:
        model.learn_one(x, y)
    # MLflow takes no whole number where its model says float.
    features = {name: float(value) for name, value in pairs[0][0].items()}
    truth = model.predict_proba_one(features)[True]
    loads: dict[str, list[Load]] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as held:
        pickled = Path(folder) / "model.pickle"
        pickled.write_bytes(pickle.dumps(model))
        doors = {_WEIR: held.enter_context(_weir(servers, features, truth))}
        for tool, programs in tools:
            port = held.enter_context(served(tool, programs, pickled, Path(folder) / tool.name))
            door = Door(port=port, path=tool.path, body=msgspec.json.encode(tool.body(features)))
            _check(tool.name, tool.chance(door.ask()), truth)
            doors[tool.name] = door
        names = list(doors)
        for turn in range(rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                found = doors[name].load(scale.load_s)
                assert found.failed == 0, f"{name}: {found}"
                loads.setdefault(name, []).append(found)
                say(f"round {turn + 1} of {rounds}, {name}: {number(found.rate)}/s")
    return loads


@contextmanager
def _weir(servers: Servers, features: Features, truth: float) -> Iterator[Door]:
    """The same model, learned from Kafka and served by one process."""
    text = MODEL.format(name="peers", learner=LOGISTIC)
    values = list(as_json(phishing()))
    with rig(
        kafka=servers.kafka, redis=servers.redis, folder=servers.folder, model_text=text
    ) as at:
        at.send(list(values))
        process = at.start()
        at.until(lambda: at.consumed() == len(values), "all is learned")
        at.stop(process)
    with serving(servers, text) as url:
        port = int(url.rsplit(":", 1)[1])
        body = msgspec.json.encode({"features": features})
        door = Door(port=port, path="/v1/models/peers/predict", body=body)
        _check(_WEIR, door.ask()["probabilities"]["true"], truth)
        yield door


def _check(name: str, chance: float, truth: float) -> None:
    """The answer is River's own, or it is not the same work that is compared."""
    assert abs(chance - truth) < 1e-12, f"{name} answers {chance}, River {truth}"


def _figures(loads: list[Load], of_weir: list[Load]) -> dict[str, float]:
    ratios = [ours.rate / each.rate for ours, each in zip(of_weir, loads, strict=True)]
    return {
        "predictions/s": median(each.rate for each in loads),
        "least": min(each.rate for each in loads),
        "most": max(each.rate for each in loads),
        "p50, ms": median(each.p50_ms for each in loads),
        "p99, ms": median(each.p99_ms for each in loads),
        "Weir ÷ it": median(ratios),
        "client, share of a core": max(each.client_share for each in loads),
    }


def _print(figures: dict[str, dict[str, float]], missing: dict[str, str]) -> None:
    names = list(next(iter(figures.values())))
    print(" " * 10 + "".join(f"{name:>25}" for name in names))
    for server, found in figures.items():
        print(f"{server:<10}" + "".join(f"{number(found[name]):>25}" for name in names))
    for server, why in missing.items():
        print(f"{server:<10}not installed: {why}")


if __name__ == "__main__":
    sys.exit(main())
