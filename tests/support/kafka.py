"""A real Kafka broker on free ports of the loopback, in a directory of its own, killed and started as a test wants."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path
from re import search
from uuid import uuid4

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.helpers import create_ssl_context

from tests.support.certificates import Authority

__all__ = ["PASSWORD", "USER", "KafkaServer", "find_kafka", "kafka_server"]

_POM = Path(__file__).resolve().parent.parent / "system" / "kafka" / "pom.xml"

START = 90.0
"""Longest a start may take [s]; it takes three on an idle machine."""

USER = "rapid"
PASSWORD = "of-rapid !"

_COMMON = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listener}://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners={listener}://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name={listener}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,{listener}:{listener}
log.dirs={place}/log
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=200
broker.session.timeout.ms=1000
auto.create.topics.enable=false
num.partitions=1
"""

_SCRAM = """
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={jaas}
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={jaas}
ssl.keystore.type=PEM
ssl.keystore.location={place}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={place}/ca.pem
"""

_JAAS = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="broker" password="of-the-broker";'


def find_kafka() -> Path | None:
    """Return the directory of jars that tools/fetch-kafka fetched, if there is one and Java to run them."""
    version = search(r"<kafka\.version>(.+?)</", _POM.read_text())
    assert version
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    named = os.environ.get("RAPID_KAFKA_JARS")
    place = Path(named) if named else cache / "rapid" / f"kafka-{version[1]}"
    return place if place.is_dir() and shutil.which("java") else None


@contextmanager
def kafka_server(jars: Path, *, secure: bool = False) -> Iterator[KafkaServer]:
    """Run a broker, plain or with SCRAM over TLS; it and its directory are gone when the block ends."""
    place = Path(tempfile.mkdtemp(prefix="rapid-kafka-"))
    server = KafkaServer(jars, place, secure=secure)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(place)


class KafkaServer:
    """One broker that is its own controller."""

    def __init__(self, jars: Path, place: Path, *, secure: bool) -> None:
        self._jars, self.place, self.secure = jars, place, secure
        self.port, self._controller = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The certificate that signed the broker's."""
        return self.place / "ca.pem"

    def create(self) -> None:
        """Make the directory: settings, certificates, users."""
        listener = "SASL_SSL" if self.secure else "PLAINTEXT"
        text = _COMMON.format(listener=listener, port=self.port, controller=self._controller, place=self.place)
        scram: list[str] = []
        if self.secure:
            authority = Authority()
            self.ca_file.write_bytes(authority.certificate)
            (self.place / "server.pem").write_bytes(authority.issue("127.0.0.1"))
            text += _SCRAM.format(place=self.place, jaas=_JAAS)
            for name, password in ((USER, PASSWORD), ("broker", "of-the-broker")):
                for mechanism in ("SCRAM-SHA-512", "SCRAM-SHA-256"):
                    scram += ["--add-scram", f"{mechanism}=[name={name},password={password}]"]
        (self.place / "server.properties").write_text(text)
        self._java("kafka.tools.StorageTool", "format", "-t", _random_id(), "-c", self._settings, *scram).wait(START)

    def start(self) -> None:
        """Start the broker and wait until it answers."""
        self._process = self._java("kafka.Kafka", self._settings)
        deadline = time.monotonic() + START
        while not self._listening():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"Kafka did not come up:\n{(self.place / 'output').read_text()[-4000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait(30)

    @property
    def client(self) -> dict[str, object]:
        """What a client that is not ours needs to be let in."""
        if not self.secure:
            return {"bootstrap_servers": self.address}
        return {
            "bootstrap_servers": self.address,
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": USER,
            "sasl_plain_password": PASSWORD,
            "ssl_context": create_ssl_context(cafile=str(self.ca_file)),
        }

    async def topic(self, partitions: int = 1, *, name: str | None = None, **settings: str) -> str:
        """Make a topic and return its name, a new one unless given."""
        name = name or f"lsst.s3.{uuid4().hex[:12]}"
        admin = AIOKafkaAdminClient(**self.client)
        await admin.start()
        try:
            made = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
            assert all(not error[1] for error in made.topic_errors), made
        finally:
            await admin.close()
        return name

    async def grow(self, topic: str, partitions: int) -> None:
        """Give a topic more partitions."""
        admin = AIOKafkaAdminClient(**self.client)
        await admin.start()
        try:
            await admin.create_partitions({topic: NewPartitions(partitions)})
        finally:
            await admin.close()

    async def throw_away(self, topic: str, *, before: int) -> None:
        """Remove the messages of the first partition before an offset, as the end of their retention does."""
        admin = AIOKafkaAdminClient(**self.client)
        await admin.start()
        try:
            await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before)})
        finally:
            await admin.close()

    async def drop(self, topic: str) -> None:
        """Remove a topic with everything in it."""
        admin = AIOKafkaAdminClient(**self.client)
        await admin.start()
        try:
            await admin.delete_topics([topic])
        finally:
            await admin.close()

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[AIOKafkaProducer]:
        """Be connected as somebody who publishes, and survive the broker."""
        producer = AIOKafkaProducer(acks="all", enable_idempotence=True, linger_ms=5, **self.client)
        try:
            await producer.start()
            yield producer
        finally:
            await producer.stop()

    async def send(self, topic: str, values: Sequence[bytes], *, partition: int | None = None) -> None:
        """Publish, and return when the broker has all of it."""
        async with self.publishing() as producer:
            sent = [await producer.send(topic, value, partition=partition) for value in values]
            await asyncio.gather(*sent)

    @property
    def _settings(self) -> Path:
        return self.place / "server.properties"

    def _java(self, *words: str | Path) -> subprocess.Popen[bytes]:
        tuned = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")  # a start costs two seconds less
        with ExitStack() as stack:
            output = stack.enter_context((self.place / "output").open("ab"))
            command = ["java", *tuned, "-cp", f"{self._jars}/*", *map(str, words)]
            return subprocess.Popen(command, stdout=output, stderr=output, cwd=self.place, start_new_session=True)

    def _listening(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _random_id() -> str:
    return "cmFwaWQtdGVzdHMtMTIzNA"  # 16 bytes in base 64: a cluster of one needs no other than its neighbours'


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        probes = [stack.enter_context(closing(socket.socket())) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
