"""What is found out of a model before it is trusted, and of events on which it raised.

`probe.py` asks twice and compares, `unwritable.py` names the attribute that no version can hold,
`why_raised.py` the feature and the step that do not fit. Begin with `probe.py`.
"""
