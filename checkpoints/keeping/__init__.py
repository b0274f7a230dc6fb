"""Retention: which versions stay, and how the others go without leaving a gap in the books.

`retention.py` is pure arithmetic, `pruner.py` applies it when a learner begins and at every tenth
commit, `held.py` finds what must stay because something damaged may stand on it. Begin with
`retention.py`.
"""
