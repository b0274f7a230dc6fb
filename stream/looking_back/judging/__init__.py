"""Versions judged on the same labelled events, offline, and where a row of them breaks.

`models.py` loads a version, `judged.py` has its losses, `search.py` says which to judge, and
`change_point.py` where they break. May import what `stream` may. Begin with `change_point.py`.
"""
