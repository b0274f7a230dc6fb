"""`weir dev`: a real Kafka, a real Redis, learners and the API on one machine.

`cli.py` is the command, `plan.py` says what to run, `run.py` runs it under the supervisor,
`kafka_server.py` is one node of Apache Kafka, `jars.py` fetches it once. Begin with `plan.py`.
"""
