"""What a model's size costs: the stall of a commit, its work, how seldom it comes, and the age.

First the learner learns as fast as it can, with commits as its cadence has them, while an API
serves. Then it is frozen and thawed again and again, each time with a commit, for more stalls.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from statistics import median

from benchmarks.ballast import MODEL as BALLAST
from benchmarks.filling import Streams
from benchmarks.parity import Servers
from benchmarks.program import serving
from benchmarks.samples import percentile, scrape, until
from benchmarks.scale import Scale
from checkpoints.errors import NotInForce
from checkpoints.operating.operator import Operator, Order
from config.processes.child import free_port
from tests.stream.rig import Rig, rig

MODEL = BALLAST + "topics: {{events: {topic}}}\n"
_STALL = "weir_checkpoint_duration_seconds"
_WORK = "weir_checkpoint_work_seconds_total"
_LEARNED = "weir_events_processed_total"
_LOOK_S = 0.1
# More than is learned in a second, and between a freeze and the next.
_EVENTS_A_SECOND = 80_000
_AHEAD = 500_000
# Until it is read: more than the API needs, and the versions served before.
_STARTING_S = 20.0
# Commits while it is read, at least.
_KNOWN = 2
# A large model is read for longer, since its versions come seldom, and the largest is written less
# often. Of the one whose age has a goal so many versions are let go by first.
_READ_LONGER = {"16": 3.0, "64": 2.0}
_COMMITTED_LESS = {"64": 0.3}
_SETTLED = {"16": 5}


def label(size: str) -> str:
    """How a size is called in the table.

    >>> label("0"), label("16")
    ('2 KB', '16 MB')
    """
    return "2 KB" if size == "0" else f"{size} MB"


@dataclass(slots=True)
class Commits:
    """The commits of a learner, each told apart by two readings of its metrics.

    The histogram's buckets are coarse, its sum is not: what a commit adds to it is its stall.
    """

    url: str
    stalls_s: list[float] = field(default_factory=list)
    works_s: list[float] = field(default_factory=list)
    seen_at: list[float] = field(default_factory=list)
    _was: dict[str, float] = field(default_factory=dict)

    def look(self) -> int:
        """Read once; how many are known. To be called more often than there are commits."""
        now = scrape(self.url)
        if not now:  # no answer in time: the next one tells of more commits
            return len(self.stalls_s)
        count = int(now[f"{_STALL}_count"] - self._was.get(f"{_STALL}_count", 0.0))
        if count and self._was:
            more = {name: now[name] - self._was[name] for name in (f"{_STALL}_sum", _WORK)}
            self.stalls_s += [more[f"{_STALL}_sum"] / count] * count
            self.works_s += [more[_WORK] / count] * count
            self.seen_at += [time.perf_counter()] * count
        self._was = now
        return len(self.stalls_s)

    @property
    def between_s(self) -> float:
        """From one commit to the next, on average."""
        return (self.seen_at[-1] - self.seen_at[0]) / (len(self.seen_at) - 1)


def at_size(
    size: str, servers: Servers, streams: Streams, *, run: int, scale: Scale
) -> dict[str, float]:
    """Stall, work, interval and age of a model that weighs so many megabytes."""
    seconds = scale.reading_s * _READ_LONGER.get(size, 1.0)
    topic = streams.at_least(int(_EVENTS_A_SECOND * (seconds + _STARTING_S * scale.events)))
    text = MODEL.format(name=f"size-{size}-{run}", size=size, topic=topic)
    with rig(
        kafka=servers.kafka,
        redis=servers.redis,
        folder=servers.folder,
        model_text=text,
        metrics_port=free_port(),
    ) as at:
        at.start()
        at.until(lambda: at.head() is not None, "the line begins")
        with serving(servers, text) as url:
            commits = Commits(f"http://127.0.0.1:{at.metrics_port}/metrics")
            predict = f"{url}/v1/models/{at.line.model}/predict"
            ages = _ages(predict, commits, seconds, _SETTLED.get(size, 1))
        between_s = commits.between_s
        count = int(scale.commits * _COMMITTED_LESS.get(size, 1.0)) + 1
        _freeze_and_thaw(at, streams, commits, count)
    at_this = f"at {label(size)}"
    return {
        f"stall a commit {at_this}, p50 ms": percentile(commits.stalls_s, 0.5) * 1000,
        f"stall a commit {at_this}, p99 ms": percentile(commits.stalls_s, 0.99) * 1000,
        f"work a commit {at_this}, CPU s": median(commits.works_s),
        f"from version to version {at_this}, s": between_s,
        f"age of the served model {at_this}, p50 s": percentile(ages, 0.5),
        f"age of the served model {at_this}, p99 s": percentile(ages, 0.99),
    }


def _ages(url: str, commits: Commits, seconds: float, settled: int) -> list[float]:
    """The served model's age in seconds while the learner learns.

    From a version on that was made when the cadence had forgotten how the API started.
    """
    found: list[float] = []
    commits.look()
    until(lambda: _has_learned(url), "a model that has learned is served")
    for _ in range(settled):
        _until_it_grows(lambda: _reading(url)[0], _reading(url)[0], "the next version is served")
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline or len(commits.seen_at) < _KNOWN:
        found.append(_reading(url)[1])
        commits.look()
        time.sleep(_LOOK_S)
    return found


def _has_learned(url: str) -> bool:
    """Whether the served model has; a worker that began without one may answer for a moment."""
    try:
        return _reading(url)[0] > 0
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        return False


def _reading(url: str) -> tuple[int, float]:
    """How much the served model has learned, and its age in seconds."""
    request = urllib.request.Request(
        url, b'{"features": {"is_popular": 1}}', {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        body = json.loads(answer.read())
    return body["learned"], body["age_seconds"]


def _freeze_and_thaw(at: Rig, streams: Streams, commits: Commits, count: int) -> None:
    """Have the learner commit, until so many stalls are known."""
    operator = Operator(at.store, at.keys.signer("operator"), at.keys.verifier, who="benchmark")
    while len(commits.stalls_s) < count:
        streams.at_least(at.consumed() + _AHEAD)
        with suppress(NotInForce):  # a large model's commit may take longer than it waits
            operator.run(at.line, Order(command="freeze", reason="benchmark"))
        _until_it_grows(commits.look, len(commits.stalls_s), "it commits")
        learned = scrape(commits.url)[_LEARNED]
        operator.run(at.line, Order(command="thaw", reason="benchmark"))
        _until_it_grows(lambda: scrape(commits.url)[_LEARNED], learned, "it learns again")


def _until_it_grows(number: Callable[[], float], known: float, what: str) -> None:
    until(lambda: number() > known, what)
