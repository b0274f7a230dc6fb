"""A model's first day: its file is looked at, a model file is made of it, and tried on it.

`column.py` gathers what a column holds, `kinds.py` says what that is, `label.py` what is to be
learned of it. `look.py` reads a file's first rows, `proposal.py` chooses a pipeline, `model_text.py`
writes the model file: `weir init`. `rehearsal.py` takes the first rows through gate and learner,
`findings.py` tells what came of it: `weir doctor --data`. `cli.py` has both as they are typed.
Begin with `look.py`.
"""
