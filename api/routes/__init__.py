"""One file a group of routes: predictions, events, models, commands, probes.

Begin with `predict.py`, the straight path that every prediction takes.
"""
