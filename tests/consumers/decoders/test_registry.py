"""The schema registry: one GET for each schema, and *not now* told from *never*."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio

from rapid.consumers.decoders.registry import SchemaRegistry
from rapid.errors import BadMessage, ConfigError, NotAvailable
from tests.support.registry import WHAT, Answer, RegistryServer, registry_server, sal_schema

TEXT = sal_schema("MTCamera.logevent_endReadout", {"imageName": "string"})
TIMEOUT = timedelta(seconds=0.3)


class Clock:
    """Monotonic time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with registry_server() as started:
        yield started


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def registry(server: RegistryServer, clock: Clock) -> AsyncIterator[SchemaRegistry]:
    async with SchemaRegistry(server.url, timeout=TIMEOUT, size_limit=5000, known_limit=3, clock=clock) as opened:
        yield opened


# --- the server of the tests -------------------------------------------------------------------------------------


def test_the_server_of_the_tests_says_what_it_is(server: RegistryServer) -> None:
    answer = httpx.get(server.url)
    assert answer.json() == {"what": WHAT}
    assert answer.headers["server"].startswith("rapid-test-registry")


def test_the_server_of_the_tests_knows_subjects(server: RegistryServer) -> None:
    posted = httpx.post(f"{server.url}/subjects/s-value/versions", json={"schema": TEXT})
    schema_id = posted.json()["id"]
    assert httpx.get(f"{server.url}/subjects").json() == ["s-value"]
    assert httpx.get(f"{server.url}/subjects/s-value/versions").json() == [1]
    latest = httpx.get(f"{server.url}/subjects/s-value/versions/latest").json()
    assert latest == {"subject": "s-value", "version": 1, "id": schema_id, "schema": TEXT}
    assert httpx.post(f"{server.url}/subjects/s-value", json={"schema": TEXT}).json() == latest
    assert httpx.get(f"{server.url}/subjects/other/versions").json()["error_code"] == 40401
    assert httpx.get(f"{server.url}/subjects/s-value/versions/2").json()["error_code"] == 40402


# --- one GET for each --------------------------------------------------------------------------------------------


async def test_a_schema_is_asked_for_once(server: RegistryServer, registry: SchemaRegistry, clock: Clock) -> None:
    schema_id = server.register("s", TEXT)
    found = await asyncio.gather(*(registry.schema(schema_id) for _ in range(20)))
    clock.now += 1e9
    assert await registry.schema(schema_id) is found[0]
    assert {schema.name for schema in found} == {"lsst.sal.MTCamera.logevent_endReadout"}
    assert server.asked == [f"/schemas/ids/{schema_id}"]


async def test_only_so_many_schemas_are_kept(server: RegistryServer, registry: SchemaRegistry) -> None:
    ids = [server.register("s", sal_schema(f"MTCamera.logevent_{name}", {})) for name in "abcd"]
    for schema_id in [*ids[:3], ids[0], ids[3], ids[0], ids[1]]:
        await registry.schema(schema_id)
    assert [path.rpartition("/")[2] for path in server.asked] == ["1", "2", "3", "4", "2"]


async def test_a_registry_may_have_a_path_and_a_password(server: RegistryServer) -> None:
    server.register("s", TEXT)
    async with SchemaRegistry(f"{server.url}/api/", credentials=("user", "secret")) as registry:
        with pytest.raises(NotAvailable, match="404 Not Found"):
            await registry.schema(1)
    assert server.asked == ["/api/schemas/ids/1"]
    assert server.headers["Authorization"] == "Basic dXNlcjpzZWNyZXQ="


# --- never -------------------------------------------------------------------------------------------------------


async def test_a_schema_that_does_not_exist_is_never(
    server: RegistryServer, registry: SchemaRegistry, clock: Clock
) -> None:
    for _ in range(3):
        with pytest.raises(BadMessage, match="schema 1: the schema registry knows no such schema"):
            await registry.schema(1)
    assert len(server.asked) == 1
    server.register("s", TEXT)
    clock.now += 61
    assert (await registry.schema(1)).name == "lsst.sal.MTCamera.logevent_endReadout"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"schema": '"string"'}, "not the schema of an event; expected a record"),
        ({"schema": "{"}, "not an Avro schema; expected JSON"),
        ({"schema": TEXT, "schemaType": "PROTOBUF"}, "not a schema that SAL writes; expected AVRO; found 'PROTOBUF'"),
        ({"schema": TEXT, "references": [{"name": "x"}]}, "expected AVRO; found a schema that refers to others"),
        ({"schema": TEXT, "padding": "x" * 6000}, "schema 7: the schema is too long; expected 5000 bytes or less"),
    ],
)
async def test_an_answer_that_is_no_schema_of_ours_is_never(
    server: RegistryServer, registry: SchemaRegistry, answer: dict[str, object], reason: str
) -> None:
    server.instead = Answer(200, json.dumps(answer).encode())
    for _ in range(2):
        with pytest.raises(BadMessage) as caught:
            await registry.schema(7)
        assert reason in str(caught.value)
    assert len(server.asked) == 1


async def test_a_doubted_schema_is_asked_for_again_later(
    server: RegistryServer, registry: SchemaRegistry, clock: Clock
) -> None:
    wrong = sal_schema("ATCamera.logevent_endReadout", {"imageName": "string"})
    server.next.append(Answer(200, json.dumps({"schema": wrong}).encode()))
    server.register("s", TEXT)
    registry.doubt(1)  # nothing is known of it yet
    assert (await registry.schema(1)).name == "lsst.sal.ATCamera.logevent_endReadout"
    registry.doubt(1)
    clock.now += 59
    registry.doubt(1)
    assert (await registry.schema(1)).name == "lsst.sal.ATCamera.logevent_endReadout"
    clock.now += 2
    assert (await registry.schema(1)).name == "lsst.sal.MTCamera.logevent_endReadout"


# --- not now -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(500), "answers 500 Internal Server Error"),
        (Answer(503, b'{"error_code": 50003}'), "answers 503 Service Unavailable"),
        (Answer(429), "answers 429 Too Many Requests"),
        (Answer(401, b'{"error_code": 40101}'), "answers 401 Unauthorized"),
        (Answer(404, b"<html>no route</html>", "text/html"), "answers 404 Not Found"),
        (Answer(404, b'{"error_code": 404}'), "answers 404 Not Found"),
        (Answer(302, headers={"Location": "http://elsewhere/"}), "answers 302 Found"),
        (Answer(200, b"<html>sign in</html>", "text/html"), "what answers for schema 1 is no schema registry"),
        (Answer(200, b"[]"), "what answers for schema 1 is no schema registry"),
        (Answer(200, b'{"schema": 7}'), "what answers for schema 1 is no schema registry"),
        (Answer(200, gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}), "is no schema registry"),
        (Answer(200, b"{", headers={"Content-Length": "100"}), "is away"),
        (Answer(delay=5), "did not answer within 0.3 s"),
        (Answer(200, json.dumps({"schema": TEXT}).encode(), pause=0.05), "did not answer within 0.3 s"),
    ],
)
async def test_a_registry_that_is_none_for_now_is_asked_again(
    server: RegistryServer, registry: SchemaRegistry, answer: Answer, reason: str
) -> None:
    server.register("s", TEXT)
    server.next.append(answer)
    with pytest.raises(NotAvailable) as caught:
        await registry.schema(1)
    assert reason in str(caught.value)
    assert (await registry.schema(1)).name == "lsst.sal.MTCamera.logevent_endReadout"


async def test_a_registry_that_is_away_comes_back(server: RegistryServer, registry: SchemaRegistry) -> None:
    server.register("s", TEXT)
    server.stop()
    with pytest.raises(NotAvailable, match="the schema registry is away"):
        await registry.schema(1)
    server.start()
    assert (await registry.schema(1)).name == "lsst.sal.MTCamera.logevent_endReadout"


async def test_what_is_known_needs_no_registry(server: RegistryServer, registry: SchemaRegistry) -> None:
    server.register("s", TEXT)
    await registry.schema(1)
    server.stop()
    assert (await registry.schema(1)).name == "lsst.sal.MTCamera.logevent_endReadout"


@pytest.mark.parametrize("url", ["", "localhost:8081", "ftp://host", "http://", "http://host/?a=b", "http://host:x"])
def test_what_is_no_url_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigError, match="is no URL of a schema registry"):
        SchemaRegistry(url)
