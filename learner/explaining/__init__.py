"""Why a model answers as it does: contributions of the features, and what each is worth over time.

`explain.py` puts an explanation together. `exact.py` says for which models the parts of an answer
are known (`linear.py`, `bayes.py`, `trees.py`; Vowpal Wabbit's in `learner/vw/terms.py`), each
checked against the answer; `sampled.py` finds out by asking, against rows of `background.py`;
`with_shap.py` asks by the library shap. `importance.py` measures while learning.
Begin with `explain.py`.
"""
