"""`weir log export`: the log of predictions as one file, each answer with the label that came.

    predictions topic ─► answer_rows.py ─┐
    labels, events    ─► label_rows.py  ─┴─► database.py: on disk, joined by SQL ─► FILE

What a record becomes is decided by pure functions; how much a topic holds decides how long it
takes, and not how much memory. Begin with `export.py`, then `answer_rows.py`.
"""
