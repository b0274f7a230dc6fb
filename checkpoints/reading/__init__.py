"""A line read with suspicion: every record verified, the last good state kept where one is not.

`reader.py` reads, `standing_orders.py` tells which orders stand, `damaged_head.py` finds the
version that stands in for a head that cannot be read, `views.py` makes the JSON, `score_views.py`
that of scores over versions and models. `as_of.py` says what served at a moment that is past, by
what `served_then.py` reads; `difference.py` what lies between two versions. Begin with `reader.py`.
"""
