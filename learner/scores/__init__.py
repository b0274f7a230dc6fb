"""Scores of a learner: over its life, over a window, and fading.

`scores.py` takes what the model file lists and presents it, `states.py` is what scores remember,
`rows.py` lists those that are more than a metric of River's. Begin with `scores.py`.
"""
