"""What source, learner, keeper and version maker say to each other, and the values they share.

`messages.py` are the messages, `shared_numbers.py` is memory that all see, `positions.py` is where
the learner stands in the log, `suspects.py` which events it has raised on. Begin with
`messages.py`.
"""
