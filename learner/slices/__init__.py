"""Scores by slice: of each value of some features, and of each age of labels that come late.

`values.py` says which value an event has, `slices.py` keeps the scores. Begin with `slices.py`.
"""
