"""The Apache Kafka that `weir dev` and the tests start: its jars, and one node of it."""
