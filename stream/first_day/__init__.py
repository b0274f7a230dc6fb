"""A model's first day: its file is looked at, a model file is made of it, and tried on it.

`begin.py` is `weir init`: `look.py` reads a file's first rows into columns (`columns/` says what
they are), `proposal.py` says by which pipeline they are learned, `model_text.py` writes the model
file. `checkup.py` is `weir doctor --data`: `rehearsal.py` takes the first rows through gate and
learner, `findings.py` tells what came of it. `cli.py` has both as they are typed. Begin with
`begin.py` and `checkup.py`.
"""
