"""All that is said to Kafka, and the only folder that imports its client.

`consumer.py` reads the events once `log_check.py` has seen that they are those of the head,
`log_reader.py` a stretch of a log once, `producer.py` publishes, `dead_letters.py` keeps what was
refused, `group_mirror.py` shows the head to lag tools.
`answer_producer.py` sends the log of predictions. `batches/` reads and writes the records of a
whole batch together. Begin with `consumer.py`.
"""
