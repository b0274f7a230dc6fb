"""Why a version answers as it does: over HTTP and on the command line.

`explained.py` has one explanation made, within a budget of the processor; `backgrounds.py` has the
rows that it compares with; `route.py` answers `POST …/explain`, `cli.py` is `weir explain`. What an
explanation is, is the learner's to say: `learner/explaining/`. Begin with `explained.py`.
"""
