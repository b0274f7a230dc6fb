"""The model that a path names, as handlers are given it."""

from typing import Annotated

from fastapi import Depends, Path, Request

from api.serving.served import Served, ServedLine

ModelName = Annotated[str, Path(description="The model's name.")]


async def _served(request: Request) -> Served:
    served: Served = request.app.served
    return served


Models = Annotated[Served, Depends(_served)]


async def _line(served: Models, model: ModelName) -> ServedLine:
    return served.line(model)


Line = Annotated[ServedLine, Depends(_line)]
