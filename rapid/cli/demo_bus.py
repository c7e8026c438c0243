"""The bus of the demo: one task announces what the simulated camera wrote, and the daemon hears of it from a real broker."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import typer

from rapid.bus_settings import (
    KafkaSettings,
    MqttSettings,
    ResultsKafkaSettings,
    ResultsMqttSettings,
    ResultsSettings,
)

if TYPE_CHECKING:
    from rapid.announce import Bus
    from rapid.announce.files import FileAnnouncer
    from rapid.config import Settings

__all__ = ["DemoBus", "demo_bus"]

BUCKET = "s3://demo"
"""Where the files are said to lie; the archive of the daemon is a copy of it."""


def demo_bus(name: str, broker: str | None) -> DemoBus:
    """Make the bus of one demo, with topics that no other demo has."""
    run = uuid4().hex[:8]
    if name == "kafka":
        return _DemoKafka(broker or "127.0.0.1:9092", f"rapid.demo.{run}")
    if name == "mqtt":
        return _DemoMqtt(broker or "127.0.0.1:1883", f"rapid-demo-{run}")
    raise typer.BadParameter(f"expected kafka or mqtt, found {name!r}", param_hint="--bus")


@dataclass(frozen=True)
class DemoBus(ABC):
    """A broker, and the name below which everything goes."""

    broker: str
    name: str

    def settings(self, settings: Settings) -> Settings:
        """Let the daemon hear of files from the bus alone, and tell its results there."""
        archive = settings.archive.model_copy(update={"watch": False})
        return settings.model_copy(update={"archive": archive, **self._sections()})

    async def prepare(self) -> None:
        """Make sure that the broker is there, and has what is needed.

        Raises
        ------
        AccessDenied, NotAvailable
            If it does not let us in, or is away.
        """
        async with self._files().opened():
            pass

    async def announce(self, raw: Path, stop: asyncio.Event) -> None:
        """Announce the files of a directory as they are completed, until told to stop."""
        from rapid.app.publishing import publish_files

        await publish_files(raw, self._files(), self._announcer(), follow=True, stop=stop)

    @abstractmethod
    def _sections(self) -> dict[str, object]: ...

    @abstractmethod
    def _files(self) -> Bus: ...

    @abstractmethod
    def _announcer(self) -> FileAnnouncer: ...


class _DemoKafka(DemoBus):
    def _sections(self) -> dict[str, object]:
        return {
            "kafka": self._kafka,
            "results": ResultsSettings(
                kafka=ResultsKafkaSettings(servers=(self.broker,), topic=f"{self.name}.results"), start="earliest"
            ),
        }

    async def prepare(self) -> None:
        """Make the topics; they are left on the broker, for whoever wants to look."""
        await super().prepare()
        from aiokafka.admin import AIOKafkaAdminClient, NewTopic

        admin = AIOKafkaAdminClient(bootstrap_servers=self.broker)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, 1, 1) for name in (f"{self.name}.files", f"{self.name}.results")])
        finally:
            await admin.close()

    def _files(self) -> Bus:
        from rapid.app.results import kafka_bus

        return kafka_bus(self._kafka, f"{self.name}.files")

    def _announcer(self) -> FileAnnouncer:
        from rapid.announce.files import store_announcer

        return store_announcer(BUCKET.removeprefix("s3://"))

    @property
    def _kafka(self) -> KafkaSettings:
        files = f"{self.name}.files"
        return KafkaSettings(
            servers=(self.broker,), topics=(files,), group=self.name, start="earliest", announced=BUCKET
        )


class _DemoMqtt(DemoBus):
    def _sections(self) -> dict[str, object]:
        return {
            "mqtt": self._mqtt,
            "results": ResultsSettings(mqtt=ResultsMqttSettings(server=self.broker, root=self.name), start="earliest"),
        }

    def _files(self) -> Bus:
        from rapid.app.results import mqtt_bus

        return mqtt_bus(self._mqtt, self.name, service=None)

    def _announcer(self) -> FileAnnouncer:
        from rapid.announce.files import contract_announcer

        return contract_announcer(BUCKET)

    @property
    def _mqtt(self) -> MqttSettings:
        return MqttSettings(server=self.broker, root=self.name, identifier=self.name, announced=BUCKET)
