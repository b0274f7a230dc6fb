"""What MLflow runs of an exported version: it is copied into the model, and runs as it stands.

The version is verified and loaded by Weir's own, restricted way; nothing of it is unpickled by
MLflow. No input schema is declared, because MLflow drops columns that a schema does not name.
"""

import os
from typing import Any

import mlflow
import pandas
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import PythonModel


class VersionModel(PythonModel):
    """Answers as `weir.load` does."""

    def load_context(self, context: Any) -> None:
        """Verify and load the version.

        Keys that this process names itself (`WEIR_SIGNING__IMPORT_PUBLIC`) are believed alone; the
        one that came along is as good as whoever may write to the registry.
        """
        from api.offline.load import load

        own = os.environ.get("WEIR_SIGNING__IMPORT_PUBLIC")
        self._version = load(
            context.artifacts["version"],
            public_key=None if own else context.artifacts["public_key"],
            trust=(context.model_config or {}).get("trust") or (),
        )

    def predict(
        self, context: Any, model_input: pandas.DataFrame, params: Any = None
    ) -> list[dict[str, Any]]:
        """What `POST …/predict` answers to each row, without an id and an age.

        Lists of dicts are answered, too: a frame is the one type of which MLflow makes no schema.

        Raises:
            MlflowException: The API would answer 422; with its reason, for which a server says 400.
        """
        from api.offline.errors import RowRefusedError

        del context, params
        try:
            return self._version.predict_many(model_input)
        except RowRefusedError as refused:
            # Of any other error MLflow's server tells no more than a traceback.
            raise MlflowException.invalid_parameter_value(str(refused)) from refused


mlflow.models.set_model(VersionModel())
