"""The metrics that Weir really has: read from the registries that its processes register in."""

import re
from functools import cache

from prometheus_client import CollectorRegistry

from api.metrics import ApiMetrics
from api.processes.shared_counters import SharedCounters
from stream.source.reports.metrics import LearnerMetrics

# What Prometheus adds to what it scrapes, and what our recording rules make.
_PROMETHEUS_OWN = frozenset({"up"})
_NAME = re.compile(r"\b(?:weir|http_server|up)(?:_\w+)?\b|\b(?:model|job):\w+:\w+\b")
_LABEL_LIST = re.compile(r"\{[^{}]*\}|\b(?:by|on|ignoring|without) \([^()]*\)")


def registries() -> tuple[CollectorRegistry, CollectorRegistry]:
    """The learner's and the API's, with everything registered that ever is."""
    learner, api = CollectorRegistry(), CollectorRegistry()
    LearnerMetrics("any", learner)
    ApiMetrics(["any"], SharedCounters(), api).describe(list, clock_ms=lambda: 0)
    return learner, api


@cache
def metric_names() -> frozenset[str]:
    """Every name under which a sample can be asked for."""
    found = {name for registry in registries() for name in registry._names_to_collectors}
    return frozenset(name for name in found if not name.endswith("_created"))


def names_in(expression: str) -> set[str]:
    """The metrics that a PromQL expression asks for.

    >>> sorted(names_in('rate(weir_a_total{model="m:x:y"}[5m]) / on (job) up'))
    ['up', 'weir_a_total']
    """
    without_strings = re.sub(r'"[^"]*"', '""', expression)
    return set(_NAME.findall(_LABEL_LIST.sub(" ", without_strings)))


def unknown_in(expression: str, recorded: frozenset[str] = frozenset()) -> set[str]:
    """Those of them that nobody makes."""
    return names_in(expression) - metric_names() - recorded - _PROMETHEUS_OWN
