"""The door to Kafka: reads the log, has it learned, and commits versions.

`keeper.py` is what `weir learn` (`cli.py`) runs: for each line (`kept_line.py`) it forks a *source*
(`source/`), which talks to the world, and a *learner* (`learning/`), which does nothing but learn.
`commit/` makes a version of what was learned; `between/` is all that the two say to each other.
`log_export/` reads what the API answered, `looking_back/` finds where a model broke. `first_day/`
makes a model file of a CSV file, and tries it, on no server.
May import `learner`, `checkpoints` and `config`, never `api`. Begin with `keeper.py`, then
`source/loop.py` and `learning/loop.py`.
"""
