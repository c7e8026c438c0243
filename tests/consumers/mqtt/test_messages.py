"""What comes out of the library, and what is said of ourselves."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from aiomqtt import Message, MqttCodeError, MqttError
from aiomqtt.exceptions import MqttConnectError
from jsonschema import Draft202012Validator
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from rapid import metrics
from rapid.consumers.mqtt import Connection
from rapid.consumers.mqtt.client import Inbox
from rapid.consumers.mqtt.reading import message_of
from rapid.consumers.mqtt.session import refusal, refused_filters
from rapid.consumers.mqtt.status import status_message
from rapid.errors import AccessDenied, NotAvailable
from tests.support.announcements import decoded

SCHEMA = Path(__file__).parents[3] / "docs" / "schemas" / "service.status-1.json"


def test_a_message_of_the_library_becomes_ours() -> None:
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("id", "x"), ("schema", "é/1")]
    message = message_of(Message("a/b", b"{}", 1, False, 7, properties))
    assert (message.topic, message.value) == ("a/b", b"{}")
    assert (message.partition, message.offset, message.key, message.timestamp) == (None, None, None, None)
    assert message.headers == (("id", b"x"), ("schema", "é/1".encode()))


@pytest.mark.parametrize("properties", [None, Properties(PacketTypes.PUBLISH)])
def test_a_message_need_not_have_properties(properties: Properties | None) -> None:
    assert message_of(Message("a", b"", 0, True, 0, properties)).headers == ()


@pytest.mark.parametrize("state", ["online", "offline", "lost"])
def test_a_status_is_of_the_contract(state: str) -> None:
    said = status_message(state)
    Draft202012Validator(json.loads(SCHEMA.read_text())).validate(json.loads(said))
    (status,) = decoded(said, "summit/service/rapid/status")
    assert (status.service, status.state) == ("rapid", state)


def test_a_status_says_which_process_and_since_when() -> None:
    online, offline = json.loads(status_message("online")), json.loads(status_message("offline"))
    assert online["pid"] == os.getpid()
    assert online["since_utc"] == offline["since_utc"]
    assert json.loads(status_message("lost")) == {"schema": "service.status/1", "state": "lost"}


def test_filters_that_are_refused_are_found() -> None:
    filters = ["a", "b", "c"]
    assert refused_filters(filters, (0, 1, 2)) == []
    assert refused_filters(filters, (1, 128, 1)) == ["b"]
    codes = [ReasonCode(PacketTypes.SUBACK, identifier=code) for code in (1, 135, 143)]
    assert refused_filters(filters, codes) == ["b", "c"]


@pytest.mark.parametrize("code", [132, 133, 134, 135, 138, 140])
def test_a_broker_that_does_not_let_us_in_is_not_away(code: int) -> None:
    error = MqttConnectError(ReasonCode(PacketTypes.CONNACK, identifier=code))
    refused = refusal(error, Connection("h:1", username="rapid", password="secret"))
    assert isinstance(refused, AccessDenied)
    assert str(refused).startswith("MQTT at h:1 does not let us in as 'rapid': ")
    assert "secret" not in str(refused)


@pytest.mark.parametrize(
    ("code", "words"), [(136, "Server unavailable"), (137, "Server busy"), (151, "Quota exceeded")]
)
def test_a_broker_that_cannot_now_is_away(code: int, words: str) -> None:
    error = MqttConnectError(ReasonCode(PacketTypes.CONNACK, identifier=code))
    refused = refusal(error, Connection("h:1"))
    assert isinstance(refused, NotAvailable)
    assert str(refused) == f"MQTT at h:1 is away: {words}"


def test_why_a_connection_ended_is_said_in_the_words_of_the_broker() -> None:
    code = ReasonCode(PacketTypes.DISCONNECT, identifier=142)
    error = MqttError("Disconnected during message iteration")
    error.__cause__ = MqttCodeError(code, "Unexpected disconnection")
    assert str(refusal(error, Connection("h:1"))) == "MQTT at h:1 is away: Session taken over"


def test_only_what_nobody_vouches_for_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """What we must acknowledge is bounded by the broker; were it thrown away here, it would never be acknowledged."""
    monkeypatch.setattr("rapid.consumers.mqtt.client.UNASKED", 2)
    inbox, before = Inbox(), _lost()
    for number, qos in enumerate([0, 1, 0, 1, 0, 1]):
        inbox.put_nowait(Message("a", b"", qos, False, number, None))
    assert [inbox.get_nowait().mid for _ in range(inbox.qsize())] == [0, 1, 3, 5]
    assert _lost() - before == 2


def _lost() -> float:
    return metrics.REGISTRY.get_sample_value("rapid_bus_lost_total", {"source": "mqtt"}) or 0.0
