"""Settings from a file, variables and the command line, and what is said when they are wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from rapid.config import load_settings
from rapid.errors import ConfigError


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("RAPID_")]:
        monkeypatch.delenv(name)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rapid.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_listen_on_loopback_and_keep_everything_in_one_place() -> None:
    settings = load_settings()
    assert settings.web.host == "127.0.0.1"
    assert settings.ledger_url == f"sqlite:///{Path.cwd()}/rapid-state/ledger.sqlite"
    assert settings.gallery_url == f"{Path.cwd()}/rapid-state/gallery"


def test_command_line_wins_over_variables_and_these_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, '[web]\nport = 1\ntitle = "file"\nhost = "::1"\n')
    monkeypatch.setenv("RAPID_WEB__PORT", "2")
    monkeypatch.setenv("RAPID_WEB__TITLE", "variable")
    settings = load_settings(path, {"web": {"port": 3}})
    assert (settings.web.port, settings.web.title, settings.web.host) == (3, "variable", "::1")


@pytest.mark.parametrize(
    ("text", "seconds"), [('"90s"', 90), ('"5m"', 300), ('"1.5h"', 5400), ("7", 7), ('"250ms"', 0.25), ('"2d"', 172800)]
)
def test_durations_are_written_as_people_do(tmp_path: Path, text: str, seconds: float) -> None:
    settings = load_settings(written(tmp_path, f"[pipeline]\ndeadline = {text}\n"))
    assert settings.pipeline.deadline == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[web]\nprot = 1\n", r"web\.prot: Extra inputs are not permitted"),
        ("[wep]\nport = 1\n", r"wep: Extra inputs are not permitted"),
        ("[web]\nport = 99999\n", r"web\.port: Input should be less than or equal to 65535"),
        ('[pipeline]\ndeadline = "soon"\n', r"pipeline\.deadline"),
        (
            '[pipeline]\ndeadline = "99999999999d"\n',
            r"pipeline\.deadline: .*less than 999999999 days, found 99999999999d",
        ),
        ('[gather]\nfiles = "2d"\n', r"gather\.files: Input should be less than or equal to .*days=1"),
        ("[pipeline]\ndeadline = 0\n", r"pipeline\.deadline: Input should be greater than"),
        ("[pipeline]\nattempts = 0\n", r"pipeline\.attempts"),
        ("[web\n", "is not TOML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as wrong:
        load_settings(written(tmp_path, text))
    assert "rapid.toml" in str(wrong.value)


def test_a_missing_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAPID_CONFIG", str(tmp_path / "absent.toml"))
    with pytest.raises(ConfigError, match=r"absent\.toml cannot be read: No such file"):
        load_settings()


def test_secrets_of_a_store_are_not_shown(tmp_path: Path) -> None:
    text = '[archive]\nurl = "s3://b/p"\n[archive.options]\nsecret_access_key = "hush"\n'
    settings = load_settings(written(tmp_path, text))
    assert "hush" not in repr(settings)
    assert settings.archive.plain_options() == {"secret_access_key": "hush"}


KAFKA = '[kafka]\nservers = ["a:9092"]\ntopics = ["t"]\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[kafka]\nservers = ["a:9092"]\n', "neither topics nor patterns"),
        ('[kafka]\nservers = ["a:9092", "b"]\ntopics = ["t"]\n', "expected host:port, found b"),
        (KAFKA + 'security = "SASL_SSL"\n', "SASL_SSL needs username, and password or password_file"),
        (KAFKA + 'security = "SASL_SSL"\nusername = "u"\n', "SASL_SSL needs username"),
        (KAFKA + 'password = "p"\npassword_file = "f"\n', "one of them is too much"),
        (KAFKA + 'start = "oldest"\n', r"kafka\.start"),
        (KAFKA + "batch = 0\n", r"kafka\.batch"),
    ],
)
def test_a_kafka_that_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(written(tmp_path, text))


def test_a_password_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of rapid\n", encoding="utf-8")
    text = f'{KAFKA}security = "SASL_SSL"\nusername = "u"\npassword_file = "{tmp_path}/secret"\n'
    assert load_settings(written(tmp_path, text)).kafka.read_password() == "of rapid"


def test_a_password_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = f'{KAFKA}security = "SASL_SSL"\nusername = "u"\npassword_file = "{tmp_path}/secret"\n'
    with pytest.raises(ConfigError, match=r"kafka\.password_file: .*secret cannot be read"):
        load_settings(written(tmp_path, text)).kafka.read_password()


def test_a_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAPID_KAFKA__PASSWORD", "of rapid")
    kafka = load_settings().kafka
    assert kafka.read_password() == "of rapid"
    assert "of rapid" not in repr(kafka)


MQTT = '[mqtt]\nserver = "a:1883"\nroot = "summit"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[mqtt]\nserver = "a:1883"\n', "neither a root nor topics"),
        ('[mqtt]\nserver = "a"\nroot = "r"\n', "expected host:port, found a"),
        (MQTT + 'username = "u"\n', "given together or not at all"),
        (MQTT + 'password = "p"\n', "given together or not at all"),
        (MQTT + 'username = "u"\npassword = "p"\npassword_file = "f"\n', "one of them is too much"),
        (MQTT + 'ca_file = "f"\n', "tls is not true: nothing would be encrypted"),
        (MQTT + 'version = "3.1"\n', r"mqtt\.version"),
        (MQTT + 'identifier = "a/b"\n', r"mqtt\.identifier"),
        (MQTT + "receive_maximum = 65536\n", r"mqtt\.receive_maximum"),
        (MQTT + 'session = "1ms"\n', r"mqtt\.session.*greater than or equal to 1 second"),
    ],
)
def test_an_mqtt_that_cannot_be_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(written(tmp_path, text))


def test_the_password_of_mqtt_may_be_in_a_file_or_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("of rapid\n", encoding="utf-8")
    text = f'{MQTT}username = "u"\n'
    filed = load_settings(written(tmp_path, f'{text}password_file = "{tmp_path}/secret"\n')).mqtt
    assert filed.read_password() == "of rapid"
    monkeypatch.setenv("RAPID_MQTT__PASSWORD", "of rapid")
    told = load_settings(written(tmp_path, text)).mqtt
    assert told.read_password() == "of rapid"
    assert "of rapid" not in repr(told)


def test_a_password_file_of_mqtt_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = f'{MQTT}username = "u"\npassword_file = "{tmp_path}/secret"\n'
    with pytest.raises(ConfigError, match=r"mqtt\.password_file: .*secret cannot be read"):
        load_settings(written(tmp_path, text)).mqtt.read_password()
