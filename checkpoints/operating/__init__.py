"""Operators' orders: pin, unpin, roll back, freeze, thaw, tag.

`verbs.py` has a row for each; `operator.py` the numbered steps O1 to O6; `order.py` an order as it
was given, `answers.py` what it is answered with, `in_force.py` whom it waits for, `cli.py` the
commands as they are typed, `cli_reads.py` and `cli_scores.py` those that only read, `tables.py`
what they print. `removal.py` is no order: it leaves no record. Begin with `verbs.py`.
"""
