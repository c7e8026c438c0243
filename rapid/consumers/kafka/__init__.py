"""Announcements from Apache Kafka. Needs the extra ``kafka``."""

from rapid.consumers.kafka.connection import Connection, knock
from rapid.consumers.kafka.source import KafkaSource, Subscription

__all__ = ["Connection", "KafkaSource", "Subscription", "knock"]
