"""Rewinds amid kills: poison a stretch, go on, rewind without it, and be what never saw it.

`python -m tests.stream.rewind_trial --trials 12 --kills 5` does that for each learner in turn, on
one partition and on four, with labels that come late in some; every fourth rewind is cancelled, and
must leave the head as it was. `--rebuild` makes random versions of each line again instead.

The oracle stands in `rewind_truth.py`.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from checkpoints.dev_server import ValkeyServer
from checkpoints.errors import NotInForce
from checkpoints.operating.answers import NOTHING_CHANGED
from checkpoints.operating.in_force import Enforcement
from checkpoints.operating.operator import Operator
from checkpoints.operating.order import Order
from checkpoints.records.manifest import Version
from config.processes.scratch import private_folder
from stream.dev.kafka_server import KafkaServer
from tests.stream.rewind_cases import (
    EVENTS,
    FIRST_S,
    Case,
    Sender,
    Stream,
    cases,
    rebuild_cases,
)
from tests.stream.rewind_truth import (
    Taken,
    apart,
    learned,
    order_of,
    read_log,
    rebuilt_apart,
    taken_in,
)
from tests.stream.rig import Rig, rig

VICTIMS = ("all", "learner", "source", "committer")
WAYS = ("offsets", "source", "time")  # how the stretch is named
_LIMIT_S = 120.0


@dataclass(slots=True)
class Result:
    """What one trial came to; no problems is what is hoped for."""

    kills: int = 0
    is_cancelled: bool = False
    problems: list[str] = field(default_factory=list)


def rewind_trial(
    *, kafka: str, redis: str, folder: Path, name: str, case: Case, share: float = 1.0
) -> Result:
    """Poison, go on, rewind amid kills, go on; what came of it against what must.

    Args:
        share: Of the usual number of events.
    """
    rng, count = random.Random(case.seed), int(EVENTS[case.learner] * share)
    text, result = case.model_text(name), Result()
    given = {"kafka": kafka, "redis": redis, "folder": folder, "model_text": text}
    with rig(**given, partitions=case.partitions) as at, private_folder(None) as scratch:
        process, sender = at.start(), Sender(at, case, rng)
        good, bad, head = spoil(at, sender, count)
        way = rng.choice(WAYS)
        before, end = order_of(at, head), sender.sent
        ordered = order_rewind(at, good, skip=skips(way, good, bad), rng=rng)
        sender.send(count // 20)
        process = _kill_amid(at, process, case.kills, rng, result)
        if case.is_cancelled:
            result.is_cancelled = cancel(at)
        sender.send(count // 20)
        until_all_is_learned(at, sender.sent)
        left_out = set() if result.is_cancelled else stretch(good, bad)
        result.problems += _problems(at, before, left_out, scratch)
        result.problems += _line_problems(at, head, ordered, result)
        if len(before) != end:
            result.problems.append(f"{len(before)} records in the order of {end}")
    return result


def spoil(at: Rig, sender: Sender, events: int) -> tuple[Version, Version, Version]:
    """Good events, bad ones, good ones again: the version after each stretch."""
    versions = []
    for share, is_bad in ((0.4, False), (0.15, True), (0.45, False)):
        sender.send(int(events * share), is_bad=is_bad)
        until_all_is_learned(at, sender.sent)
        head = at.head()
        assert head is not None
        versions.append(head)
        if not is_bad:
            operator(at).run(at.line, tag_order(head))
    return versions[0], versions[1], versions[2]


def until_all_is_learned(at: Rig, sent: int) -> None:
    """The head stands behind all that was sent, and no rewind is under way."""
    at.until(lambda: at.consumed() == sent and at.reader().checked().rewinding is None,
             f"all {sent} are learned", _LIMIT_S)  # fmt: skip


def operator(at: Rig, *, limit_s: float = 10.0) -> Operator:
    """Orders for the line, waited for so long."""
    enforcement = Enforcement(store=at.store, limit_s=limit_s)
    signer = at.keys.signer("operator")
    return Operator(at.store, signer, at.keys.verifier, who="trial", enforcement=enforcement)


def tag_order(version: Version) -> Order:
    """So that it is kept."""
    name = version.manifest.name
    return Order(command="tag", to=name, tag=f"at-{name}", reason="trial")


def skips(way: str, good: Version, bad: Version) -> tuple[str, ...]:
    """The stretch between two versions, as an operator writes it."""
    if way == "source":
        return ("source:bad",)
    if way == "time":
        begin, end = (sum(sum(of.values()) for of in version.manifest.offsets.values())
                      for version in (good, bad))  # fmt: skip
        return (f"time:{_moment(begin)}/{_moment(end)}",)
    return tuple(
        f"{topic}/{partition}:{first}-{following - 1}"
        for topic, partition, first, following in _runs_between(good, bad)
    )


def _moment(place: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(FIRST_S + place))


def _runs_between(good: Version, bad: Version) -> Iterator[tuple[str, int, int, int]]:
    for topic, partitions in bad.manifest.offsets.items():
        for partition, end in partitions.items():
            first = good.manifest.offsets.get(topic, {}).get(partition, 0)
            if first < end:
                yield topic, int(partition), first, end


def stretch(good: Version, bad: Version) -> set[Taken]:
    """Every record between two versions."""
    return set(taken_in(_runs_between(good, bad)))


def order_rewind(at: Rig, to: Version, *, skip: Sequence[str], rng: random.Random) -> str:
    """Order it, and do not wait; the id of the command."""
    keeps = rng.random() < 0.5
    order = Order(command="rollback", to=to.manifest.name, mode="rewind", skip=tuple(skip),
                  keep_serving=keeps, reason="trial")  # fmt: skip
    with suppress(NotInForce):
        operator(at, limit_s=0.0).run(at.line, order)
    return at.reader().audit(limit=1)[0].record.command.id


def cancel(at: Rig) -> bool:
    """Whether there was anything left to cancel."""
    with suppress(NotInForce):
        operator(at, limit_s=0.0).run(at.line, Order(command="cancel", reason="trial"))
    return at.reader().audit(limit=1)[0].record.command.outcome != NOTHING_CHANGED


def _kill_amid(at: Rig, process: Any, kills: int, rng: random.Random, result: Result) -> Any:
    """Kill a learner or one of its processes so often, or until it is rewound; who learns now."""
    wanted = rng.randint(1, kills) if kills else 0
    while result.kills < wanted:
        _wait_a_while(at, rng)
        if at.reader().checked().rewinding is None:
            return process
        victim = rng.choice(VICTIMS)
        if victim == "all":
            at.kill(process)
            process = at.start()
            result.kills += 1
        else:
            result.kills += at.kill_part(victim)
    return process


def _wait_a_while(at: Rig, rng: random.Random) -> None:
    """Some time in a rewind: while it begins, while it replays, while it takes over."""
    if rng.random() < 0.3:
        time.sleep(rng.uniform(0.0, 0.8))
        return
    before, deadline = at.store.head(at.line.candidate), time.monotonic() + 5
    while at.store.head(at.line.candidate) == before and time.monotonic() < deadline:
        time.sleep(0.003)
    time.sleep(rng.expovariate(1 / 0.05))


def _problems(at: Rig, before: list[Taken], left_out: set[Taken], scratch: Path) -> list[str]:
    """Whether the head is what it must be, and came by it in the right order."""
    head = at.head()
    assert head is not None
    log = read_log(at, head.manifest.offsets)
    order, found = order_of(at, head), []
    everything = {(*key, offset) for key, records in log.items() for offset in range(len(records))}
    if sorted(order) != sorted(everything - left_out):
        wrong = sorted(everything - left_out - set(order)), sorted(set(order) & left_out)
        found.append(f"{len(order)} in its order; lost {wrong[0][:3]}, not left out {wrong[1][:3]}")
    if order[: len(before) - len(left_out)] != [each for each in before if each not in left_out]:
        found.append("what was read before was replayed in another order")
    if len(log) == 1:
        order = sorted(everything - left_out)
    found += apart(at, head, *learned(at, log, order, scratch), scratch)
    if head.manifest.counts.skipped != len(left_out):
        found.append(f"{head.manifest.counts.skipped} skipped for {len(left_out)}")
    return found


def _line_problems(at: Rig, was: Version, ordered: str, result: Result) -> list[str]:
    """Whether the old head was followed by the rewind's version, or, cancelled, by a commit."""
    found = []
    versions = at.reader().versions(limit=1000)
    made = [each for each in versions if each.manifest.rewind]
    children = [each for each in versions if each.manifest.parent == was.id]
    if len(children) != 1:
        found.append(f"{len(children)} versions follow {was}")
    wanted = [] if result.is_cancelled else [ordered]
    if [each.manifest.rewind.command_id for each in made if each.manifest.rewind] != wanted:
        found.append(f"{len(made)} versions of a rewind")
    elif made and made[0].manifest.parent != was.id:
        found.append(f"{made[0]} does not follow {was}")
    with suppress(AssertionError):
        at.until(lambda: at.store.head(at.line.candidate) is None, "the candidate goes", 10)
        return found
    return [*found, "the candidate is still there"]


def rebuild_trial(
    *, kafka: str, redis: str, folder: Path, name: str, case: Case, versions: int,
    share: float = 1.0,
) -> Result:  # fmt: skip
    """Make so many random versions again of a line that was rewound, and rolled back, once."""
    rng, count = random.Random(case.seed), int(EVENTS[case.learner] * share)
    text, result = case.model_text(name), Result()
    given = {"kafka": kafka, "redis": redis, "folder": folder, "model_text": text}
    with rig(**given, partitions=case.partitions) as at, private_folder(None) as scratch:
        process, sender = at.start(), Sender(at, case, rng)
        good, bad, spoilt = spoil(at, sender, count)
        order_rewind(at, good, skip=skips(rng.choice(WAYS), good, bad), rng=rng)
        until_all_is_learned(at, sender.sent)
        _go_on(at, sender, count // 4)
        back = Order(command="rollback", to=spoilt.manifest.name, mode="forget", reason="trial")
        operator(at).run(at.line, back)
        _go_on(at, sender, count // 4)
        at.stop(process)
        kept = [each for each in at.reader().versions(limit=1000) if each.manifest.counts.learned]
        for version in rng.sample(kept, min(versions, len(kept))):
            is_whole = rng.random() < 0.2
            result.problems += rebuilt_apart(at, version, scratch, is_whole=is_whole)
    return result


def _go_on(at: Rig, sender: Sender, events: int) -> None:
    """Over a few versions."""
    for _ in range(10):
        sender.send(events // 10)
        time.sleep(0.05)
    until_all_is_learned(at, sender.sent)


def campaign(
    servers: Mapping[str, Any], *, trials: int, kills: int, seed: int,
    streams: Sequence[Stream] = (),
) -> int:  # fmt: skip
    """So many trials; how many problems there were."""
    began, killed, cancelled, bad = time.monotonic(), 0, 0, 0
    made = cases(seed, kills=kills, streams=streams)
    for done, case in enumerate(islice(made, trials), start=1):
        name = f"rewind-{case.learner}-{case.partitions}-{case.seed}"
        result = rewind_trial(**servers, name=name, case=case)
        killed, cancelled = killed + result.kills, cancelled + result.is_cancelled
        bad += _told(name, case, result.problems)
        spent = time.monotonic() - began
        print(
            f"rewinds: {done} of {trials} trials, {killed} kills, {bad} problems, "
            f"{spent / done * (trials - done):.0f} s left",
            file=sys.stderr,
            flush=True,
        )
    took = time.monotonic() - began
    print(f"rewinds: {trials} trials, {cancelled} cancelled, {killed} kills, {bad} problems, "
          f"{took:.0f} s", flush=True)  # fmt: skip
    return bad


def rebuild_campaign(
    servers: Mapping[str, Any], *, versions: int, seed: int, streams: Sequence[Stream] = ()
) -> int:
    """So many versions of each line made again; how many problems there were."""
    bad = 0
    for case in rebuild_cases(seed, streams):
        began = time.monotonic()
        of = case.stream.name.replace("_", "-") if case.stream else "made"
        name = f"rebuild-{of}-{case.learner}-{case.partitions}-{case.late_topics}-{case.seed}"
        result = rebuild_trial(**servers, name=name, case=case, versions=versions)
        bad += _told(name, case, result.problems)
        took = time.monotonic() - began
        print(f"{name}: {versions} versions made again, {len(result.problems)} problems, "
              f"{took:.0f} s", flush=True)  # fmt: skip
    return bad


def _told(name: str, case: Case, problems: list[str]) -> int:
    for problem in problems:
        print(f"{name}: {problem} ({case})", flush=True)
    return len(problems)


def main() -> int:
    """Run the campaign; 1 if any trial found a problem."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=48)
    parser.add_argument("--kills", type=int, default=6, help="of each trial, at most")
    parser.add_argument("--rebuild", action="store_true", help="make random versions again")
    parser.add_argument("--versions", type=int, default=20, help="of each line, with --rebuild")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="a folder of streams; without, they are made up")
    parser.add_argument("--streams", nargs="*", default=["elec2", "airlines2k", "sea_abrupt"])
    asked = parser.parse_args()
    given = [Stream(name=each, folder=asked.data) for each in asked.streams] if asked.data else []
    options = {"seed": asked.seed, "streams": given}
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for name in ("kafka", "redis"):
            (base / name).mkdir()
        with KafkaServer(base / "kafka") as kafka, ValkeyServer(base / "redis") as redis:
            servers = {"kafka": kafka.address, "redis": redis.url, "folder": base}
            if asked.rebuild:
                bad = rebuild_campaign(servers, versions=asked.versions, **options)
            else:
                bad = campaign(servers, trials=asked.trials, kills=asked.kills, **options)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
