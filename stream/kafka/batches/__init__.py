"""Batches of Kafka's message format 2, their records all at once: read, and written.

Requests and all that concerns a batch as a whole stay kafka-python's own. `record_batches.py` is
the format, `fast_records.py` gives it to a consumer, `whole_batches.py` to a producer. Begin with
`record_batches.py`.
"""
