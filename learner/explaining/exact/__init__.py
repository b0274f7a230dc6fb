"""Answers taken apart: of which kinds of model the parts are known, and what they are.

`parts.py` is what an answer is made of, and whether that is the answer; `linear.py`, `bayes.py` and
`trees.py` are River's kinds, `terms.py` Vowpal Wabbit's answers. Begin with `by_kind.py`.
"""
