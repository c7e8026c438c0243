"""What may be read, and what is said when it may not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rapid.consumers.kafka import Connection, Subscription
from rapid.errors import ConfigError


@pytest.mark.parametrize(
    "server", ["127.0.0.1:99999", "127.0.0.1:0", "a..b:9092", "x" * 64 + ":9092", "broker", ":9092", "broker:port"]
)
def test_what_is_no_address_of_a_broker_is_told(server: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"Kafka: expected host:port of brokers, found {server!r}")):
        Connection(("broker:9092", server))


def test_names_need_no_pattern() -> None:
    assert Subscription(("lsst.s3.raw.latiss",)).pattern is None


def test_names_and_patterns_become_one_expression() -> None:
    pattern = Subscription(("lsst.s3.raw.latiss",), (r"lsst\.sal\.(AT|MT)Camera\..*",)).pattern
    assert pattern is not None
    for topic in ("lsst.s3.raw.latiss", "lsst.sal.ATCamera.logevent_endReadout"):
        assert re.match(pattern, topic)
    for topic in ("lsst.s3.raw.latiss2", "lsstXs3.raw.latiss", "my.lsst.sal.ATCamera.x", "lsst.sal.CCCamera.x"):
        assert not re.match(pattern, topic)


def test_nothing_to_read_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="no topics and no patterns"):
        Subscription()


def test_a_broken_pattern_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'lsst\.\(' is not a regular expression"):
        Subscription(patterns=("lsst.(",))


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Connection(("h:1",), username="rapid", password="secret"))


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    connection = Connection(("h:1",), "SASL_SSL", ca_file=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match=r"none\.pem"):
        connection.arguments()


def test_a_certificate_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")
    with pytest.raises(ConfigError, match=r"ca\.pem"):
        Connection(("h:1",), "SSL", ca_file=tmp_path / "ca.pem").arguments()
