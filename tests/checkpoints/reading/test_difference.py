"""What lies between two versions."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checkpoints.reading.difference import (
    changed_settings,
    learned_stretch,
    version_difference,
)
from checkpoints.records.line import Line
from checkpoints.records.lineage import rolled_back
from checkpoints.records.manifest import Counts, Manifest, Version, seal_version
from tests.checkpoints.builders import OPERATOR, a_manifest, a_version

LINE = Line("phishing")


def a_life(steps: list[tuple[int, int | None]]) -> tuple[list[Version], list[set[int]]]:
    """Versions of a line, and the offsets that each has learned.

    Args:
        steps: Of each version, how many records it learns; or the version to roll back to.
    """
    versions = [a_version(LINE, number=1, offsets={"t": {"0": 3}}, begins={"t": {"0": 0}})]
    learned = [{0, 1, 2}]
    for number, (more, to) in enumerate(steps, 2):
        head = versions[-1]
        end = head.manifest.offsets["t"]["0"]
        if to is None:
            counts = replace(head.manifest.counts, learned=head.manifest.counts.learned + more)
            versions.append(
                a_version(
                    LINE, number=number, parent=head, offsets={"t": {"0": end + more}},
                    begins={"t": {"0": 0}}, counts=counts,
                )
            )  # fmt: skip
            learned.append(learned[-1] | set(range(end, end + more)))
            continue
        target = to % len(versions)
        made = rolled_back(
            head, versions[target], number=number, command_id="c", reason="spoilt", who="ann",
            at_ms=number,
        )  # fmt: skip
        versions.append(seal_version(made, OPERATOR))
        learned.append(learned[target])
    return versions, learned


@given(
    st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 20)), min_size=1, max_size=12),
    st.integers(0, 12),
    st.integers(0, 12),
)
def test_the_stretch_is_what_the_later_learned_and_the_earlier_had_not_read(
    steps: list[tuple[int, int | None]], one: int, other: int
) -> None:
    versions, learned = a_life(steps)
    first, last = sorted((one % len(versions), other % len(versions)))
    earlier, later = versions[first].manifest, versions[last].manifest
    kept = [version.manifest for version in versions]

    stretch = learned_stretch(earlier, later, kept)

    parts = stretch.get("t", {}).get("0", [])
    found = {offset for begin, end in parts for offset in range(begin, end)}
    had_read = set(range(earlier.offsets["t"]["0"]))
    assert found == learned[last] - had_read
    assert learned_stretch(later, earlier, kept) == stretch


def settings() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.integers() | st.text(max_size=3)
    return st.dictionaries(
        st.sampled_from("abc"),
        st.recursive(
            leaves,
            lambda inner: (
                st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
                | st.lists(inner, max_size=3)
            ),
            max_leaves=6,
        ),
        max_size=3,
    )


@given(settings(), settings())
def test_settings_that_differ_are_named_and_no_others(was: Any, now: Any) -> None:
    changed = changed_settings(was, now)

    assert changed_settings(was, was) == {}
    assert all(each["was"] != each["is"] for each in changed.values())
    assert {name: (each["is"], each["was"]) for name, each in changed.items()} == {
        name: (each["was"], each["is"]) for name, each in changed_settings(now, was).items()
    }


def test_a_parameter_deep_in_the_learner_is_named_by_its_path() -> None:
    def river(rate: float) -> dict[str, Any]:
        optimizer = {"optim.SGD": [rate]}
        steps = ["preprocessing.StandardScaler", {"linear_model.LogisticRegression": optimizer}]
        return {"learner": {"river": steps}, "strict": False}

    path = "learner.river[1].linear_model.LogisticRegression.optim.SGD"
    assert changed_settings(river(0.01), river(0.02)) == {path: {"was": [0.01], "is": [0.02]}}


def _manifest(number: int, **fields: Any) -> Manifest:
    return a_manifest(LINE, number=number, **fields)


def test_scores_counts_and_offsets_stand_side_by_side() -> None:
    metrics = {"Accuracy": {"lifetime": 0.9, "rolling": 0.8, "fading": 0.7}}
    one = _manifest(3, metrics=metrics)
    other = _manifest(
        5, counts=Counts(learned=55, scored=50), offsets={"events": {"0": 60, "1": 4}},
    )  # fmt: skip

    body = version_difference(one, other)

    assert (body["from"]["version"], body["to"]["version"]) == ("v3", "v5")
    assert (body["from"]["learned"], body["to"]["learned"]) == (30, 55)
    assert body["metrics"] == {"Accuracy": {"lifetime": [0.9, 0.5], "rolling": [0.8, 0.5]}}
    assert body["offsets"] == {"events": {"0": [30, 60], "1": [None, 4]}}
