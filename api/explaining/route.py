"""Answering `POST …/explain`: a prediction, and why it is that."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from api.explaining.backgrounds import Backgrounds, Rows
from api.explaining.explained import ExplainRequest, begun, stepped, told
from api.http.guard import RawBody, response_of
from api.http.lines import Line
from api.http.problem import Answer, HttpProblem
from api.http.threads import Threads
from api.openapi import details
from api.openapi.details import raw_body
from api.openapi.explanations import Explained
from api.openapi.problem_examples import BAD_METHOD, NOT_READY
from api.openapi.questions import ExplainQuestion
from api.routes.predict import PREDICTION_EXAMPLE, Predictor, written
from api.serving.load import Loaded
from api.serving.served import ServedLine
from checkpoints.reading.reader import LineReader
from checkpoints.records.signing import Verifier
from checkpoints.stores.contract import Store
from learner.explaining.explain import Explanation

PATH = "/v1/models/{model}/explain"
_BUSY_AGAIN_S = b"1"


class Explaining:
    """Explains answers. Of those that ask the model many times one is under way at a time.

    Args:
        predictor: Gives the answer itself.
        store: Where backgrounds are.
        verifier: Whose records are believed.
        threads: Where the store is waited for.
        budget_s: Of the processor, for one explanation that is found by asking.
    """

    def __init__(
        self,
        predictor: Predictor,
        store: Store,
        verifier: Verifier,
        threads: Threads,
        budget_s: float,
    ) -> None:
        self._predictor, self._store, self._verifier = predictor, store, verifier
        self._threads, self._budget_s = threads, budget_s
        self._backgrounds = Backgrounds()
        self._is_busy = False

    async def answer(self, line: ServedLine, text: bytes) -> Answer:
        """One prediction, explained.

        Raises:
            HttpProblem: 400 or 422: the body; 503: no version is loaded yet, or the model is to be
                asked, and another explanation is under way.
        """
        question = ExplainRequest(text)
        loaded = line.answering()
        answer = self._predictor.one(line, loaded, question.features, question.id)
        answer["explanation"] = await self._explained(line, loaded, question)
        return Answer(content=written(answer))

    async def _explained(
        self, line: ServedLine, loaded: Loaded, question: ExplainRequest
    ) -> dict[str, Any]:
        explanation = begun(loaded, question)
        if not explanation.is_whole:
            await self._asked(line, loaded, question, explanation)
        return told(explanation)

    async def _asked(
        self, line: ServedLine, loaded: Loaded, question: ExplainRequest, explanation: Explanation
    ) -> None:
        if self._is_busy:
            what = "this process explains another answer; try again"
            raise HttpProblem(503, "overloaded", what, headers=((b"retry-after", _BUSY_AGAIN_S),))
        self._is_busy = True
        try:
            rows = await self._rows(line, loaded)
            for _ in stepped(loaded, question, explanation, rows, self._budget_s):
                await asyncio.sleep(0)
        finally:
            self._is_busy = False

    async def _rows(self, line: ServedLine, loaded: Loaded) -> Rows:
        held = self._backgrounds.held(loaded.version)
        if held is not None:
            return held
        reader = LineReader(self._store, self._verifier, line.line)
        return await self._threads.run(self._backgrounds.fetched, reader, loaded.version)

    def add_to(self, router: APIRouter) -> None:
        """The route."""

        @router.post(
            PATH,
            operation_id="explain",
            summary="Predict, and say why",
            description="The answer of `predict` to one question, with an `explanation`: what each "
            "feature adds. `base`, all contributions and `rest` are `sum`. `exact` says that the "
            "sum, read on its `scale`, is the answer. Where the kind of model does not tell, it is "
            "asked again with values of other events: `leave_one_out`, or `shapley` with its "
            "standard errors. The answer is not written to the predictions topic.",
            response_model=Explained,
            responses=details.told(_EXAMPLE, BAD_METHOD, NOT_READY),
            openapi_extra=raw_body(
                ExplainQuestion,
                one={"features": _FEATURES},
                shapley={"features": _FEATURES, "method": "shapley", "samples": 25, "top": 5},
            ),
        )
        async def explain(line: Line, body: RawBody) -> Response:
            return response_of(await self.answer(line, body))


_FEATURES = {"empty_server_form_handler": 0.0, "https": 1.0}
_EXAMPLE = {
    **PREDICTION_EXAMPLE,
    "explanation": {
        "method": "exact",
        "exact": True,
        "scale": "log_odds",
        "class": True,
        "against": False,
        "base": -0.25,
        "contributions": [
            {"feature": "empty_server_form_handler", "value": 0.0, "contribution": 1.5},
            {"feature": "https", "value": 1.0, "contribution": -0.15},
        ],
        "rest": 0.0,
        "sum": 1.1,
        "residual": 0.0,
    },
}
