"""`weir search`: the values of a model file that score best, and the model file that has them.

    experiment.py ─► space.py: what is tried ─┐
    a source, decoded once: lab.py ───────────┴─► search.py: rung after rung ─► winner.py: a file

What runs the trials is an `Engine` (`engine.py`): processes of this machine (`local.py`), or Ray
(`on_ray.py`). A trial is a function of its settings and its state, so both find the same. Begin
with `search.py`, then `lab.py`.
"""
