"""All that is said to Kafka, and the only folder that imports its client.

`consumer.py` reads the events once `log_check.py` has seen that they are those of the head,
`log_reader.py` a stretch of a log once, `producer.py` publishes, `dead_letters.py` keeps what was
refused, `group_mirror.py` shows the head to lag tools.
`fast_records.py` and `record_batches.py` decode the records of a fetch together. Begin with
`consumer.py`.
"""
