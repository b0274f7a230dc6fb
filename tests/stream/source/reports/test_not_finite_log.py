"""A model that answers NaN is told in the log: at once, then added up, anew after a rollback."""

from checkpoints.records.manifest import Counts
from stream.source.reports.not_finite_log import NotFiniteLog


def test_the_first_is_told_at_once_and_the_others_together(caplog):
    told = NotFiniteLog("flow")
    for second in range(121):
        wild = max(0, 10 * second - 50)
        told.head_is(Counts(learned=10 * second, nonfinite=wild), float(second))

    assert [each.getMessage().partition("; ")[0] for each in caplog.records] == [
        "model flow: 10 of the last 60 predictions were NaN or infinite",
        "model flow: 600 of the last 600 predictions were NaN or infinite",
    ]


def test_a_rollback_to_a_version_before_it_is_no_news_and_what_follows_is(caplog):
    told = NotFiniteLog("flow")
    told.head_is(Counts(learned=100, nonfinite=90), 0.0)
    told.head_is(Counts(learned=10, nonfinite=0), 100.0)
    told.head_is(Counts(learned=20, nonfinite=3), 200.0)

    assert len(caplog.records) == 2
    assert "3 of the last 10" in caplog.records[1].getMessage()
