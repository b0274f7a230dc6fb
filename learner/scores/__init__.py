"""Scores of a learner: over its life, over a window, and fading.

`scores.py` takes what the model file lists and presents it, `states.py` is what scores remember,
`means.py` the scores that are a mean of a loss. Begin with `scores.py`.
"""
