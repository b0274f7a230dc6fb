"""What every test may ask for."""

import os
import re
import sys
import warnings
from importlib import import_module
from typing import Any

import pytest

with warnings.catch_warnings():
    # kafka-python 3.0 reads its schemas by a call that Python 3.11 and 3.12 warn of.
    warnings.simplefilter("ignore", DeprecationWarning)
    import_module("kafka")  # here first, so that no test meets the warning

from tests.effort import be_quick
from tests.servers import kafka_server, make_topic, starts_servers, unique_name, valkey_server

__all__ = ["kafka_server", "make_topic", "starts_servers", "unique_name", "valkey_server"]

# How a server is started: by its program, by ours, or by the function that ours calls.
_SERVER = re.compile(
    r" kafka\.\w|/(valkey-server|redis-server|chrom\w*) (?!--version)"
    r"|/weir (dev|learn|serve)\b|\brun_api\("
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts servers, by what it asks for: `-m servers`, `-m "not servers"`.

    Files with such tests come first, those that wait longest before all: a process takes a file at
    a time, and what is quick fills the end.
    """
    for item in items:
        if "starts_servers" in getattr(item, "fixturenames", ()):
            item.add_marker("servers")
    slow = {item.path for item in items if item.get_closest_marker("servers")}
    items.sort(key=lambda item: (item.path not in slow, "tests/stream/dev/" not in item.nodeid))


def pytest_configure(config: pytest.Config) -> None:
    """Under `make check` tests are quick, and a server that nobody asked for is an error."""
    if config.option.markexpr == "not servers":
        be_quick()
        sys.addaudithook(_refuse_servers)


def _refuse_servers(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "subprocess.Popen":
        command = " ".join(map(os.fsdecode, arguments[1]))
        assert not _SERVER.search(command), f"ask for starts_servers to start {command[:200]}"
