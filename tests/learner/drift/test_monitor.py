"""Drift: detections stand where River's own detectors put them, and survive a restart."""

import math
import pickle
import pickletools
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from river import drift
from river.drift import binary

from config.model.parts import Drift
from config.model_file import TaskName
from learner.drift.detectors import DETECTORS
from learner.drift.log import KEPT, DriftLog
from learner.drift.monitor import Detection, Detectors
from learner.errors import SpecError
from tests.effort import each_of

RIVER: dict[str, Callable[[], Any]] = {
    "ADWIN": drift.ADWIN,
    "PageHinkley": drift.PageHinkley,
    "KSWIN": lambda: drift.KSWIN(seed=42),
    "DDM": binary.DDM,
    "EDDM": binary.EDDM,
    "HDDM_A": binary.HDDMA,
    "HDDM_W": binary.HDDMW,
    "FHDDM": binary.FHDDM,
}
BINARY = ["DDM", "EDDM", "HDDM_A", "HDDM_W", "FHDDM"]
Signal = Sequence[float]


def errors(*phases: tuple[int, float], seed: int = 7) -> list[int]:
    """0 or 1 for each event; each phase is a length and a rate of errors."""
    rng = random.Random(seed)
    return [int(rng.random() < rate) for length, rate in phases for _ in range(length)]


def detectors(*names: str, task: TaskName = "binary", **arguments: Any) -> Detectors:
    return Detectors([Drift(detector=name, arguments=arguments) for name in names], task)


def run(watching: Detectors, signal: Signal, start: int = 0) -> list[Detection]:
    return [
        found
        for index, value in enumerate(signal, start)
        for found in watching.update(value, index)
    ]


def positions(name: str, signal: Signal) -> list[int]:
    """Where River's own detector raises its flag; FHDDM's input is 1 where right."""
    detector, found = RIVER[name](), []
    for index, value in enumerate(signal):
        detector.update(1 - value if name == "FHDDM" else value)
        if detector.drift_detected:
            found.append(index)
    return found


def again(state: object) -> Any:
    return pickle.loads(pickle.dumps(state))


@pytest.mark.parametrize("name", each_of(RIVER))
@pytest.mark.parametrize("seed", each_of([1, 2, 3]))
def test_detections_stand_where_rivers_detector_puts_them(name: str, seed: int) -> None:
    signal = errors((400, 0.1), (400, 0.6), (400, 0.1), seed=seed)

    found = [each.index for each in run(detectors(name), signal)]

    assert positions(name, signal) == found
    assert found


def test_detectors_side_by_side_do_not_disturb_each_other() -> None:
    signal = errors((500, 0.1), (500, 0.5), (500, 0.2))

    found = run(detectors(*RIVER), signal)

    for name in RIVER:
        assert positions(name, signal) == [each.index for each in found if each.detector == name]


def distances(scale: float, *, factor: float, seed: int = 5, count: int = 700) -> list[float]:
    """Errors of a regression that grow by a factor halfway."""
    rng = random.Random(seed)
    return [scale * abs(rng.gauss(0, 1 if index < count else factor)) for index in range(2 * count)]


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("ADWIN", {}), ("KSWIN", {}), ("PageHinkley", {"threshold": 50.0}),
     ("PageHinkley", {"delta": 0.005}), ("PageHinkley", {"delta": 0.005, "threshold": 50.0})],
)  # fmt: skip
def test_a_distance_is_watched_as_well(name: str, arguments: dict[str, float]) -> None:
    """As it is, where a threshold is said that fits it."""
    signal = distances(1, factor=9)

    found = [each.index for each in run(detectors(name, task="regression", **arguments), signal)]

    assert positions(name, signal) == found
    assert any(index >= 700 for index in found)


@pytest.mark.parametrize("arguments", [{}, {"mode": "up"}, {"min_instances": 50}])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 300.0, 1e9])
def test_a_default_made_for_zero_to_one_fits_errors_of_any_size(
    scale: float, arguments: dict[str, Any]
) -> None:
    """Fed the distance itself it would raise its flag every 30th event, or never."""
    watching = detectors("PageHinkley", task="regression", **arguments)
    steady = distances(scale, factor=1, count=10_000)
    grown = distances(scale, factor=3, count=2_000)

    assert run(watching, steady) == []
    found = run(detectors("PageHinkley", task="regression", **arguments), grown)

    assert [each.direction for each in found] == ["worse"]
    assert 2_000 < found[0].index < 2_400
    mean = sum(grown[: found[0].index + 1]) / (found[0].index + 1)
    assert found[0].before == mean, "told of the error itself"


def test_the_relative_error_is_what_the_notes_say() -> None:
    """e / (e + mean since the last detection); an exact prediction is 0, also the first."""
    watching = detectors("PageHinkley", task="regression")
    detector, total, count, found = drift.PageHinkley(), 0.0, 0, []
    signal = [0.0, *distances(40, factor=0.2, count=3_000), 0.0, 1e308, 1e308]
    for index, error in enumerate(signal):
        total, count = total + error, count + 1
        detector.update(error / (error + total / count) if error else 0.0)
        if detector.drift_detected:
            found.append(index)
            total, count = 0.0, 0

    assert [each.index for each in run(watching, signal)] == found
    assert found
    assert "e / (e + mean)" in watching.notes[0]
    assert detectors("PageHinkley", "ADWIN").notes == ()
    assert detectors("PageHinkley", task="regression", threshold=9.0).notes == ()


@pytest.mark.parametrize("cut", [1, 40, 3_100, 4_500])
def test_a_relative_error_goes_on_from_a_checkpoint_as_if_never_interrupted(cut: int) -> None:
    """Its mean is part of it; after a rollback to the cut, the same again."""
    signal = distances(40, factor=4, count=3_000)
    whole = run(detectors("PageHinkley", task="regression"), signal)
    first = detectors("PageHinkley", task="regression")
    before = run(first, signal[:cut])
    dumped = pickle.dumps(first.dump())
    run(first, signal[cut:])  # what is forgotten

    second = detectors("PageHinkley", task="regression")
    second.restore(pickle.loads(dumped))

    assert whole == before + run(second, signal[cut:], cut)


def test_a_detector_that_was_fed_otherwise_starts_anew() -> None:
    """A checkpoint of a build that fed it the distance itself, or of a task of classes."""
    raw = detectors("PageHinkley")
    run(raw, errors((300, 0.4)))
    watching = detectors("PageHinkley", task="regression")
    watching.restore(again(raw.dump()))
    signal = distances(40, factor=3, count=2_000)

    fresh = run(detectors("PageHinkley", task="regression"), signal)
    assert run(watching, signal)[0].index == fresh[0].index


@pytest.mark.parametrize("name", each_of(RIVER))
def test_every_detector_alarms_when_errors_become_more(name: str) -> None:
    """Polarity: a detector fed the wrong way round stays silent here."""
    found = run(detectors(name), errors((2000, 0.05), (500, 0.6)))

    after_the_change = [each for each in found if each.index >= 2000]
    assert after_the_change
    assert after_the_change[0].direction == "worse"


@pytest.mark.parametrize("name", ["ADWIN", "PageHinkley", "KSWIN"])
def test_two_sided_detectors_tell_an_improvement_as_one(name: str) -> None:
    found = run(detectors(name), errors((2000, 0.6), (500, 0.05)))

    after_the_change = [each for each in found if each.index >= 2000]
    assert after_the_change
    assert after_the_change[0].direction == "better"


@pytest.mark.parametrize("name", BINARY)
def test_one_sided_detectors_are_silent_when_errors_become_fewer(name: str) -> None:
    found = run(detectors(name), errors((2000, 0.6), (500, 0.05)))

    assert [each for each in found if each.index >= 2000] == []


def test_before_and_after_are_the_means_of_the_contract() -> None:
    signal = errors((1000, 0.1), (1000, 0.6), (1000, 0.1), seed=11)
    since = 0
    for found in run(detectors("ADWIN"), signal):
        of_the_line = signal[since : found.index + 1]
        of_the_last = signal[max(0, found.index - 99) : found.index + 1]

        assert sum(of_the_line) / len(of_the_line) == found.before
        assert sum(of_the_last) / len(of_the_last) == found.after
        assert ("worse" if found.after > found.before else "better") == found.direction

        since = found.index + 1
    assert since


def test_one_drift_is_one_episode() -> None:
    signal = errors((2000, 0.05), (3000, 0.3), (2000, 0.9))

    found = run(detectors("HDDM_W", "ADWIN"), signal)

    for name in ("HDDM_W", "ADWIN"):
        of_one = [each for each in found if each.detector == name]
        episode, last = 0, -math.inf
        for each in of_one:
            episode += each.index - last > 1000
            last = each.index
            assert episode == each.episode
        assert of_one[0].episode == 1
        assert of_one[-1].episode > 1


def test_detections_exactly_a_thousand_apart_share_an_episode() -> None:
    watching = detectors("FHDDM", sliding_window_size=1, confidence_level=0.9)
    signal = [0.0] * 4000
    for index in (500, 1500, 2501):  # one error is a drift to so short a window
        signal[index] = 1

    assert [(each.index, each.episode) for each in run(watching, signal)] == [
        (500, 1),
        (1500, 1),
        (2501, 2),
    ]


@pytest.mark.parametrize("name", each_of(RIVER))
@pytest.mark.parametrize("cut", [1, 333, 610])
def test_a_restored_dump_detects_the_same_from_there_on(name: str, cut: int) -> None:
    signal = errors((400, 0.1), (400, 0.7))
    whole = run(detectors(name), signal)
    first, second = detectors(name), detectors(name)

    before = run(first, signal[:cut])
    second.restore(again(first.dump()))

    assert whole == before + run(second, signal[cut:], cut)
    assert whole


@pytest.mark.parametrize("name", each_of(RIVER))
def test_a_dump_needs_nothing_dangerous_to_load(name: str) -> None:
    """`getattr` is what a restricted unpickler must refuse; PageHinkley would bring it."""
    watching = detectors(name)
    run(watching, errors((300, 0.3)))

    loaded = {
        argument
        for _, argument, _ in pickletools.genops(pickle.dumps(watching.dump(), protocol=5))
        if isinstance(argument, str)
    }

    assert loaded.isdisjoint({"builtins", "getattr", "numpy", "numpy._core.multiarray"})


def test_a_changed_list_keeps_entries_that_stay_and_starts_the_rest() -> None:
    signal = errors((900, 0.1), (900, 0.5))
    first = Detectors([Drift(detector="ADWIN"), Drift(detector="DDM")], "binary")
    run(first, signal[:800])
    loose = Drift(detector="ADWIN", arguments={"delta": 0.05})
    second = Detectors([loose, Drift(detector="ADWIN")], "binary")
    fresh = Detectors([loose], "binary")

    second.restore(again(first.dump()))

    found = run(second, signal[800:], 800)
    kept = [each.index for each in run(detectors("ADWIN"), signal) if each.index >= 800]
    started = [each.index for each in run(fresh, signal[800:], 800)]
    assert sorted(kept + started) == [each.index for each in found]


def test_nothing_found_costs_no_new_object() -> None:
    watching = detectors("ADWIN")

    assert watching.update(0, 0) is watching.update(0, 1)
    assert not detectors().update(1, 0)


@pytest.mark.parametrize("signal", [math.nan, math.inf])
def test_a_signal_that_is_not_finite_is_our_own_bug(signal: float) -> None:
    with pytest.raises(AssertionError, match="must never see"):
        detectors("ADWIN", task="regression").update(signal, 3)


def test_unseeded_detectors_are_seeded() -> None:
    signal = errors((400, 0.2), (400, 0.8))

    assert run(detectors("KSWIN", seed=42), signal) == run(detectors("KSWIN"), signal)
    assert run(detectors("KSWIN", seed=None), signal) == run(detectors("KSWIN"), signal)


@pytest.mark.parametrize("name", ["HDDMA", "HDDMW"])
def test_rivers_class_names_do_as_well(name: str) -> None:
    signal = errors((600, 0.1), (600, 0.6))
    usual = f"{name[:-1]}_{name[-1]}"

    found = run(detectors(name), signal)

    assert [each.index for each in run(detectors(usual), signal)] == [each.index for each in found]
    assert {name} == {each.detector for each in found}


@pytest.mark.parametrize("name", [name for name, kind in DETECTORS.items() if kind.binary])
def test_a_detector_of_right_and_wrong_is_refused_for_a_regression(name: str) -> None:
    with pytest.raises(SpecError, match="distance") as refused:
        detectors(name, task="regression")

    assert refused.value.key == "drift[0].detector"


@pytest.mark.parametrize(
    ("name", "arguments", "key", "told"),
    [
        ("ADWINN", {}, "detector", 'did you mean "ADWIN"'),
        ("drift.ADWIN", {}, "detector", 'did you mean "ADWIN"'),
        ("NoDrift", {}, "detector", "there is no detector"),
        ("ADWIN", {"dleta": 0.1}, "dleta", 'did you mean "delta"'),
        ("ADWIN", {"delta": "0.1"}, "delta", "finite number"),
        ("ADWIN", {"delta": 2}, "delta", "between 0 and 1"),
        ("ADWIN", {"delta": math.nan}, "delta", "finite number"),
        ("ADWIN", {"delta": True}, "delta", "finite number"),
        ("ADWIN", {"clock": 0}, "clock", "from 1 to"),
        ("ADWIN", {"max_buckets": 0}, "max_buckets", "from 1 to"),
        ("ADWIN", {"clock": 10**30}, "clock", "from 1 to"),
        ("PageHinkley", {"mode": "upwards"}, "detector", "Valid values"),
        ("PageHinkley", {"mode": 3}, "mode", "must be like 'both'"),
        ("HDDM_A", {"two_sided_test": 1}, "two_sided_test", "must be like False"),
        ("KSWIN", {"window": [1, 2]}, "window", "has no argument"),
        ("KSWIN", {"window_size": 500, "stat_size": 400}, "detector", "cannot run"),
        ("KSWIN", {"seed": 0.5}, "seed", "whole number"),
        ("EDDM", {"alpha": 0.5, "beta": 0.9}, "detector", "cannot run"),
        ("FHDDM", {"short_window_size": 200}, "detector", "cannot run"),
    ],
)
def test_a_detector_that_cannot_be_is_refused_with_its_place(
    name: str, arguments: dict[str, Any], key: str, told: str
) -> None:
    good, bad = Drift(detector="ADWIN"), Drift(detector=name, arguments=arguments)

    with pytest.raises(SpecError) as refused:
        Detectors([good, bad], "binary")

    assert refused.value.key == f"drift[1].{key}"
    assert told in refused.value.message


def a_detection(index: int) -> Detection:
    return Detection(
        detector="ADWIN",
        on="error",
        index=index,
        before=0.125,
        after=math.inf if index == 5 else 0.5,
        direction="worse",
        episode=1,
    )


def test_the_log_keeps_the_last_thousand_and_counts_all() -> None:
    log = DriftLog()
    for index in range(KEPT + 10):
        log.add(a_detection(index), "phishing.events", 0, 2 * index, 1_700_000_000_123)

    assert log.total == KEPT + 10
    assert len(log.items) == KEPT
    assert log.items[0]["index"] == KEPT + 9
    assert log.items[-1]["index"] == 10


def test_a_record_has_exactly_the_keys_of_the_contract() -> None:
    log = DriftLog()
    log.add(a_detection(4), "phishing.events", 2, 17, 1_700_000_000_123)
    log.settle("v3")

    assert log.items == [
        {
            "detector": "ADWIN",
            "on": "error",
            "index": 4,
            "version": "v3",
            "topic": "phishing.events",
            "partition": 2,
            "offset": 17,
            "before": 0.125,
            "after": 0.5,
            "direction": "worse",
            "episode": 1,
            "at": "2023-11-14T22:13:20.123Z",
        }
    ]


def test_a_version_names_only_the_detections_it_is_the_first_to_hold() -> None:
    log = DriftLog()
    for index, version in [(1, "v2"), (2, "v3"), (3, None)]:
        log.add(a_detection(index), "t", 0, index, 0)
        if version:
            log.settle(version)

    assert [(each["index"], each["version"]) for each in log.items] == [
        (3, None),
        (2, "v3"),
        (1, "v2"),
    ]


def test_the_log_survives_json_and_goes_on() -> None:
    log = DriftLog()
    for index in (4, 5):
        log.add(a_detection(index), "t", 0, index, 0)

    second = DriftLog.from_json(log.to_json())
    second.add(a_detection(6), "t", 0, 6, 0)

    assert second.total == 3
    assert [each["index"] for each in second.items] == [6, 5, 4]
    assert [each["after"] for each in second.items[1:]] == [None, 0.5]
    assert log.items == second.items[1:]


@pytest.mark.parametrize("timestamp_ms", [-1, -(2**63), 2**63 - 1])
def test_any_timestamp_that_kafka_carries_is_told(timestamp_ms: int) -> None:
    log = DriftLog()

    log.add(a_detection(1), "t", 0, 1, timestamp_ms)

    assert log.items[0]["at"] in {"1970-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"}
