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

from benchmarks.filling import Streams
from benchmarks.parity import Servers
from benchmarks.program import serving
from benchmarks.samples import percentile, scrape, until
from benchmarks.scale import Scale
from checkpoints.commands import Operator, Order
from checkpoints.errors import NotInForce
from config.processes import free_port
from tests.stream.rig import Rig, rig

MODEL = """
name: {name}
task: binary
learner: {{python: "benchmarks.ballast:of_{size}_mb"}}
trust: [benchmarks]
metrics: [Accuracy]
drift: [{{on: error, detector: ADWIN}}]
topics: {{events: {topic}}}
"""
_STALL = "weir_checkpoint_duration_seconds"
_WORK = "weir_checkpoint_work_seconds_total"
_LEARNED = "weir_events_processed_total"
_INTERVAL = "weir_checkpoint_interval_seconds"
_LOOK_S = 0.1
# More than is learned in a second, and between a freeze and the next.
_EVENTS_A_SECOND = 80_000
_AHEAD = 500_000
# A large model is read for longer, since its versions come seldom, and the largest is written less
# often.
_READ_LONGER = {"16": 3.0}
_COMMITTED_LESS = {"64": 0.3}


def label(size: str) -> str:
    """How a size is called in the table.

    >>> label("0"), label("16")
    ('2 KB', '16 MB')
    """
    return "2 KB" if size == "0" else f"{size} MB"


@dataclass(slots=True)
class _Commits:
    """The commits of a learner, each told apart by two readings of its metrics.

    The histogram's buckets are coarse, its sum is not: what a commit adds to it is its stall.
    """

    url: str
    stalls_s: list[float] = field(default_factory=list)
    works_s: list[float] = field(default_factory=list)
    intervals_s: list[float] = field(default_factory=list)
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
            self.intervals_s.append(now[_INTERVAL])
        self._was = now
        return len(self.stalls_s)


def at_size(
    size: str, servers: Servers, streams: Streams, *, run: int, scale: Scale
) -> dict[str, float]:
    """Stall, work, interval and age of a model that weighs so many megabytes."""
    topic = streams.at_least(_AHEAD)
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
            commits = _Commits(f"http://127.0.0.1:{at.metrics_port}/metrics")
            seconds = scale.reading_s * _READ_LONGER.get(size, 1.0)
            streams.at_least(at.consumed() + int(_EVENTS_A_SECOND * seconds) + _AHEAD)
            ages = _ages(f"{url}/v1/models/{at.line.model}/predict", commits, seconds)
        count = int(scale.commits * _COMMITTED_LESS.get(size, 1.0)) + 1
        _freeze_and_thaw(at, streams, commits, count)
    at_this = f"at {label(size)}"
    return {
        f"stall a commit {at_this}, p50 ms": percentile(commits.stalls_s, 0.5) * 1000,
        f"stall a commit {at_this}, p99 ms": percentile(commits.stalls_s, 0.99) * 1000,
        f"work a commit {at_this}, CPU s": median(commits.works_s),
        f"from version to version {at_this}, s": median(commits.intervals_s),
        f"age of the served model {at_this}, p50 s": percentile(ages, 0.5),
        f"age of the served model {at_this}, p99 s": percentile(ages, 0.99),
    }


def _ages(url: str, commits: _Commits, seconds: float) -> list[float]:
    """The served model's age in seconds while the learner learns, from its first commit on."""
    found: list[float] = []
    commits.look()
    until(lambda: _has_learned(url), "a model that has learned is served")
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
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


def _freeze_and_thaw(at: Rig, streams: Streams, commits: _Commits, count: int) -> None:
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
