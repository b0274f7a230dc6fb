"""The log of predictions: what the API really answered, on the model's predictions topic.

    worker ──┐  a note of each answer, every few milliseconds, over a socket
    worker ──┼─► sender ── records ─► Kafka
    worker ──┘  one process a host, forked from the loader, and again when it dies

It never holds up an answer: a worker copies the request and the answer, and what finds no room
anywhere is dropped and counted. Begin with `notes.py`, then `sender.py`.
"""
