"""The versions that answer: found out, verified, loaded, kept at hand.

`follow.py` follows the store, `load.py` makes a model of a verified version beside the one that
answers, `served.py` holds what a process answers with, `warm.py` what operators may want back at
once. Begin with `follow.py`.
"""
