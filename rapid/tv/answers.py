"""How the server answers: JSON with an ETag, errors as ``{detail}``, and headers that leave a browser no freedom."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rapid.errors import BadName, LedgerError, NotAvailable
from rapid.log import logger
from rapid.tv.documents import json_bytes

__all__ = ["SafeHeaders", "add_error_answers", "json_answer", "matches", "quoted"]

log = logger(__name__)

MIN_COMPRESSED = 2048
"""Bytes below which an answer is not worth compressing: it fits the first packets anyway."""

PROGRAMS = frozenset({"api", "pictures", "static"})
"""Parts of addresses that scripts and pages ask for: they are answered in JSON."""

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
"""Scripts, styles, pictures and connections from this server only; nothing inline, nothing embedded."""

SAFE_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


async def json_answer(request: Request, value: object) -> Response:
    """Answer with JSON that a browser may keep and must ask about: 304 when it has the same already."""
    packed = "gzip" in request.headers.get("accept-encoding", "")
    body, tag, compressed = await asyncio.to_thread(_packed, value, packed=packed)
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    if matches(request, tag):
        return Response(status_code=304, headers=headers)
    if compressed:
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type="application/json", headers=headers)


def matches(request: Request, tag: str) -> bool:
    """Tell whether the client has what this tag names (weak comparison, RFC 9110 section 13.1.2)."""
    wanted = request.headers.get("if-none-match", "")
    return wanted.strip() == "*" or tag.removeprefix("W/") in {
        part.strip().removeprefix("W/") for part in wanted.split(",")
    }


def quoted(etag: str) -> str:
    """Write a store's etag as HTTP does: stores differ in whether they bring the quotes."""
    return '"' + etag.removeprefix("W/").strip('"').replace('"', "") + '"'


def add_error_answers(app: FastAPI, error_page: Callable[[str, int, str], Response]) -> None:
    """Answer every error as JSON ``{detail}`` with one sentence; somebody who mistyped a page's address reads a page.

    Parameters
    ----------
    error_page
        Makes the page from the path that was asked for, the status and the sentence.
    """

    def wrong_address(request: Request, status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
        if _is_for_a_person(request):
            return error_page(request.url.path, status, detail)
        return _problem(status, detail, headers)

    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return wrong_address(request, 422, "; ".join(_sentence(dict(fault)) for fault in error.errors()))

    async def bad_name(request: Request, error: BadName) -> Response:
        return wrong_address(request, 422, str(error))

    async def refused(request: Request, error: HTTPException) -> Response:
        return wrong_address(request, error.status_code, error.detail, error.headers)

    async def not_there(_request: Request, error: NotAvailable) -> Response:
        return _problem(404, str(error))

    async def no_ledger(request: Request, error: LedgerError) -> Response:
        log.warning("request failed: the ledger is away", path=request.url.path, error=str(error))
        return _problem(503, "the ledger cannot be read just now", {"Retry-After": "5"})

    async def too_late(request: Request, _error: TimeoutError) -> Response:
        log.warning("request failed: no answer in time", path=request.url.path)
        return _problem(504, "the store did not answer in time", {"Retry-After": "5"})

    async def fault(_request: Request, _error: Exception) -> Response:
        return _problem(500, "the server made a mistake; its log says which")

    app.exception_handler(RequestValidationError)(invalid)
    app.exception_handler(BadName)(bad_name)
    app.exception_handler(HTTPException)(refused)
    app.exception_handler(NotAvailable)(not_there)
    app.exception_handler(LedgerError)(no_ledger)
    app.exception_handler(TimeoutError)(too_late)
    app.exception_handler(Exception)(fault)


class SafeHeaders:
    """ASGI middleware that adds the safe headers to every answer, streams included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFE_HEADERS)
            await send(message)

        await self._app(scope, receive, send_safely if scope["type"] == "http" else send)


def _is_for_a_person(request: Request) -> bool:
    """Tell whether a browser asked for a page: everything that is not of a program's part of the display."""
    parts = request.url.path.split("/")  # a proxy may have put some before ours
    return PROGRAMS.isdisjoint(parts) and "text/html" in request.headers.get("accept", "")


def _packed(value: object, *, packed: bool) -> tuple[bytes, str, bool]:
    plain = json_bytes(value, sort=False)  # columns and stages come in an order that means something
    tag = f'W/"{hashlib.sha256(plain).hexdigest()[:32]}"'
    if packed and len(plain) >= MIN_COMPRESSED:
        return gzip.compress(plain, compresslevel=5, mtime=0), tag, True
    return plain, tag, False


def _sentence(fault: dict[str, object]) -> str:
    place = fault.get("loc")
    where = " ".join(str(part) for part in place) if isinstance(place, tuple) else ""
    return f"{where}: {fault.get('msg', 'not valid')}"


def _problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"detail": detail}, status_code=status, headers=headers)
