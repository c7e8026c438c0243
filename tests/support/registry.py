"""A schema registry for tests: not Confluent's, but a small server that speaks the calls of its API which a bus needs.

It keeps schemas in memory, hands them out by id and by subject, and can be told to misbehave. ``GET /`` and the header
``Server`` say what it is, so that nobody takes it for the real one.
"""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import fastavro

__all__ = ["Answer", "RegistryServer", "registry_server", "sal_schema", "written"]

WHAT = "rapid-test-registry/1 (a stand-in for a Confluent schema registry, for tests only)"
_TYPE = "application/vnd.schemaregistry.v1+json"
_SUBJECT = re.compile(r"/subjects/(?P<subject>[^/]+)(?P<rest>/versions(?:/(?P<version>latest|\d+))?)?\Z")


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: a status, a body, and how it is sent.

    ``delay`` is waited before the first byte, ``pause`` after every byte of the body [s].
    """

    status: int = 200
    body: bytes = b"{}"
    media_type: str = _TYPE
    delay: float = 0.0
    pause: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


class RegistryServer:
    """The server, on a free port of the loopback.

    Attributes
    ----------
    url
        Where it is.
    asked
        Every path that was asked for, in order.
    headers
        Of the last request.
    next
        What is answered once each, whatever is asked.
    instead
        While this is set, it is the answer to everything.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.headers: Mapping[str, str] = {}
        self.instead: Answer | None = None
        self.next: deque[Answer] = deque()
        self.closing = threading.Event()
        self._schemas: dict[int, str] = {}
        self._subjects: dict[str, list[int]] = {}
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Listen, on the same port as before."""
        self.closing.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self))
        self._server.daemon_threads = False
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}).start()

    def stop(self) -> None:
        """Listen no more; what is being answered is broken off."""
        if self._server is not None:
            self.closing.set()
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def register(self, subject: str, schema: str) -> int:
        """Keep a schema under a subject; the same text has the same id everywhere."""
        for known, text in self._schemas.items():
            if text == schema:
                schema_id = known
                break
        else:
            schema_id = len(self._schemas) + 1
            self._schemas[schema_id] = schema
        versions = self._subjects.setdefault(subject, [])
        if schema_id not in versions:
            versions.append(schema_id)
        return schema_id

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """Answer a call as Confluent's API describes it."""
        self.asked.append(path)
        if self.next or self.instead is not None:
            return self.next.popleft() if self.next else self.instead or Answer()
        if path == "/":
            return _said({"what": WHAT})
        if method == "GET" and path == "/subjects":
            return _said(sorted(self._subjects))
        if method == "GET" and path.startswith("/schemas/ids/"):
            return self._by_id(path.rpartition("/")[2])
        match = _SUBJECT.fullmatch(path)
        return self._by_subject(method, match, body) if match else _error(404, 404, "HTTP 404 Not Found")

    def _by_id(self, text: str) -> Answer:
        schema = self._schemas.get(int(text)) if text.isdecimal() else None
        return _error(404, 40403, f"Schema {text} not found") if schema is None else _said({"schema": schema})

    def _by_subject(self, method: str, match: re.Match[str], body: bytes) -> Answer:
        subject, version = match["subject"], match["version"]
        if method == "POST" and match["rest"] == "/versions":
            return _said({"id": self.register(subject, json.loads(body)["schema"])})
        ids = self._subjects.get(subject)
        if ids is None:
            return _error(404, 40401, f"Subject '{subject}' not found.")
        if method == "POST" and not match["rest"]:
            wanted = json.loads(body)["schema"]
            found = [number for number, each in enumerate(ids, 1) if self._schemas[each] == wanted]
            return self._version(subject, found[0]) if found else _error(404, 40403, "Schema not found")
        if version is None:
            return _said(list(range(1, len(ids) + 1)))
        number = len(ids) if version == "latest" else int(version)
        return self._version(subject, number) if 0 < number <= len(ids) else _error(404, 40402, "Version not found.")

    def _version(self, subject: str, number: int) -> Answer:
        schema_id = self._subjects[subject][number - 1]
        return _said({"subject": subject, "version": number, "id": schema_id, "schema": self._schemas[schema_id]})


@contextmanager
def registry_server() -> Iterator[RegistryServer]:
    """Run a server for as long as the context lasts."""
    server = RegistryServer()
    try:
        yield server
    finally:
        server.stop()


def sal_schema(topic: str, fields: Mapping[str, object]) -> str:
    """Write the schema of a SAL event, ``MTCamera.logevent_endReadout``, as text; `fields` are names and Avro types."""
    component, _, name = topic.partition(".")
    listed = [{"name": field, "type": kind} for field, kind in fields.items()]
    return json.dumps({"type": "record", "name": name, "namespace": f"lsst.sal.{component}", "fields": listed})


def written(schema: str, record: object) -> bytes:
    """Write a record as Avro, without any header."""
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(json.loads(schema)), record)
    return stream.getvalue()


def _said(value: object) -> Answer:
    return Answer(200, json.dumps(value).encode())


def _error(status: int, code: int, message: str) -> Answer:
    return Answer(status, json.dumps({"error_code": code, "message": message}).encode())


def _handler(server: RegistryServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = WHAT, ""

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is the base class's
            """Say nothing."""

        def _answer(self, method: str) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            server.headers = dict(self.headers)
            answer = server.answer(method, self.path, body)
            if server.closing.wait(answer.delay) and answer.delay:
                return
            try:
                self._send(answer)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # whoever asked did not wait

        def _send(self, answer: Answer) -> None:
            self.send_response(answer.status, HTTPStatus(answer.status).phrase)
            sent = {"Content-Type": answer.media_type, "Content-Length": str(len(answer.body)), "Connection": "close"}
            for name, value in (sent | answer.headers).items():
                self.send_header(name, value)
            self.end_headers()
            if not answer.pause:
                self.wfile.write(answer.body)
                return
            for start in range(len(answer.body)):
                self.wfile.write(answer.body[start : start + 1])
                if server.closing.wait(answer.pause):
                    return

    return Handler
