"""How a broker is named, and what is said when its certificates cannot be read."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from rapid.consumers.mqtt import Connection
from rapid.errors import ConfigError
from tests.support.certificates import Authority


@pytest.mark.parametrize(
    ("server", "host", "port"),
    [("mqtt.example.org:8883", "mqtt.example.org", 8883), ("[::1]:1883", "::1", 1883), ("127.0.0.1:1", "127.0.0.1", 1)],
)
def test_a_server_is_a_host_and_a_port(server: str, host: str, port: int) -> None:
    connection = Connection(server)
    assert (connection.host, connection.port) == (host, port)


@pytest.mark.parametrize("server", ["", "host", "host:", ":1883", "host:0", "host:65536", "host:x", "a..b:1883"])
def test_a_server_that_cannot_be_is_named(server: str) -> None:
    with pytest.raises(ConfigError, match="expected host:port of a broker, found"):
        Connection(server)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Connection("h:1", username="rapid", password="secret"))


def test_without_tls_no_certificate_is_read(tmp_path: Path) -> None:
    assert Connection("h:1", ca_file=tmp_path / "none.pem").tls_context() is None


def test_tls_asks_for_a_certificate_of_that_host(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(Authority().certificate)
    context = Connection("h:1", tls=True, ca_file=tmp_path / "ca.pem").tls_context()
    assert context is not None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("content", [None, "hello"])
def test_certificates_that_cannot_be_read_are_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ConfigError, match=r"certificates of MQTT cannot be read from .*ca\.pem"):
        Connection("h:1", tls=True, ca_file=tmp_path / "ca.pem").tls_context()
