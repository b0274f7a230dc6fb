"""How the scores came to be what they are: some rows of the past, made from the log alone.

`rows.py` are rows in pieces that are written once, `history.py` says when one is made and which
stay, `recording.py` makes them while a trainer learns, `reading.py` has them of a version's
segments. Begin with `history.py`.
"""
