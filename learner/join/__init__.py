"""Events that wait for their label: what was predicted of each, kept small and found by its id.

May import `config`, and of `learner` what comes before the trainer, which hands in what asks and
learns. Begin with `join.py`, the rules, and `joiner.py`, their steps; `pending.py` owns all that
waits, `rows.py` is what one event becomes, `chunks.py` what many become in a version. `answers.py`
keeps what the API answered of events that come by another way, to be scored.
"""
