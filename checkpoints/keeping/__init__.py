"""Retention: which versions stay, and how the others go without leaving a gap in the books.

`retention.py` is pure arithmetic, `pruner.py` applies it after a commit, `held.py` finds what must
stay because something damaged may stand on it. Begin with `retention.py`.
"""
