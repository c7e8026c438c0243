"""What every test may ask for, and the two rules every test is held to.

A test that leaves asyncio tasks behind fails; and where ``CI`` is set no test may be skipped, since there nothing is
allowed to be missing.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:  # a browser and an S3 take seconds to import; few tests use them
    from playwright.async_api import Browser, Page

    from tests.support.kafka import KafkaServer
    from tests.support.mosquitto import Mosquitto
    from tests.support.postgres import PostgresServer
    from tests.support.s3 import S3Server

_HERE = Path(__file__).resolve().parent
_NO_REAL_FILES = "no real files at"


# --- real files --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Directory of real files that are not part of the project; tests that need it are skipped where it is absent."""
    named = os.environ.get("RAPID_SHARED_DATA")
    place = Path(named or _HERE.parent.parent / "shared" / "data")
    if named and not place.is_dir():
        pytest.fail(f"RAPID_SHARED_DATA names {place}, which is no directory")
    if not place.is_dir():
        pytest.skip(f"{_NO_REAL_FILES} {place}; set RAPID_SHARED_DATA to the directory that holds obs_lsst_raws")
    return place


# --- a browser, an S3 and a database -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Return the system's Chromium."""
    from tests.support.browser import find_chromium

    found = find_chromium()
    if found is None:
        pytest.skip("no Chromium on this machine; tools/install-system-parts installs it")
    return found


@pytest_asyncio.fixture
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    """Start a headless browser, one for the test."""
    from tests.support.browser import launch

    async with launch(chromium) as started:
        yield started


@pytest_asyncio.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """Open a page that may talk to this machine only and may complain about nothing; the test fails if it did."""
    from tests.support.browser import watched_page

    async with watched_page(browser) as opened:
        yield opened


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """Run an S3 server for the session; `S3Server.bucket` makes a test its own bucket."""
    from tests.support.s3 import s3_server

    with s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Run a PostgreSQL for the session."""
    from tests.support.postgres import find_postgres, postgres_server

    programs = find_postgres()
    if programs is None:
        pytest.skip("no PostgreSQL on this machine; tools/install-system-parts installs it")
    with postgres_server(programs) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """Make a database with an empty ledger in it, for one test; give its address."""
    url = postgres.ledger()
    yield url
    postgres.drop(url)


# --- brokers -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def kafka_jars() -> Path:
    """Return the directory of Apache Kafka's jars."""
    from tests.support.kafka import find_kafka

    found = find_kafka()
    if found is None:
        pytest.skip(
            "no Java or no Apache Kafka on this machine; tools/install-system-parts and tools/fetch-kafka get them"
        )
    return found


@pytest.fixture(scope="session")
def kafka(kafka_jars: Path) -> Iterator[KafkaServer]:
    """Run a broker for the session; `KafkaServer.topic` makes a test its own topic."""
    from tests.support.kafka import kafka_server

    with kafka_server(kafka_jars) as server:
        yield server


@pytest.fixture(scope="session")
def secure_kafka(kafka_jars: Path) -> Iterator[KafkaServer]:
    """Run a broker that asks for a password (SCRAM) over TLS."""
    from tests.support.kafka import kafka_server

    with kafka_server(kafka_jars, secure=True) as server:
        yield server


@pytest.fixture(scope="session")
def mosquitto_program() -> Path:
    """Return the MQTT broker that is installed."""
    from tests.support.mosquitto import find_mosquitto

    found = find_mosquitto()
    if found is None:
        pytest.skip("no mosquitto on this machine; tools/install-system-parts installs it")
    return found


@pytest.fixture(scope="session")
def mosquitto(mosquitto_program: Path) -> Iterator[Mosquitto]:
    """Run an MQTT broker for the session; `tests.support.mosquitto.new_root` makes a test its own topics."""
    from tests.support.mosquitto import mosquitto_server

    with mosquitto_server(mosquitto_program) as server:
        yield server


# --- no task is left behind --------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_leaked_tasks(request: pytest.FixtureRequest) -> None:
    """Fail an asynchronous test that ends with tasks still running."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("_tasks_end_with_the_test")


@pytest_asyncio.fixture
async def _tasks_end_with_the_test() -> AsyncIterator[None]:
    """Compare the tasks after the test, and after the fixtures that it asked for, with those before it."""
    before = asyncio.all_tasks()
    yield
    for _ in range(5):  # a task that was cancelled needs a turn or two of the loop to end
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        pytest.fail("asyncio tasks were left behind: " + "; ".join(sorted(map(repr, left))), pytrace=False)


# --- what takes long begins first --------------------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put system tests first: two processes share the files out, and none is to be left with a long one at the end."""
    items.sort(key=lambda item: "system" not in item.keywords)


# --- CI skips nothing --------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Turn a skipped test into a failed one where CI is set."""
    report = yield
    return _unless_in_ci(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """Turn a skipped file into a failed one where CI is set."""
    report = yield
    return _unless_in_ci(report)


def _unless_in_ci(report: pytest.TestReport | pytest.CollectReport) -> pytest.TestReport | pytest.CollectReport:
    if os.environ.get("CI", "") in {"", "0", "false"} or not report.skipped or hasattr(report, "wasxfail"):
        return report
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    if _NO_REAL_FILES not in reason:
        report.outcome = "failed"
        report.longrepr = f"CI is set, so nothing may be skipped; this was: {reason}"
    return report
