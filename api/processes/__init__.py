"""The processes of `weir serve`: one loader, and the workers forked from it.

`generations.py` decides which workers there should be, without input or output; `workers.py` forks
and replaces them, `worker.py` is one, `handover.py` passes connections on. Begin with `loader.py`.
"""
