"""Scores of a learner: over its life, over a window, and fading; and what stands beside each.

`scores.py` takes what the model file lists and presents it, a block of events at a time
(`blocks.py`). `rows.py` lists the scores that are more than a metric of River's. A tally
(`tally.py`) is what one or more scores remember: `states.py` has River's, `kappas.py`,
`calibration.py` and `business.py` those of our own. `baselines.py` has the predictors that read
no feature, `means.py` the intervals. Begin with `scores.py`.
"""
