"""The schema registry: one GET for each schema, ever.

Source: Confluent Schema Registry API reference, ``GET /schemas/ids/{id}`` and its error 40403. What it answers is told apart by
one question: would asking again later help? A registry that is away, slow or closed to us says *not now*
(`rapid.errors.NotAvailable`): the message is held back. A schema that does not exist or is none says *never*
(`rapid.errors.BadMessage`): the message is a dead letter.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self, cast

import httpx
from pydantic_core import from_json

from rapid.consumers.decoders.avro import AvroSchema
from rapid.errors import BadMessage, ConfigError, NotAvailable

__all__ = ["SchemaRegistry"]

_NO_SUCH_SCHEMA = 40403
_ACCEPT = "application/vnd.schemaregistry.v1+json, application/json"


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of an id: its schema, or why it has none; until then, on the monotonic clock [s]."""

    found: AvroSchema | BadMessage
    until: float


class SchemaRegistry:
    """A client of a schema registry; leaving its context closes its connections.

    Parameters
    ----------
    url
        Where it is: ``http://host:8081``, perhaps with a path.
    timeout
        Longest that one answer may take, from the first byte sent to the last one read.
    size_limit
        Longest schema taken [bytes]; the longest of SAL's have some 100 kB.
    known_limit
        How many schemas are kept.
    doubt
        For how long an answer is kept that could be wrong: no such schema, no usable schema, one that did not fit.
    credentials
        User and password.
    tls
        For a registry with a certificate of the observatory's own.
    clock
        Monotonic time [s].

    Raises
    ------
    ConfigError
        If the URL is none.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: timedelta = timedelta(seconds=5),
        size_limit: int = 1 << 20,
        known_limit: int = 4096,
        doubt: timedelta = timedelta(minutes=1),
        credentials: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base = _checked(url)
        self._timeout, self._doubt = timeout.total_seconds(), doubt.total_seconds()
        self._size_limit, self._known_limit, self._clock = size_limit, known_limit, clock
        self._known: OrderedDict[int, _Known] = OrderedDict()
        self._asking = asyncio.Lock()
        self._http = httpx.AsyncClient(
            auth=credentials,
            verify=tls or True,
            timeout=self._timeout,
            trust_env=False,
            headers={"Accept": _ACCEPT, "Accept-Encoding": "identity"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def schema(self, schema_id: int) -> AvroSchema:
        """Return a schema, asking at most once at a time and once for each id.

        Raises
        ------
        NotAvailable
            If the registry does not answer as one, or not in time: ask later.
        BadMessage
            If there is no such schema, or it is none: asking again is useless.
        """
        known = self._recall(schema_id)
        if known is None:
            async with self._asking:
                known = self._recall(schema_id) or await self._ask(schema_id)
        if isinstance(known.found, BadMessage):
            raise known.found
        return known.found

    def doubt(self, schema_id: int) -> None:
        """Ask for a schema again after a while: what was written with it does not fit it."""
        known = self._known.get(schema_id)
        if known is not None:
            self._remember(schema_id, known.found, min(known.until, self._clock() + self._doubt))

    def _recall(self, schema_id: int) -> _Known | None:
        known = self._known.get(schema_id)
        if known is None or known.until <= self._clock():
            return None
        self._known.move_to_end(schema_id)
        return known

    def _remember(self, schema_id: int, found: AvroSchema | BadMessage, until: float) -> _Known:
        known = self._known[schema_id] = _Known(found, until)
        self._known.move_to_end(schema_id)
        while len(self._known) > self._known_limit:
            self._known.popitem(last=False)
        return known

    async def _ask(self, schema_id: int) -> _Known:
        try:
            body = await self._get(schema_id)
            return self._remember(schema_id, AvroSchema(_schema_text(body, schema_id)), float("inf"))
        except BadMessage as error:
            return self._remember(schema_id, error, self._clock() + self._doubt)

    async def _get(self, schema_id: int) -> bytes:
        url = f"{self._base}/schemas/ids/{schema_id}"
        try:
            async with asyncio.timeout(self._timeout), self._http.stream("GET", url) as response:
                body = await self._bounded(response, schema_id)
        except TimeoutError as error:
            raise NotAvailable(f"the schema registry did not answer within {self._timeout:g} s: {url}") from error
        except httpx.HTTPError as error:
            raise NotAvailable(f"the schema registry is away: {url}: {_told(error)}") from error
        if response.status_code == httpx.codes.NOT_FOUND and _error_code(body) == _NO_SUCH_SCHEMA:
            raise BadMessage("the schema registry knows no such schema", subject=f"schema {schema_id}")
        if response.status_code != httpx.codes.OK:
            raise NotAvailable(f"the schema registry answers {response.status_code} {response.reason_phrase}: {url}")
        return body

    async def _bounded(self, response: httpx.Response, schema_id: int) -> bytes:
        body = bytearray()
        async with aclosing(cast(AsyncGenerator[bytes, None], response.aiter_raw())) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) > self._size_limit:
                    expected = f"{self._size_limit} bytes or less"
                    raise BadMessage("the schema is too long", subject=f"schema {schema_id}", expected=expected)
        return bytes(body)


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigError(f"{url!r} is no URL of a schema registry: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host or parsed.query or parsed.fragment:
        raise ConfigError(f"{url!r} is no URL of a schema registry; expected http://host:8081")
    return url.rstrip("/")


def _schema_text(body: bytes, schema_id: int) -> str:
    """Take the schema out of an answer; what is no answer of a registry, as the page of a proxy, is *not now*."""
    answer = _object(body)
    text = answer.get("schema")
    if not isinstance(text, str):
        raise NotAvailable(f"what answers for schema {schema_id} is no schema registry: {body[:60]!r}")
    kind = answer.get("schemaType", "AVRO")
    if kind != "AVRO" or answer.get("references"):
        found = "a schema that refers to others" if kind == "AVRO" else repr(kind)[:40]
        raise BadMessage("not a schema that SAL writes", subject=f"schema {schema_id}", expected="AVRO", found=found)
    return text


def _error_code(body: bytes) -> object:
    return _object(body).get("error_code")


def _object(body: bytes) -> dict[str, object]:
    try:
        found = from_json(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__
