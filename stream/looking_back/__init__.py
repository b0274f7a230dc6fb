"""Looking back: what was learned, when it broke, and why an answer was given.

    kept versions (store) ─► judging/ ─────────────┐
    events, answers (Kafka) ─► event_log.py ───────┴─► diff.py, blame.py, replayed.py ─► told.py

Nothing here changes a line. `learned.py` sums up what was learned by source and label. Begin with
`blame.py`, then `judging/change_point.py`.
"""
