"""deploy/compose.yaml, held to what rapid, Kafka and mosquitto really understand; there is no Docker here to run it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rapid.config import Settings, load_settings

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "deploy" / "compose.yaml"
SECRET = "a-secret-of-this-test"
KNOWN = {
    "build", "command", "configs", "depends_on", "entrypoint", "environment", "healthcheck", "image", "init", "ports",
    "restart", "stop_grace_period", "volumes",
}  # fmt: skip
ONE_SHOT = {"topics", "buckets"}


def interpolated(value: Any) -> Any:
    """Replace variables as Compose does; one that is missing and has to be there is an error."""
    if isinstance(value, dict):
        return {name: interpolated(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [interpolated(inner) for inner in value]
    if not isinstance(value, str):
        return value

    def replaced(found: re.Match[str]) -> str:
        assert found["name"] is None or found["name"] == "RAPID_SECRET", found[0]
        return "$" if found["name"] is None else SECRET

    return re.sub(r"\$(?:\$|\{(?P<name>\w+):\?[^}]*\})", replaced, value)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = interpolated(yaml.safe_load(FILE.read_text()))
    return found


@pytest.fixture
def settings(compose: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What rapid makes of its variables."""
    monkeypatch.delenv("RAPID_CONFIG", raising=False)
    for name, value in compose["services"]["rapid"]["environment"].items():
        monkeypatch.setenv(name, value)
    return load_settings()


def test_it_is_of_the_parts_that_compose_knows(compose: dict[str, Any]) -> None:
    assert set(compose) == {"name", "services", "configs", "volumes"}
    assert set(compose["services"]) == {
        "kafka", "topics", "registry", "mosquitto", "store", "buckets", "postgres", "rapid",
    }  # fmt: skip
    for name, service in compose["services"].items():
        assert set(service) <= KNOWN, name
        for one in service.get("configs", []):
            assert one["source"] in compose["configs"]
        for one in service.get("volumes", []):
            assert one.partition(":")[0] in compose["volumes"], f"{name}: {one}"
        assert all(isinstance(value, str) for value in service.get("environment", {}).values()), name


def test_images_are_pinned(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        image, _, tag = service["image"].partition(":")
        pinned = re.fullmatch(r"\d+\.\d+(\.\d+)?(-\w+)?|RELEASE\.\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ", tag)
        assert pinned or (image == "rapid" and "build" in service), f"{name}: {service['image']}"
    build = compose["services"]["rapid"]["build"]
    assert (FILE.parent / build["context"] / build["dockerfile"]).resolve() == ROOT / "deploy" / "Dockerfile"


def test_the_broker_is_the_one_that_the_tests_run(compose: dict[str, Any]) -> None:
    pom = (ROOT / "tests/system/kafka/pom.xml").read_text()
    version = re.search(r"<kafka\.version>(.+?)</", pom)
    assert version
    assert {compose["services"][name]["image"] for name in ("kafka", "topics")} == {f"apache/kafka:{version[1]}"}


def test_no_port_is_open_beyond_this_machine(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(published) == 6
    assert all(re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port) for port in published)
    assert len({port.split(":")[1] for port in published}) == len(published)


def test_it_holds_no_secret() -> None:
    for line in FILE.read_text().splitlines():
        name, mark, value = line.strip().partition(": ")
        if mark and re.search(r"PASSWORD|SECRET|MC_HOST", name):
            assert "${RAPID_SECRET:?" in value, line
    assert "/deploy/.env" in (ROOT / ".gitignore").read_text().split()


def test_who_serves_is_looked_at_and_who_prepares_is_waited_for(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        if name in ONE_SHOT:
            assert service["restart"] == "no"
        elif name != "rapid":  # its image brings its own
            assert service["healthcheck"]["test"][0] == "CMD", name
            assert {"interval", "timeout", "retries"} <= set(service["healthcheck"]), name
        for other, how in service.get("depends_on", {}).items():
            wanted = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
            assert how == {"condition": wanted}, f"{name} -> {other}"


def test_everything_is_there_before_rapid_starts(compose: dict[str, Any]) -> None:
    needed, found = ["rapid"], set[str]()
    while needed:
        name = needed.pop()
        found.add(name)
        needed += [other for other in compose["services"][name].get("depends_on", {}) if other not in found]
    assert found == set(compose["services"])


def test_every_variable_of_rapid_is_a_setting_and_they_fit_one_another(
    compose: dict[str, Any], settings: Settings
) -> None:
    services = compose["services"]
    assert settings.ledger == "postgresql://rapid@postgres/rapid"
    assert settings.archive.plain_options()["secret_access_key"] == SECRET
    assert settings.gallery.plain_options() == settings.archive.plain_options()
    prepared = compose["configs"]["buckets"]["content"]
    for url in (settings.archive.url, settings.gallery_url):
        assert f"store/{url.removeprefix('s3://')}" in prepared
    (made,) = re.findall(r"for topic in (.+?);", " ".join(services["topics"]["command"]))
    assert settings.kafka.topics == (services["store"]["environment"]["MINIO_NOTIFY_KAFKA_TOPIC_RAW"],)
    assert {*settings.kafka.topics, settings.results.kafka.topic} == set(made.split())
    kafka = services["kafka"]["environment"]
    (inside,) = re.findall(r"INSIDE://(kafka:\d+)", kafka["KAFKA_ADVERTISED_LISTENERS"])
    brokers = services["store"]["environment"]["MINIO_NOTIFY_KAFKA_BROKERS_RAW"]
    assert settings.kafka.servers == settings.results.kafka.servers == (inside,) == (brokers,)
    assert settings.kafka.registry == "http://registry:8081"
    assert settings.mqtt.server == settings.results.mqtt.server == "mosquitto:1883"
    assert settings.results.page == f"http://127.0.0.1:{settings.web.port}"


def test_the_image_has_what_the_settings_need() -> None:
    text = (ROOT / "deploy/Dockerfile").read_text()
    assert set(re.findall(r"--extra (\w+)", text)) == {"kafka", "mqtt", "postgres"}


def test_kafka_takes_its_settings(compose: dict[str, Any], kafka_jars: Path, tmp_path: Path) -> None:
    """The image makes a properties file of the variables; the broker's own tool reads it and makes its directory."""
    said = compose["services"]["kafka"]["environment"] | {"KAFKA_LOG_DIRS": str(tmp_path / "log")}
    lines = [f"{name.removeprefix('KAFKA_').lower().replace('_', '.')}={value}" for name, value in said.items()]
    (tmp_path / "server.properties").write_text("\n".join(lines))

    def formatted() -> subprocess.CompletedProcess[str]:
        words = ["format", "-t", "cmFwaWQtdGVzdHMtMTIzNA", "-c", tmp_path / "server.properties"]
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{kafka_jars}/*", "kafka.tools.StorageTool", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    done = formatted()
    assert done.returncode == 0, done.stderr + done.stdout
    assert (tmp_path / "log" / "meta.properties").is_file()
    broken = [line.replace("OUTSIDE://:9092,", "") for line in lines]  # advertised, and nobody listens there
    (tmp_path / "server.properties").write_text("\n".join(broken))
    assert formatted().returncode != 0


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def broker(
    compose: dict[str, Any], mosquitto_program: Path, free_port: int, tmp_path: Path
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    text = compose["configs"]["mosquitto"]["content"]
    assert text.count("listener 1883") == text.count("/mosquitto/data/") == 1
    text = text.replace("listener 1883", f"listener {free_port} 127.0.0.1").replace("/mosquitto/data/", f"{tmp_path}/")
    (tmp_path / "mosquitto.conf").write_text(f"user root\n{text}")
    process = subprocess.Popen(
        [mosquitto_program, "-c", tmp_path / "mosquitto.conf"], stderr=subprocess.PIPE, text=True
    )
    yield process, free_port
    process.kill()
    process.communicate()


def test_mosquitto_takes_its_settings_and_its_health_check_succeeds(
    compose: dict[str, Any], broker: tuple[subprocess.Popen[str], int]
) -> None:
    process, port = broker
    command = compose["services"]["mosquitto"]["healthcheck"]["test"][1:]
    if shutil.which(command[0]) is None:
        with socket.socket() as probe:
            end = time.monotonic() + 10
            while probe.connect_ex(("127.0.0.1", port)) and process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
        assert process.poll() is None, process.communicate()[1]
        return
    command[command.index("1883")] = str(port)
    assert subprocess.run(command, timeout=30, check=False, capture_output=True).returncode == 0
