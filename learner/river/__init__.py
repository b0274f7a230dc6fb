"""River's models as estimators, and any Python class with River's verbs.

`components.py` are the names that a model file may use, `spec.py` builds them, `estimator.py` is
the hot path. Begin with `estimator.py`.
"""
