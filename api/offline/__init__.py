"""An exported version in a process of somebody else's: a notebook, a batch job, another server.

`load.py` is what `weir.load` does, `model.py` what it returns. The model answers in the caller's
own process where that runs as the learner's does (`here.py`), else in one beside it (`beside.py`,
which runs `answering.py`). `fitting.py` says what has to be there for it, `opened.py` loads it,
`rows.py` takes what callers have, frames of pandas among it. Begin with `load.py`.
"""
