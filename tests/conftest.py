"""What every test may ask for."""

import warnings
from importlib import import_module

with warnings.catch_warnings():
    # kafka-python 3.0 reads its schemas by a call that Python 3.11 and 3.12 warn of.
    warnings.simplefilter("ignore", DeprecationWarning)
    import_module("kafka")  # here first, so that no test meets the warning

from tests.servers import kafka_server, make_topic, unique_name, valkey_server

__all__ = ["kafka_server", "make_topic", "unique_name", "valkey_server"]
