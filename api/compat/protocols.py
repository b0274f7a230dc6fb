"""Which protocols of other servers are spoken, and the routes of each."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from fastapi import APIRouter
from starlette.routing import BaseRoute

from api.compat.kserve_v1 import KServe
from api.compat.mlflow_scoring import MlflowScoring
from api.compat.open_inference import OpenInference, check_tensor_media
from api.compat.telling import AS_AN_ERROR, AS_MLFLOW
from api.http.access import Scope
from api.http.guard import CheckMedia, Guard
from api.http.problem import Telling
from api.http.requests import require_json
from api.routes.predict import Predictor

_TAG = "other servers' clients"


class _Part(NamedTuple):
    """Some routes of a protocol, and what they have in common."""

    scope: Scope | None
    add_to: Callable[[APIRouter], None]
    telling: Telling
    check_media: CheckMedia = require_json


def compat_routes(guard: Guard, predictor: Predictor, protocols: str) -> list[BaseRoute]:
    """The routes of the protocols that are named, with commas; none where that is empty."""
    found: list[BaseRoute] = []
    for name in filter(None, protocols.split(",")):
        for part in _PARTS[name](predictor):
            router = guard.router(
                part.scope, tag=_TAG, telling=part.telling, check_media=part.check_media
            )
            part.add_to(router)
            found += router.routes
    return found


def _oip(predictor: Predictor) -> Iterator[_Part]:
    spoken = OpenInference(predictor)
    yield _Part("predict", spoken.add_asked, AS_AN_ERROR, check_tensor_media)
    yield _Part(None, spoken.add_watched, AS_AN_ERROR)


def _mlflow(predictor: Predictor) -> Iterator[_Part]:
    spoken = MlflowScoring(predictor)
    yield _Part("predict", spoken.add_asked, AS_MLFLOW)
    yield _Part(None, spoken.add_watched, AS_MLFLOW)


def _kserve(predictor: Predictor) -> Sequence[_Part]:
    return [_Part("predict", KServe(predictor).add_to, AS_AN_ERROR)]


# By the names in `config.settings.PROTOCOLS`.
_PARTS = {"oip": _oip, "mlflow": _mlflow, "kserve": _kserve}
