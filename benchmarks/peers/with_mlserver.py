"""A runtime for `mlserver start`: one input tensor for each feature, as its protocol has it."""

import pickle
from pathlib import Path

from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput


class RiverModel(MLModel):
    """One probability a request."""

    async def load(self) -> bool:
        self.model = pickle.loads(Path(self.settings.parameters.uri).read_bytes())
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        x = {each.name: each.data[0] for each in payload.inputs}
        chance = self.model.predict_proba_one(x)[True]
        output = ResponseOutput(name="chance", shape=[1], datatype="FP64", data=[chance])
        return InferenceResponse(model_name=self.name, outputs=[output])
