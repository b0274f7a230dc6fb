"""The learner process: one thread, no socket to the world, nothing to do but learn.

`loop.py` takes batches, learns them, and asks for a commit when one is due; `restore.py` makes a
trainer of the head. Begin with `process.py`, then `loop.py`.
"""
