"""Operators' orders: pin, unpin, roll back, freeze, thaw, tag.

`operator.py` holds the numbered steps O1 to O6; `order.py` is an order as it was given,
`answers.py` what it is answered with, `in_force.py` whom it waits for, `cli.py` the commands. Begin
with `operator.py`.
"""
