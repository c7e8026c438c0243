"""`rapid bus tap` and `rapid bus publish`, on real brokers."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from rapid.cli import main
from tests.support.announcements import STAMP
from tests.support.daemon import rapid, start
from tests.support.kafka import PASSWORD, USER, KafkaServer
from tests.support.mosquitto import Mosquitto, new_root
from tests.support.notifications import file_written

pytestmark = pytest.mark.system

OBS_IDS = [f"AT_O_20260315_{number:06d}" for number in (1, 2, 3)]
RESULT = {
    "schema": "exposure.result/1", "id": "a", "sequence": 7, "at_utc": "2026-03-16T01:00:00Z", "service": "rapid",
    "instrument": "LATISS", "camera": "auxtel", "obs_id": OBS_IDS[0], "day_obs": 20260315, "seq_num": 1,
    "detector": "R00_S00", "state": "done", "revision": 2, "metrics": {}, "pictures": {}, "new_in_a_later_release": 1,
}  # fmt: skip


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Three files with the names of raws and one of nobody's, in the order in which they were not taken."""
    for name in [f"{obs_id}_R00_S00" for obs_id in reversed(OBS_IDS)] + ["calib_combined"]:
        place = tmp_path / "raw" / "LATISS" / "20260315" / f"{name}.fits"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(f"SIMPLE of {name}".encode())
    return tmp_path / "raw"


def tap(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the tap to its end, which is not waited for for ever."""
    with tapping(*words) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        process.wait()
    return subprocess.CompletedProcess(words, process.returncode, output, "")


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@contextmanager
def tapping(*words: str | Path) -> Iterator[subprocess.Popen[str]]:
    process = start("bus", "tap", *words)
    alarm = threading.Timer(60, process.kill)  # a line that never comes ends the test instead of holding it up
    alarm.start()
    try:
        yield process
    finally:
        alarm.cancel()
        process.kill()
        process.communicate()


def test_files_are_announced_on_kafka_as_a_store_does_and_seen_by_the_tap(kafka: KafkaServer, archive: Path) -> None:
    topic = asyncio.run(kafka.topic())
    where = ("--kafka", kafka.address)
    said = rapid("bus", "publish", archive, *where, "--topic", topic)
    assert said.stdout.strip() == "4 files announced"
    seen = lines(tap(*where, topic, "--from-beginning", "--count", "4", "--json"))
    assert [one["obs_id"] for one in seen] == [*OBS_IDS, ""]
    assert [(one["kind"], one["partition"], one["offset"]) for one in seen] == [("file", 0, at) for at in range(4)]
    first = archive / seen[0]["key"]
    assert first.stat().st_size == seen[0]["value"]["Records"][0]["s3"]["object"]["size"]


def test_the_tap_shows_all_kinds_and_why_something_is_malformed_and_commits_nothing(kafka: KafkaServer) -> None:
    topic = asyncio.run(kafka.topic())
    readout = {"schema": "exposure.readout/1", "id": "r", "instrument": "LATISS", "obs_id": OBS_IDS[0]}
    values = [
        file_written(f"LATISS/20260315/{OBS_IDS[0]}_R00_S00.fits"), b"\x1b[31mnot JSON", b"\0\0\0\0\7framed",
        json.dumps(readout | {"t_end_readout_tai": STAMP}).encode(), json.dumps(RESULT).encode(),
        json.dumps(RESULT | {"state": "sleeping"}).encode(), b'{"schema": "of.others/3"}',
    ]  # fmt: skip
    values[2] = b'{"Records": []}'
    asyncio.run(kafka.send(topic, values))
    how = ("--kafka", kafka.address, f"^{topic}$", "--from-beginning", "--count", str(len(values)))
    seen = lines(tap(*how, "--json"))
    kinds = ["file", "malformed", "malformed", "exposure read out", "result done", "malformed", "ignored"]
    assert [one["kind"] for one in seen] == kinds
    assert "not JSON" in seen[1]["detail"]
    assert "state" in seen[5]["detail"]
    table = tap(*how).stdout
    assert table.startswith("time ")
    assert OBS_IDS[0] in table
    assert "R00_S00: revision 2" in table
    assert "\x1b" not in table

    async def groups() -> list[Any]:
        admin = AIOKafkaAdminClient(**kafka.client)
        await admin.start()
        try:
            offsets = [await admin.list_consumer_group_offsets(name) for name, *_ in await admin.list_consumer_groups()]
        finally:
            await admin.close()
        return [partition for committed in offsets for partition in committed if partition.topic == topic]

    assert asyncio.run(groups()) == []


def test_the_tap_is_let_in_by_the_settings(secure_kafka: KafkaServer, tmp_path: Path) -> None:
    topic = asyncio.run(secure_kafka.topic())
    asyncio.run(secure_kafka.send(topic, [b"{"]))
    config = tmp_path / "rapid.toml"
    (tmp_path / "password").write_text(PASSWORD)
    config.write_text(
        f'[kafka]\nservers = ["{secure_kafka.address}"]\ntopics = ["{topic}"]\nsecurity = "SASL_SSL"\n'
        f'username = "{USER}"\npassword_file = "{tmp_path}/password"\nca_file = "{secure_kafka.ca_file}"\n'
    )
    (seen,) = lines(tap("--config", config, "-b", "-n", "1", "--json"))
    assert (seen["topic"], seen["value_base64"]) == (topic, "ew==")
    (tmp_path / "password").write_text("wrong")
    refused = rapid("bus", "tap", "--config", config, "-b", "-n", "1", check=False)
    assert refused.returncode == 1
    assert "does not let us in" in refused.stderr


def test_files_go_over_mqtt_by_our_contract_at_a_rate_while_they_are_written(
    mosquitto: Mosquitto, archive: Path
) -> None:
    root, where = new_root(), ("--mqtt", mosquitto.address)
    asyncio.run(mosquitto.send(f"{root}/LATISS/exposure/latest", [b"{}"], retain=True))
    with tapping(*where, f"{root}/#", "--json") as tap:
        assert tap.stdout is not None
        retained = json.loads(tap.stdout.readline())
        assert (retained["kind"], retained["retained"]) == ("ignored", True)
        said = rapid("bus", "publish", archive, *where, "--root", root, "--rate", "20")
        assert "3 files announced; 1 have no name that the contract knows" in said.stdout
        seen = [json.loads(tap.stdout.readline()) for _ in OBS_IDS]
    assert [one["obs_id"] for one in seen] == OBS_IDS
    assert seen[0]["topic"] == f"{root}/LATISS/file/{OBS_IDS[0]}/R00_S00"
    assert seen[0]["value"]["uri"] == f"s3://raw/LATISS/20260315/{OBS_IDS[0]}_R00_S00.fits"


def test_who_follows_announces_what_is_written_later(mosquitto: Mosquitto, tmp_path: Path, archive: Path) -> None:
    root, where = new_root(), ("--mqtt", mosquitto.address)
    empty = tmp_path / "later" / "LATISS"
    empty.mkdir(parents=True)
    asyncio.run(mosquitto.send(f"{root}/there", [b"{}"], retain=True))
    with tapping(*where, f"{root}/#", "--json") as tap:
        assert tap.stdout is not None
        assert json.loads(tap.stdout.readline())["retained"]
        follower = start("bus", "publish", empty.parent, *where, "--root", root, "--as", "s3", "--follow", "--json")
        try:
            (empty / f"{OBS_IDS[1]}_R00_S00.fits").write_bytes(b"not FITS, so its end is told by its rest")
            seen = json.loads(tap.stdout.readline())
            follower.terminate()
            output, _ = follower.communicate(timeout=20)
        finally:
            follower.kill()
            follower.wait()
    assert (seen["topic"], seen["obs_id"]) == (f"{root}/s3/raw", OBS_IDS[1])
    assert json.loads(output.splitlines()[0]) == {"key": f"LATISS/{OBS_IDS[1]}_R00_S00.fits", "published": True}
    assert follower.returncode == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("tap",), 2, "no bus: say --kafka host:port or --mqtt"),
        (("tap", "--kafka", "127.0.0.1:1"), 2, "neither topics nor patterns"),
        (("tap", "--kafka", "127.0.0.1:1", "files"), 3, "Kafka at 127.0.0.1:1 is away"),
        (("tap", "--mqtt", "127.0.0.1:1"), 3, "MQTT at 127.0.0.1:1 is away"),
        (("publish", ".", "--mqtt", "127.0.0.1:1"), 2, "say where on MQTT: --root"),
        (("publish", ".", "--kafka", "127.0.0.1:1", "-t", "x"), 3, "Kafka at 127.0.0.1:1 is away"),
        (("publish", "no-such-place", "--kafka", "127.0.0.1:1", "-t", "x"), 3, "there is no directory"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: tuple[str, ...], code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["rapid", "bus", *words])
    monkeypatch.delenv("RAPID_CONFIG", raising=False)
    with pytest.raises(SystemExit) as ended:
        main()
    complaint = capsys.readouterr().err
    assert ended.value.code == code, complaint
    assert len(complaint.strip().splitlines()) == 1
    assert said in complaint
