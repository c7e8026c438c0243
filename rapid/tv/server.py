"""The web server of the display: REST, pictures, the live stream, and the pages that use them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from functools import partial

import uvicorn
from fastapi import APIRouter, FastAPI

from rapid.errors import ConfigError
from rapid.ports import Ledger, Store
from rapid.tv.answers import SafeHeaders, add_error_answers
from rapid.tv.api import api_router, pictures_router
from rapid.tv.pages import WebFiles, error_page, pages_router
from rapid.tv.stream import FeedWatch

__all__ = ["create_app", "serve"]

GRACE = 3.0
"""Seconds that requests get to end when the server stops; streams end at once."""


def create_app(ledger: Ledger, store: Store, *, title: str = "Rapid", extra: Sequence[APIRouter] = ()) -> FastAPI:
    """Build the display.

    Parameters
    ----------
    ledger
        Whose table and feed are shown; it is only read.
    store
        Where the gallery put the pictures.
    title
        What the pages call themselves.
    extra
        Routes of others (health, metrics), which go before the pages'.
    """
    watch = FeedWatch(ledger)
    app = FastAPI(
        title=title, docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json", lifespan=_watching(watch)
    )
    app.state.watch = watch
    app.add_middleware(SafeHeaders)
    add_error_answers(app, partial(error_page, title=title))
    for router in (*extra, api_router(ledger, watch), pictures_router(store)):
        app.include_router(router)
    app.mount("/static", WebFiles(), name="static")
    app.include_router(pages_router(ledger, title=title))
    return app


async def serve(
    app: FastAPI, *, host: str = "127.0.0.1", port: int = 8000, ready: Callable[[str], None] | None = None
) -> None:
    """Serve an app of `create_app` until cancelled; open streams end at once, requests within a few seconds.

    Signals are left alone: they belong to whoever runs this.

    Parameters
    ----------
    port
        0 for any free one.
    ready
        Called with the server's URL as soon as it answers.

    Raises
    ------
    ConfigError
        If the address cannot be listened on.
    """
    listener = _listen(host, port)
    shown = f"[{host}]" if ":" in host else host
    server = _Server(app, ready=lambda: ready and ready(f"http://{shown}:{listener.getsockname()[1]}/"))
    serving = asyncio.ensure_future(server.serve(sockets=[listener]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


class _Server(uvicorn.Server):
    """uvicorn, except that it ends the streams before it waits for connections, and leaves signals alone."""

    def __init__(self, app: FastAPI, *, ready: Callable[[], object]) -> None:
        super().__init__(
            uvicorn.Config(
                app, lifespan="on", log_config=None, server_header=False, timeout_graceful_shutdown=int(GRACE)
            )
        )
        self._watch: FeedWatch = app.state.watch
        self._ready = ready

    def capture_signals(self) -> nullcontext[None]:  # type: ignore[override]
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._watch.close()
        await super().shutdown(sockets)


def _watching(watch: FeedWatch) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(watch.run())
        try:
            yield
        finally:
            watch.close()
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    return lifespan


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
