"""How a log line is rendered: by structlog, one shape for our own and for the libraries' lines."""

import logging
import os
import sys
from collections.abc import Callable
from functools import partial

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import JSONRenderer, format_exc_info
from structlog.typing import EventDict, Processor

from config.traces.context import current


def line_formatter(
    service: str, *, is_console: bool, is_noisy: Callable[[str], bool]
) -> logging.Formatter:
    """Renders each record as JSON, or for people.

    Args:
        service: Said in each line.
        is_noisy: Whether the lines of the logger of this name are shortened.
    """

    def say_service(_logger: object, _method: str, event: EventDict) -> EventDict:
        return {"service": service, **event}

    ending: list[Processor] = [format_exc_info, JSONRenderer()]
    if is_console:  # the plain traceback: structlog's own would print local variables, secrets too
        with_colours = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        ending = [ConsoleRenderer(colors=with_colours, exception_formatter=plain_traceback)]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.stdlib.add_log_level,
            _add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ExtraAdder(),
            _drop_colours,
            _add_trace,
            partial(_shorten_noise, is_noisy),
        ],
        processors=[
            _say_repeats,
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            say_service,
            *ending,
        ],
    )


def _add_logger_name(_logger: object, _method: str, event: EventDict) -> EventDict:
    return {**event, "logger": event["_record"].name}


def _shorten_noise(
    is_noisy: Callable[[str], bool], _logger: object, _method: str, event: EventDict
) -> EventDict:
    """A library's traceback says where it is, not what is wrong: its last line is enough."""
    if is_noisy(str(event["logger"])) and isinstance(event.get("exc_info"), tuple):
        kind, error, _ = event.pop("exc_info")
        event["error"] = f"{kind.__name__}: {error}" if kind else ""
    return event


def _add_trace(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Of a request that is traced: where to find it."""
    traced = current()
    if traced is None:
        return event
    return {**event, "trace_id": traced.trace_id, "span_id": traced.span_id}


def _drop_colours(_logger: object, _method: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)  # uvicorn's, for its own formatter
    return event


def _say_repeats(_logger: object, _method: str, event: EventDict) -> EventDict:
    repeated = getattr(event["_record"], "repeated", None)
    return {**event, "repeated": repeated} if repeated else event
