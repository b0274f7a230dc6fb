"""The door to HTTP: predictions while the model learns, and operators' orders.

`processes/` are the loader and its workers, `serving/` what they answer with, `routes/` the
operations, `http/` what all of them share: access, bodies, problems. `app.py` puts it together.
`client.py` is the other side, for programs that ask.
`explaining/` says why an answer is what it is.
`offline/` answers without HTTP: a version out of a file, asked in Python; `registry/` is MLflow.
May import `learner`, `checkpoints` and `config`, never `stream`. Begin with `app.py`, then
`processes/loader.py`.
"""
