"""Vowpal Wabbit as an estimator.

`arguments.py` says which arguments a model may have and what they mean, `text.py` writes and checks
its lines, `answers.py` reads its predictions. Begin with `estimator.py`.
"""
