"""The whole service on MQTT: killed between receipt and acknowledgement, it shows every exposure once."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from rapid.events import is_raw_name, name_facts
from tests.support.daemon import Daemon, daemon
from tests.support.mosquitto import PASSWORD, USER, Mosquitto, mosquitto_server, new_root

pytestmark = pytest.mark.system

SETTINGS = """
[archive]
watch = false

[workers]
count = 1

[mqtt]
server = "{server}"
root = "{root}"
announced = "s3://raw"
tls = true
username = "{user}"
password_file = "{place}/password"
ca_file = "{ca_file}"
"""


@pytest.fixture
def broker(mosquitto_program: Path) -> Iterator[Mosquitto]:
    with mosquitto_server(mosquitto_program, secure=True) as server:
        yield server


def settings(server: Mosquitto, root: str, place: Path) -> Path:
    (place / "password").write_text(PASSWORD + "\n")
    facts = {"server": server.address, "root": root, "place": place, "user": USER, "ca_file": server.ca_file}
    (place / "rapid.toml").write_text(SETTINGS.format(**facts))
    return place / "rapid.toml"


def raws(archive: Path) -> list[str]:
    keys = [path.relative_to(archive).as_posix() for path in archive.rglob("*") if path.is_file()]
    return sorted(key for key in keys if is_raw_name(key))


def announcement(root: str, key: str) -> tuple[str, bytes]:
    """Announce a raw by our own contract."""
    facts = name_facts(key)
    assert facts
    said = {
        "schema": "exposure.file/1",
        "id": f"{facts.obs_id}:{facts.detector_name}",
        "instrument": facts.instrument,
        "obs_id": facts.obs_id,
        "detector": facts.detector_name,
        "uri": f"s3://raw/{key}",
        "size": 1,
    }
    return f"{root}/{facts.instrument}/file/{facts.obs_id}/{facts.detector_name}", json.dumps(said).encode()


@contextmanager
def nobody_can_write(ledger: Path) -> Iterator[None]:
    """Hold the one lock that every transaction needs that writes."""
    with closing(sqlite3.connect(ledger, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def connected(service: Daemon) -> bool:
    return 'rapid_bus_connected{source="mqtt"} 1.0' in service.text("metrics")


async def state_of(server: Mosquitto, root: str, expected: str) -> None:
    """Wait until the status of the service is this one."""
    async with asyncio.timeout(30), server.client() as client:
        await client.subscribe(f"{root}/service/rapid/status", 1)
        async for message in client.messages:
            if json.loads(bytes(message.payload))["state"] == expected:
                return


async def until_sent(server: Mosquitto, count: int) -> None:
    """Wait until the broker has given the service so many messages."""
    async with asyncio.timeout(30):
        while server.log().count("Sending PUBLISH to rapid ") < count:
            await asyncio.sleep(0.05)


def test_a_daemon_killed_between_receipt_and_acknowledgement(broker: Mosquitto, night: Path, tmp_path: Path) -> None:
    root, keys = new_root(), raws(night)[:3]
    config = settings(broker, root, tmp_path)
    messages = [announcement(root, key) for key in keys]

    with daemon(night, tmp_path / "state", "--config", str(config)) as service:
        service.wait(connected)
        asyncio.run(state_of(broker, root, "online"))
        with nobody_can_write(tmp_path / "state" / "ledger.sqlite"):
            asyncio.run(broker.publish(messages))
            asyncio.run(until_sent(broker, len(messages)))
            assert service.counts()["received"] == 0
            service.kill()
        asyncio.run(state_of(broker, root, "lost"))
    assert "Received PUBACK from rapid " not in broker.log()

    with daemon(night, tmp_path / "state", "--config", str(config)) as service:
        counts = service.wait_settled(len(keys))
        asyncio.run(broker.publish(messages))
        asyncio.run(until_sent(broker, 3 * len(messages)))
        again = service.wait_settled(len(keys))
        metrics = service.text("metrics")
        assert service.terminate() == 0
    asyncio.run(state_of(broker, root, "offline"))
    assert counts["received"] == again["received"] == counts["done"] == again["done"] == len(keys)
    assert counts["waiting"] == counts["running"] == 0
    assert f"rapid_duplicates_total {len(keys)}.0" in metrics
    assert PASSWORD not in metrics + "".join(service.lines)
