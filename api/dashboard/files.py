"""The page at `/ui`: its files, read once, and the policy under which a browser runs them.

They hold no data, so they are free for all; what the page shows it asks for with the reader's key.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from api.http.problem import HttpProblem
from api.openapi.details import told

FOLDER = Path(__file__).parents[1] / "static"
_MEDIA = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
# Nothing but our own files, and no text can become a script or markup: what the page shows
# (features, reasons, ids) was written by anybody.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


class Dashboard:
    """Answers `/ui` and the files under it, out of memory.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = dict(_read(folder))

    async def page(self, request: Request) -> Response:
        """The page."""
        return self._answer(request, "index.html")

    async def file(self, request: Request, name: str) -> Response:
        """One of its files."""
        return self._answer(request, name)

    def _answer(self, request: Request, name: str) -> Response:
        if name not in self._files:
            raise HttpProblem(404, "not_found", f"the dashboard has no file {name[:100]!r}")
        content, media, etag = self._files[name]
        headers = {**_HEADERS, "etag": etag}
        if _names(request.headers.getlist("if-none-match"), etag):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=media)

    def add_to(self, router: APIRouter) -> None:
        """The routes; the document tells of the page alone."""
        router.get(
            "/ui", operation_id="dashboard", summary="The dashboard", response_class=HTMLResponse,
            responses=told("<!doctype html>", media="text/html"),
        )(self.page)  # fmt: skip
        router.get("/ui/{name:path}", include_in_schema=False)(self.file)


def _names(held: Sequence[str], etag: str) -> bool:
    """Whether these values of If-None-Match name this file; weak tags, too (RFC 9110, 13.1.2)."""
    tags = {each.strip().removeprefix("W/") for each in ",".join(held).split(",")}
    return not tags.isdisjoint({"*", etag})


def _read(folder: Path) -> Iterator[tuple[str, tuple[bytes, str, str]]]:
    """Each file by its name in the address: its content, its type, its tag."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in _MEDIA:
            content = path.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            yield path.relative_to(folder).as_posix(), (content, _MEDIA[path.suffix], etag)
