"""Processes: how one is started, watched, forked, and ended.

`child.py` describes one, `supervisor.py` keeps several at work, `restarts.py` decides what follows
from an end, `roll_call.py` says who runs now, `alike.py` in what environment a model is loaded.
Here because every room starts processes and none may import another. Begin with `child.py`.
"""
