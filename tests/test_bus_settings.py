"""The settings of the buses: what cannot be is refused by name, and no secret is shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rapid.app.results import failing_components, make_announcers
from rapid.config import load_settings
from rapid.errors import ConfigError
from rapid.health import Health
from rapid.ledger import open_ledger
from tests.support.ledgers import sqlite_url

SCRAM = {"servers": ["b:9092"], "security": "SASL_PLAINTEXT", "username": "rapid"}


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RAPID_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"kafka": {"servers": ["no-port"]}}, r"results\.kafka: .*expected host:port, found no-port"),
        ({"kafka": SCRAM}, r"results\.kafka: .*SASL_PLAINTEXT needs username, and password or password_file"),
        ({"kafka": {"topic": "a topic"}}, r"results\.kafka\.topic: "),
        ({"kafka": {"topics": ["a"]}}, r"results\.kafka\.topics: Extra inputs"),
        ({"kafka": {"password": "a", "password_file": "b"}}, r"results\.kafka: .*one of them is too much"),
        ({"mqtt": {"server": "b"}}, r"results\.mqtt: .*expected host:port, found b"),
        ({"mqtt": {"root": "a/#"}}, r"results\.mqtt\.root: "),
        ({"mqtt": {"root": "/a"}}, r"results\.mqtt\.root: "),
        ({"mqtt": {"server": "b:1883", "username": "a"}}, r"results\.mqtt: .*given together or not at all"),
        ({"mqtt": {"server": "b:1883", "ca_file": "a"}}, r"results\.mqtt: .*nothing would be encrypted"),
        ({"page": "rapid.example.org"}, r"results\.page: "),
        ({"service": "a/b"}, r"results\.service: "),
        ({"silence": "0s"}, r"results\.silence: "),
    ],
)
def test_what_cannot_be_is_refused(said: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_settings(None, {"results": said})


def test_a_secret_comes_from_a_variable_or_a_file_and_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAPID_RESULTS__KAFKA__PASSWORD", "of-rapid !")
    (tmp_path / "password").write_text("of-mqtt !\n")
    mqtt = {"server": "b:1883", "username": "rapid", "password_file": str(tmp_path / "password")}
    settings = load_settings(None, {"results": {"kafka": SCRAM, "mqtt": mqtt}})
    assert settings.results.kafka.read_password() == "of-rapid !"
    assert settings.results.mqtt.read_password() == "of-mqtt !"
    assert "of-rapid" not in repr(settings) + settings.model_dump_json()
    (tmp_path / "password").unlink()
    with pytest.raises(ConfigError, match=r"results\.mqtt\.password_file: .*cannot be read"):
        settings.results.mqtt.read_password()


async def test_an_announcer_for_each_bus_and_health_expects_it(tmp_path: Path) -> None:
    buses = {"kafka": {"servers": ["127.0.0.1:1"]}, "mqtt": {"server": "127.0.0.1:1"}}
    async with open_ledger(sqlite_url(tmp_path)) as ledger:
        health = Health()
        assert make_announcers(load_settings(), ledger, health) == []
        assert health.ready().components == ()
        assert len(make_announcers(load_settings(None, {"results": buses}), ledger, health)) == 2
    names = {status.name for status in health.ready().components}
    assert names == {"results-kafka", "results-mqtt"}
    assert failing_components(health) == {}, "they are only just starting"
    health.fail("results-kafka", "is away")
    assert failing_components(health) == {"results-kafka": "is away"}


async def test_a_certificate_that_cannot_be_read_is_found_out_at_the_start(tmp_path: Path) -> None:
    for name, said in (
        ("Kafka", {"kafka": {"servers": ["b:1"], "security": "SSL", "ca_file": str(tmp_path / "no.pem")}}),
        ("MQTT", {"mqtt": {"server": "b:1", "tls": True, "ca_file": str(tmp_path / "no.pem")}}),
    ):
        async with open_ledger(sqlite_url(tmp_path)) as ledger:
            with pytest.raises(ConfigError, match=f"certificates of {name} cannot be read"):
                make_announcers(load_settings(None, {"results": said}), ledger, Health())
