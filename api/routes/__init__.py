"""One file a group of routes: predictions, events, models, commands, probes.

`models.py` reads, `commands.py` orders, `health.py` is what probes ask. Begin with `predict.py`,
the straight path that every prediction takes.
"""
