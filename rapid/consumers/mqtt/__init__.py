"""Announcements from an MQTT broker. Needs the extra ``mqtt``."""

from rapid.consumers.mqtt.connection import Connection
from rapid.consumers.mqtt.source import MqttSource
from rapid.consumers.mqtt.topics import Subscription, contract_filters

__all__ = ["Connection", "MqttSource", "Subscription", "contract_filters"]
