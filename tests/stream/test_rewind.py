"""Rewinds on a real broker and a real store: what is left out was never seen, all else is learned.

Hundreds of them amid kills: `python -m tests.stream.rewind_trial`.
"""

from contextlib import closing
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition

from checkpoints.reading.going_back import CannotReplay
from config.processes.scratch import private_folder
from stream.kafka import client as kafka_client
from stream.replay.log_check import log_check
from tests.checkpoints.builders import damage, damage_segment
from tests.stream.ordered_line import Line, has_come_beyond, kept, place_of, slow
from tests.stream.rewind_cases import Case
from tests.stream.rewind_trial import rebuild_trial, rewind_trial
from tests.stream.rewind_truth import rebuilt_apart
from tests.stream.rig import WAIT_S, rig

BAD = [*range(200, 203), *range(250, 270), *range(300, 320), *range(350, 370)]
SKIP = (
    "id:e-200", "id:e-201", "id:e-202", "0:250-269", "source:till-3",
    "time:2023-11-15T12:05:50Z/2023-11-15T12:06:10Z",
)  # fmt: skip


def test_a_rewind_is_the_run_that_never_saw_what_it_left_out(place):
    """With skips of each kind; so is what goes on from it, and what is rewound or made again."""
    with rig(**kept(place)) as at, private_folder(None) as scratch:
        at.start()
        line = Line(at)
        good = line.learns(190)
        old = line.learns(410, bad=range(300, 320))
        answer = line.rewind(good, *SKIP)
        head = line.learns(50)

        assert (answer["from"], answer["to"]) == (old.manifest.name, good.manifest.name)
        assert (answer["version"], answer["serving"]) == (None, good.manifest.name)
        assert line.learned() == [n for n in range(650) if n not in BAD]
        assert line.apart(BAD) == []
        assert head.manifest.counts.skipped == len(BAD)
        made = next(each for each in at.reader().versions(limit=500) if each.manifest.rewind)
        assert (made.manifest.kind, made.manifest.parent) == ("rewind", old.id)
        assert line.candidate is None
        assert rebuilt_apart(at, made, scratch, is_whole=False) == []
        assert rebuilt_apart(at, head, scratch, is_whole=True) == []

        line.rewind(good, "0:400-409")  # what the first one left out stays left out
        line.learns(20)

        assert line.learned() == [n for n in range(670) if n not in {*BAD, *range(400, 410)}]
        assert line.apart({*BAD, *range(400, 410)}) == []

        line.order("rollback", to=old.manifest.name, mode="forget")
        line.learns(10)

        assert line.learned() == [*range(600), *range(670, 680)]


def test_a_rewind_that_is_cancelled_leaves_the_head_as_it_was(place):
    """Frozen in the middle of it, and thawed, too."""
    with rig(**kept(place)) as at:
        at.start()
        line = Line(at)
        good = line.learns(100)
        old = line.learns(100)
        line.order("freeze")
        line.rewind(good, "0:120-129")
        line.send(50)
        at.until(lambda: at.beat().get("state") == "frozen", "it stands still")

        assert line.head.id == old.id
        assert at.reader().checked().serving.id == good.id
        assert at.reader().checked().rewinding.to.number == good.number

        answer = line.order("cancel")

        assert (answer["changed"], answer["serving"]) == (True, old.manifest.name)
        assert at.reader().checked().serving.id == old.id
        assert line.head.id == old.id
        line.order("thaw")
        line.settle()
        assert line.learned() == list(range(250))
        assert line.apart([]) == []
        at.until(lambda: line.candidate is None, "the candidate goes")


def test_a_freeze_holds_a_rewind_up_and_a_thaw_lets_it_go_on(place):
    with rig(**slow(place)) as at:
        at.start()
        line = Line(at)
        good = line.learns(20)
        old = line.learns(150)
        line.rewind(good, "0:30-39", keep_serving=True)
        at.until(has_come_beyond(line, 50), "it has replayed some")
        line.order("freeze")

        stood = line.candidate
        assert line.head.id == old.id
        assert at.reader().checked().serving.id == old.id
        assert 50 < place_of(stood) < 170

        line.order("thaw")
        line.settle()
        assert line.learned() == [n for n in range(170) if not 30 <= n < 40]


@pytest.mark.parametrize("victim", ["all", "learner", "source"])
def test_a_learner_that_is_killed_goes_on_from_its_candidate(place, victim):
    """Nothing is replayed twice, and what comes meanwhile is learned once."""
    with rig(**slow(place)) as at:
        process = at.start()
        line = Line(at)
        good = line.learns(20)
        old = line.learns(200)
        line.rewind(good, "0:30-39", "0:100-109")
        at.until(has_come_beyond(line, 60), "it has replayed some")
        stood = line.candidate
        if victim == "all":
            at.kill(process)
            at.start()
        else:
            assert at.kill_part(victim)
        line.send(30)

        numbers: list[int] = []
        at.until(lambda: line.is_settled() or _seen(line, numbers), "all is learned")
        at.until(line.is_settled, "all is learned")
        assert numbers
        assert min(numbers) >= stood.number
        assert line.learned() == [
            n for n in range(250) if not (30 <= n < 40 or 100 <= n < 110)
        ]  # fmt: skip
        assert line.apart([*range(30, 40), *range(100, 110)]) == []
        children = [each for each in at.reader().versions(limit=500)
                    if each.manifest.parent == old.id]  # fmt: skip
        assert [each.manifest.kind for each in children] == ["rewind"]


def _seen(line: Line, numbers: list[int]) -> bool:
    """Remember the number of the candidate; never what is waited for."""
    if (found := line.candidate) is not None:
        numbers.append(found.number)
    return False


@pytest.mark.parametrize("what", ["a segment", "its record"])
def test_a_candidate_that_is_damaged_is_begun_once_more(place, what):
    """Nothing is lost but time; the line itself stands."""
    with rig(**slow(place)) as at:
        process = at.start()
        line = Line(at)
        good = line.learns(20)
        line.learns(80)
        line.rewind(good, "0:30-39")
        at.until(has_come_beyond(line, 40), "it has replayed some")
        at.kill(process)
        if what == "a segment":
            damage_segment(at.store, line.candidate, "model", line=at.line.candidate)
        else:
            damage(at.store, line.candidate, line=at.line.candidate)

        at.start()
        line.settle()

        assert line.learned() == [n for n in range(100) if not 30 <= n < 40]
        assert line.apart(range(30, 40)) == []
        at.until(lambda: line.candidate is None, "the candidate goes")


@pytest.mark.parametrize("command", ["rollback", "another rewind"])
def test_another_order_ends_a_rewind(place, command):
    """A rollback makes a head of its own; a second rewind begins anew, with its own skip."""
    with rig(**slow(place)) as at:
        at.start()
        line = Line(at)
        good = line.learns(20)
        line.learns(100)
        line.rewind(good, "0:30-39")
        at.until(has_come_beyond(line, 40), "it has replayed some")

        if command == "rollback":
            line.order("rollback", to=good.manifest.name, mode="forget")
            line.learns(10)
            assert line.learned() == [*range(20), *range(120, 130)]
        else:
            line.rewind(good, "0:50-59")
            line.settle()
            assert line.learned() == [n for n in range(120) if not 50 <= n < 60]
        at.until(lambda: line.candidate is None, "the candidate goes")


def test_what_the_log_has_lost_cannot_be_replayed(place):
    """Refused when it is ordered; where nobody asked, the learner ends, and a cancel mends it."""
    with rig(**kept(place)) as at:
        process = at.start()
        line = Line(at)
        good = line.learns(50)
        old = line.learns(50)
        with closing(KafkaAdminClient(bootstrap_servers=at.kafka)) as client:
            client.delete_records({TopicPartition(at.model_file.topics.events, 0): 60})
        ask = log_check(lambda: at.settings("test").kafka)

        for dry_run in (True, False):
            with pytest.raises(CannotReplay, match=r"lost offset 50.*begins at 60") as refused:
                line.rewind(good, ask_log=ask, dry_run=dry_run)
            assert refused.value.exit_code == 6
        assert at.reader().checked().control is None

        at.stop(process)
        line.rewind(good)
        assert at.reader().checked().serving.id == good.id
        assert ended(at.start()) == 4
        assert line.head.id == old.id
        line.order("cancel")
        at.start()
        line.learns(10)
        assert line.learned() == list(range(110))


def test_a_topic_that_was_made_anew_cannot_be_replayed(place):
    """It is another one, whatever it is called."""
    with rig(**kept(place)) as at:
        process = at.start()
        line = Line(at)
        good = line.learns(50)
        line.learns(50)
        at.stop(process)
        topic, kafka = at.model_file.topics.events, at.settings("test").kafka
        ask = log_check(lambda: kafka)
        with closing(KafkaAdminClient(bootstrap_servers=at.kafka)) as client:
            client.delete_topics([topic])
        at.until(lambda: not kafka_client.describe(kafka, [topic]), "the topic is gone")
        with pytest.raises(CannotReplay, match="is gone"):
            line.rewind(good, ask_log=ask)

        kafka_client.create_topics(kafka, at.model_file, partitions=1)

        with pytest.raises(CannotReplay, match="made anew"):
            line.rewind(good, ask_log=ask)


def ended(process: Any) -> int:
    """The exit code of a learner that ends by itself."""
    process.join(WAIT_S)
    assert process.exitcode is not None, "the learner goes on"
    return int(process.exitcode)


@pytest.mark.parametrize(
    "case",
    [
        Case(learner="logreg", partitions=4, kills=3, seed=1),
        Case(learner="tree", partitions=1, late_topics=2, kills=3, seed=2),
        Case(learner="vw", partitions=1, kills=2, is_cancelled=True, seed=3),
    ],
    ids=lambda case: f"{case.learner}-{case.partitions}-{case.late_topics}",
)
def test_killed_at_random_a_rewind_comes_to_the_same(
    kafka_server, valkey_server, tmp_path, unique_name, case
):
    """A small one of the campaign, at a quarter of its size."""
    result = rewind_trial(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, name=unique_name,
        case=case, share=0.25,
    )  # fmt: skip
    assert result.problems == []


@pytest.mark.parametrize(
    "case",
    [
        Case(learner="arf", partitions=1, seed=4),
        Case(learner="vw", partitions=4, late_topics=1, seed=5, last=40),
    ],
    ids=lambda case: f"{case.learner}-{case.partitions}-{case.late_topics}",
)
def test_versions_are_made_again_out_of_the_log(
    kafka_server, valkey_server, tmp_path, unique_name, case
):
    """To identical scores and predictions, before a rewind and after it."""
    result = rebuild_trial(
        kafka=kafka_server.address, redis=valkey_server.url, folder=tmp_path, name=unique_name,
        case=case, versions=5, share=0.25,
    )  # fmt: skip
    assert result.problems == []
