"""Versions and trials in MLflow, an extra.

`mlflow_door.py` is the one file that talks to it, `mlflow_model.py` what MLflow itself runs of a
version, `own_wheel.py` what it is installed with elsewhere. Begin with `mlflow_door.py`.
"""
