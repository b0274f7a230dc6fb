"""A commit: everything that must agree becomes one signed version, by one atomic change.

`protocol.py` holds the numbered steps C1 to C7 and what is true after each; `committer.py` is the
learner's side of them, with what is true if it or the maker dies in each state; `cadence.py` says
how often. Begin with `protocol.py`.
"""
