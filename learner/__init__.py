"""The core: values in, values out. An event is scored before it is learned; nothing here does I/O.

`progressive.py` is the one step that Weir exists for, `trainer.py` owns everything that learning
changes. `estimator.py` is what a learner is, `build.py` makes one of a model file, `tasks.py` says
what its labels are. `events/` makes examples of records, `river/` and `vw/` are the learners,
`scores/` and `drift/` judge them, `explaining/` says why they answer as they do. May import
`config` alone: no driver, no clock, no unseeded random number. Begin with `progressive.py`.
"""

from learner.river.scipy_later import let_river_wait

let_river_wait()
