"""A short outage of the broker under load; `python -m tests.api.outage_trial` is a long one."""

from tests.api.outage_trial import run


def test_a_broker_that_stands_still_under_load(
    starts_servers, valkey_server, tmp_path, unique_name
):
    """No prediction fails, and each is in the topic or counted."""
    problems, figures = run(tmp_path, valkey_server.url, name=unique_name, seconds=3.0)

    assert problems == []
    assert figures["answered"] > 0
