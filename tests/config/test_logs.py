"""Log lines: one shape for all, on stderr, repeats held back."""

import io
import json
import logging
import os
import sys
import textwrap
import warnings

import pytest

from config.logs import LimitedHandler, RepeatLimit, configure
from config.processes.fork import ended, fork
from config.settings import load_settings


def run(body, **environ):
    """What a forked process writes, line by line: logging is set up once in a process."""
    read_end, write_end = os.pipe()

    def write() -> int:
        for number in (1, 2):
            os.dup2(write_end, number)
        sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
        warnings.resetwarnings()
        configure("learner:phishing", load_settings(environ=environ))
        names = {"logging": logging, "warnings": warnings}
        exec(textwrap.dedent(body), {"log": logging.getLogger("stream.learning.loop"), **names})
        return 0

    pid = fork(write)
    os.close(write_end)
    with os.fdopen(read_end) as written:
        lines = written.read().splitlines()
    assert ended(pid, wait=True) == 0, lines
    return lines


def test_off_a_terminal_each_line_is_json_with_the_same_facts():
    """Ours, ours with facts, and a library's."""
    lines = run("""
        log.info("committed %s", "v3", extra={"version": "v3"})
        logging.getLogger("api.app").info("ready", extra={"port": 8000})
        logging.getLogger("uvicorn.error").warning("shutting down")
    """)
    said = [json.loads(line) for line in lines]

    assert [each["event"] for each in said] == ["committed v3", "ready", "shutting down"]
    assert [each["logger"] for each in said] == ["stream.learning.loop", "api.app", "uvicorn.error"]
    assert (said[0]["version"], said[1]["port"]) == ("v3", 8000)
    for each in said:
        assert {"service", "level", "timestamp"} <= each.keys()
        assert each["service"] == "learner:phishing"
        assert each["timestamp"].endswith("Z")


def test_the_console_format_is_asked_for_by_a_setting():
    """As the supervisor does, which prefixes the lines."""
    (line,) = run('log.warning("Redis is away")', WEIR_LOG__FORMAT="console")

    assert "Redis is away" in line
    assert not line.startswith("{")
    assert "\x1b" not in line


def test_our_tracebacks_are_kept_and_kafkas_are_one_line():
    """kafka-python logs a traceback for every broken connection."""
    lines = run("""
        for name in ("stream.learning.loop", "kafka.net"):
            try:
                raise ConnectionError("broken pipe")
            except ConnectionError:
                logging.getLogger(name).exception("failed")
    """)
    ours, theirs = (json.loads(line) for line in lines)

    assert ours["exception"].startswith("Traceback")
    assert "exception" not in theirs
    assert theirs["error"] == "ConnectionError: broken pipe"


def test_console_tracebacks_show_no_local_variables():
    """One of them may be a password."""
    lines = run(
        """
        def connect(password):
            raise ConnectionError
        try:
            connect("hun" + "ter2")
        except ConnectionError:
            log.exception("failed")
        """,
        WEIR_LOG__FORMAT="console",
    )

    assert "ConnectionError" in "".join(lines)
    assert "hunter2" not in "".join(lines)


def test_levels_hold_and_a_librarys_progress_is_left_out():
    """Unless level debug asks for everything."""
    body = """
        log.debug("ours")
        logging.getLogger("kafka").info("theirs")
    """

    assert run(body) == []
    assert [json.loads(line)["event"] for line in run(body, WEIR_LOG__LEVEL="debug")] == [
        "ours",
        "theirs",
    ]


def test_service_links_are_noted_in_one_line():
    """However many there are."""
    (line,) = run("", WEIR_API_PORT="tcp://1", WEIR_API_SERVICE_HOST="1")

    assert json.loads(line)["event"] == (
        "ignored Kubernetes' service links: WEIR_API_PORT, WEIR_API_SERVICE_HOST"
    )


def test_warnings_of_python_are_log_lines():
    """Not loose text between JSON."""
    (line,) = run('warnings.warn("careful")')

    assert "careful" in json.loads(line)["event"]


@pytest.fixture
def written():
    """Logs messages at given seconds through a limited handler; what came through."""
    seconds = 0.0
    stream = io.StringIO()
    handler = LimitedHandler(stream, clock=lambda: seconds)
    handler.setFormatter(logging.Formatter("%(message)s %(repeated)s", defaults={"repeated": 0}))

    def write(name, level, *messages):
        nonlocal seconds
        for at_s, template, *arguments in messages:
            seconds = at_s
            record = logging.LogRecord(name, level, "", 0, template, tuple(arguments), None)
            handler.handle(record)
        return stream.getvalue().splitlines()

    return write


def test_a_repeated_warning_is_one_line_in_five_seconds_with_a_count(written):
    """A store that is away is said, not shouted."""
    messages = [(second, "away") for second in (0, 1, 2, 4.9, 5, 6)]

    assert written("checkpoints.stores.contract", logging.WARNING, *messages) == [
        "away 0",
        "away 3",
    ]


def test_different_warnings_do_not_hold_each_other_back(written):
    """Told apart by what they say."""
    messages = [(0, "refused %s", "a"), (1, "refused %s", "b"), (2, "refused %s", "a")]

    assert written("stream.learning.loop", logging.WARNING, *messages) == [
        "refused a 0",
        "refused b 0",
    ]


def test_a_noisy_librarys_lines_are_one_message_by_their_template(written):
    """Client ids and ports differ in each line."""
    messages = [(0, "node %s away", 1), (1, "node %s away", 2), (6, "node %s away", 3)]

    assert written("kafka.net", logging.ERROR, *messages) == ["node 1 away 0", "node 3 away 1"]


def test_our_progress_is_never_held_back(written):
    """Info is rare by itself."""
    messages = [(0, "committed"), (0, "committed")]

    assert written("stream.commit.protocol", logging.INFO, *messages) == [
        "committed 0",
        "committed 0",
    ]


def test_the_messages_remembered_are_bounded():
    """The one longest unseen is forgotten first."""
    limit = RepeatLimit(interval_s=5.0, messages_max=2)
    for message in ("a", "b", "a", "c"):
        limit.admit(message, now_s=0.0)

    assert limit.admit("b", now_s=1.0) == 0
    assert limit.admit("c", now_s=1.0) is None
