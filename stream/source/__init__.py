"""The source process: everything of a learner that talks to the world.

It reads, decodes and screens records and hands them over in batches (`loop.py`), keeps those in
flight (`in_flight.py`), puts events and labels of two topics in order (`turns.py`), sees what
operators order (`order_watch.py`), and answers for the learner (`probes.py`, `reports/`). Begin
with `process.py`, then `loop.py`.
"""
