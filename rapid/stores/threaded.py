"""A blocking store behind the port of an event loop.

obstore has asynchronous functions of its own. They are not used: a process that ends just after one of them failed is
aborted, because their threads still hold Python objects (PyO3/pyo3-async-runtimes issue 40), and a command that
reports "the store is away" must end with its own exit code. Threads of ours are also counted: a store that hangs holds
its own few and nobody else's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from rapid.errors import NotAvailable
from rapid.ports import StoredObject
from rapid.stores.objects import CHUNK, Objects

__all__ = ["ThreadedStore"]

T = TypeVar("T")

THREADS = 8
"""Requests to one store at once: enough to fill a line with pictures of 100 kB at 20 ms each."""
GUARD = 90.0
"""Nothing takes longer [s]: the retries of a request end before, but a network file system can hang without end."""


class ThreadedStore:
    """A `rapid.ports.Store` that lets its own threads wait."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="store")

    def __repr__(self) -> str:
        return f"<store {self.objects.url}>"

    async def get(self, key: str) -> bytes:
        """Read an object."""
        return await self._ask(lambda: self.objects.get(key))

    async def put(self, key: str, body: bytes, *, media_type: str = "application/octet-stream") -> None:
        """Write an object so that a reader sees all of it or none."""
        await self._ask(lambda: self.objects.put(key, body, media_type))

    async def head(self, key: str) -> StoredObject:
        """Describe an object."""
        return await self._ask(lambda: self.objects.head(key))

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """Go through the objects below a prefix, which ends where a part of the key ends."""
        walk = self.objects.list(prefix.removesuffix("/") or prefix)
        while chunk := await self._ask(lambda: tuple(islice(walk, CHUNK))):
            for found in chunk:
                yield found

    async def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        await self._ask(lambda: self.objects.delete(key))

    async def _ask(self, question: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(GUARD):
                return await asyncio.get_running_loop().run_in_executor(self._threads, question)
        except TimeoutError:
            silent = f"{self.objects.url} gave no answer in {GUARD:.0f} s"
            raise NotAvailable(silent) from None
