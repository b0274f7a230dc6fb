"""Versions and trials in MLflow, an extra.

`mlflow_door.py` is the one file that talks to it, `refusals.py` what its errors say,
`mlflow_model.py` what MLflow itself runs of a version, `own_wheel.py` what that is installed with
elsewhere. Begin with `mlflow_door.py`.
"""
