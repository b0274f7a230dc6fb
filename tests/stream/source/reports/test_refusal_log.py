"""Refusals in the log: the first at once, then added up, so that poison does not fill a disk."""

import logging

from stream.source.reports.refusal_log import RefusalLog


def test_the_first_is_told_at_once_and_the_others_together(caplog):
    refusals = RefusalLog("phishing")
    refusals.say(0.0)
    for second in range(21):
        refusals.add({("events", "bad_label"): 1, ("events", "not_json"): 2})
        refusals.say(float(second))
    refusals.say(100.0)
    refusals.say(200.0)

    assert [each.levelno for each in caplog.records] == [logging.WARNING] * 3
    assert [each.getMessage() for each in caplog.records] == [
        f"model phishing: refused {2 * n} not_json in events, {n} bad_label in events; "
        "kept in dlq.events"
        for n in (1, 10, 10)
    ]
