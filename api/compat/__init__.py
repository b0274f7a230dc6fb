"""Other servers' clients: Triton's, KServe's and MLflow's ask here as they ask there.

Each file of routes puts one protocol's words into rows of features, and the answers back into its
words: `open_inference.py`, `mlflow_scoring.py`, `kserve_v1.py`. The predictions are
`api.routes.predict`'s, so that keys, limits, counters and the log of predictions are the same
whoever asks. `rows.py` and `tensors.py` know how rows are written, `inference_bodies.py` what the
tensors of a request mean, `telling.py` how errors are told.
May import all of `api` but `app` and `processes`. Begin with `protocols.py`.
"""
