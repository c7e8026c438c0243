"""The display on a real port of this machine, and a reader of server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from rapid.tv.server import serve


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve an app on a free port; yield its URL, which ends in a slash."""
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, port=0, ready=url.set_result))
    try:
        async with asyncio.timeout(10):
            await asyncio.wait({serving, url}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        yield await url
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@dataclass(frozen=True)
class Told:
    """One server-sent event; `data` is decoded, `comment` is whatever came in comment lines."""

    event: str
    id: int | None
    data: Any
    comment: str = ""


async def told(blocks: AsyncIterable[bytes | str]) -> AsyncIterator[Told]:
    """Read server-sent events as a browser would, whole blocks only."""
    buffer = ""
    async for chunk in blocks:
        buffer += chunk if isinstance(chunk, str) else chunk.decode()
        while "\n\n" in buffer:
            block, _, buffer = buffer.partition("\n\n")
            if read := _read(block):
                yield read


def _read(block: str) -> Told | None:
    lines = [line.partition(":")[::2] for line in block.split("\n")]
    fields = {name: value.removeprefix(" ") for name, value in lines}
    if "data" not in fields:
        return None
    event_id = int(fields["id"]) if "id" in fields else None
    return Told(fields["event"], event_id, json.loads(fields["data"]), fields.get("", ""))
