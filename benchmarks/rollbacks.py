"""Rollback to served: a learner that learns, an API of three workers, every connection kept.

From giving the command until each of twelve connections, so that each worker has some, is answered
by the version that it made, or by one that was learned on top of it.
"""

import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import msgspec
from kafka import KafkaProducer

from benchmarks.ballast import MODEL
from benchmarks.filling import phishing
from benchmarks.parity import Servers
from benchmarks.program import serving
from benchmarks.samples import until
from benchmarks.scale import Scale
from checkpoints.operating.operator import Operator, Order
from tests.stream.rig import Rig, rig

_WORKERS = 3
_CONNECTIONS = 12
# Ten times a second so many.
_EVENTS = 50


def to_three_workers(servers: Servers, *, run: int, scale: Scale) -> dict[str, float]:
    """Median and longest of some rollbacks: small, large, and large but kept loaded."""
    figures = {}
    for called, size, tag in (
        ("2 KB", "0", "base"),
        ("16 MB", "16", "base"),
        ("16 MB kept warm", "16", "stable"),
    ):
        text = MODEL.format(name=f"back-{called.replace(' ', '-')}-{run}", size=size)
        took = _rollbacks(servers, text, tag, scale.rollbacks)
        figures[f"rollback to three workers at {called}, median s"] = statistics.median(took)
        figures[f"rollback to three workers at {called}, max s"] = max(took)
    return figures


def _rollbacks(servers: Servers, text: str, tag: str, count: int) -> list[float]:
    """Seconds of each. A tagged version is kept; one that is tagged `stable` stays loaded too.

    The first is not counted: what is to be kept loaded may not be loaded yet.
    """
    with ExitStack() as stack:
        at = stack.enter_context(
            rig(
                kafka=servers.kafka,
                redis=servers.redis,
                folder=servers.folder,
                model_text=text,
            )
        )
        at.start()
        stack.enter_context(_events(at))
        at.until(lambda: _number(at) > 1, "it has learned")
        operator = Operator(at.store, at.keys.signer("operator"), at.keys.verifier, who="benchmark")
        target = f"v{_number(at)}"
        operator.run(at.line, Order(command="tag", to=target, tag=tag, reason="benchmark"))
        url = stack.enter_context(serving(servers, text, workers=_WORKERS))
        clients = [stack.enter_context(httpx.Client(base_url=url)) for _ in range(_CONNECTIONS)]
        took, made = [], _number(at)
        for _ in range(1 + count):
            made, seconds = _rollback(at, operator, target, clients, made)
            took.append(seconds)
    return took[1:]


def _rollback(
    at: Rig, operator: Operator, target: str, clients: list[httpx.Client], last: int
) -> tuple[int, float]:
    """The version made, and how long it took; begun when one after the `last` is served."""
    until(lambda: _all_past(clients, at, last), "what was learned since is served")
    order = Order(command="rollback", to=target, mode="forget", reason="benchmark")
    started = time.perf_counter()
    made = int(operator.run(at.line, order)["version"][1:])
    served = until(lambda: _all_past(clients, at, made - 1), "the rollback is served")
    return made, served - started


@contextmanager
def _events(at: Rig) -> Iterator[None]:
    """Events as they come, from a thread of its own."""
    lines = [msgspec.json.encode({"features": x, "label": y}) for x, y in phishing()[:_EVENTS]]
    ended = threading.Event()

    def send() -> None:
        producer = KafkaProducer(bootstrap_servers=at.kafka)
        while not ended.wait(0.1):
            for line in lines:
                producer.send(at.model_file.topics.events, value=line)
        producer.close()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _number(at: Rig) -> int:
    head = at.head()
    return head.number if head else 0


def _all_past(clients: list[httpx.Client], at: Rig, number: int) -> bool:
    """Whether each connection is answered by a version after this one."""
    return all(_served(client, at.line.model) > number for client in clients)


def _served(client: httpx.Client, name: str) -> int:
    answer = client.post(
        f"/v1/models/{name}/predict", json={"features": {"is_popular": 1}}
    ).raise_for_status()
    return int(answer.json()["version"][1:])
