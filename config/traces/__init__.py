"""Traces: which requests and records are traced, and how their spans reach a collector.

`context.py` is what travels (W3C Trace Context) and what log lines say; it needs no library.
`spans.py` is all of OpenTelemetry that there is here, an extra that is loaded where
`traces.endpoint` is set, and nowhere else. Imports `config` alone. Begin with `context.py`.
"""
