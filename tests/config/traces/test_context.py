"""What travels from process to process: read as it is written, and nothing else believed."""

import json
import logging

import pytest

from config.log_lines import line_formatter
from config.traces.context import TraceContext, current, is_chosen, read, within

HERE = TraceContext("4b" * 16, "f0" * 8)


def test_what_is_written_is_read() -> None:
    asked = read(HERE.header)

    assert asked is not None
    assert asked.context == HERE
    assert asked.is_sampled


@pytest.mark.parametrize(
    ("flags", "is_sampled"), [("00", False), ("01", True), ("02", False), ("03", True)]
)
def test_the_flag_says_whether_it_is_traced(flags: str, is_sampled: bool) -> None:
    asked = read(HERE.header[:-2] + flags.encode())
    assert asked is not None
    assert asked.is_sampled is is_sampled
    assert is_chosen(asked, 0.0) is is_chosen(asked, 1.0) is is_sampled


@pytest.mark.parametrize(
    "header",
    [
        b"", b"00", HERE.header.upper(), HERE.header + b"x", HERE.header[:-1], b"\xff" * 55,
        b"ff" + HERE.header[2:], HERE.header.replace(b"4b", b"00"),
        HERE.header.replace(b"f0", b"00"), b" " + HERE.header, HERE.header.replace(b"-", b"_"),
    ],
)  # fmt: skip
def test_what_is_no_traceparent_says_nothing(header: bytes) -> None:
    assert read(header) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    later = read(b"cc" + HERE.header[2:] + b"-what-comes-later")
    assert later is not None
    assert later.context == HERE


def test_without_one_the_share_decides() -> None:
    assert not any(is_chosen(None, 0.0) for _ in range(1000))
    assert all(is_chosen(None, 1.0) for _ in range(1000))
    assert 20 < sum(is_chosen(None, 0.05) for _ in range(1000)) < 90


def test_log_lines_within_say_where_they_are() -> None:
    formatter = line_formatter("api", is_console=False, is_noisy=lambda _: False)
    record = logging.LogRecord("api", logging.INFO, "file", 1, "hello", (), None)

    with within(HERE):
        inside = json.loads(formatter.format(record))
    outside = json.loads(formatter.format(record))

    assert (inside["trace_id"], inside["span_id"]) == HERE
    assert not {"trace_id", "span_id"} & outside.keys()
    assert current() is None
