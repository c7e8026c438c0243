"""A real MQTT broker on a free port of the loopback, in a directory of its own, stopped, killed and started as a test wants."""

from __future__ import annotations

import asyncio
import getpass
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiomqtt

from rapid.consumers.decoders import Decoder
from rapid.consumers.mqtt import Connection, MqttSource, Subscription
from tests.support.certificates import Authority

__all__ = ["PASSWORD", "USER", "Mosquitto", "Told", "find_mosquitto", "mosquitto_server", "new_root"]

START = 30.0
"""Longest a start may take [s]; it takes a hundredth of one."""
AT_ONCE = 200
"""Messages that are published ahead of the broker's acknowledgements."""

USER = "rapid"
PASSWORD = "of-rapid !"

_SETTINGS = """
listener {port} 127.0.0.1
allow_anonymous {anonymous}
user {user}
persistence true
persistence_location {place}/
autosave_on_changes true
autosave_interval {changes}
max_queued_messages 0
max_inflight_messages 0
set_tcp_nodelay true
log_dest file {place}/log
log_type all
"""

_MUTUAL = """
require_certificate true
cafile {place}/ca.pem
"""

_SECURE = """
password_file {place}/passwords
certfile {place}/server.pem
keyfile {place}/server.pem
"""


def find_mosquitto() -> Path | None:
    """Return the broker's program, which Debian keeps where only root looks."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    return None if found is None else Path(found)


@contextmanager
def mosquitto_server(
    program: Path, *, secure: bool = False, mutual: bool = False, changes: int = 1_000_000
) -> Iterator[Mosquitto]:
    """Run a broker, plain or with a password over TLS, mutual or not; it and its directory are gone when the block ends.

    It writes down what it keeps after so many changes, and when it is stopped.
    """
    place = Path(tempfile.mkdtemp(prefix="rapid-mosquitto-"))
    server = Mosquitto(program, place, secure=secure, mutual=mutual, changes=changes)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(place)


@dataclass
class Told:
    """What a source said of its connection: an empty word when it was there."""

    words: list[str] = field(default_factory=list)

    def __call__(self, why: str) -> None:
        self.words.append(why)

    async def until(self, said: str, *, within: float = 30.0) -> None:
        """Wait until the last word is this one, or has it in it."""
        async with asyncio.timeout(within):
            while not (self.words and (said in self.words[-1] if said else not self.words[-1])):
                await asyncio.sleep(0.01)


class Mosquitto:
    """One broker."""

    def __init__(self, program: Path, place: Path, *, secure: bool, mutual: bool, changes: int) -> None:
        self._program, self.place, self.secure, self._changes = program, place, secure or mutual, changes
        self._mutual = mutual
        self.port = _free_port()
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
        """Make the directory: settings, certificate, user."""
        facts = {"port": self.port, "place": self.place, "user": getpass.getuser(), "changes": self._changes}
        text = _SETTINGS.format(anonymous=str(not self.secure).lower(), **facts)
        if self.secure:
            authority = Authority()
            self.ca_file.write_bytes(authority.certificate)
            (self.place / "server.pem").write_bytes(authority.issue("127.0.0.1"))
            passwords = self.place / "passwords"
            passwords.write_text(f"{USER}:{PASSWORD}\n")
            hasher = shutil.which("mosquitto_passwd", path="/usr/bin:/usr/local/bin")
            subprocess.run([hasher or "mosquitto_passwd", "-U", passwords], check=True, capture_output=True)
            text += (_SECURE + _MUTUAL * self._mutual).format(place=self.place)
        (self.place / "mosquitto.conf").write_text(text)

    def start(self) -> None:
        """Start the broker and wait until it answers."""
        command = [self._program, "-c", self.place / "mosquitto.conf"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + START
        while not self._listening():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"mosquitto did not come up:\n{self.log()[-4000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it as an administrator would: it writes down what it keeps."""
        assert self._process
        self._process.terminate()
        self._process.wait(30)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process:
            self._process.kill()
            self._process.wait(30)

    def forget(self) -> None:
        """Let it lose, while it is stopped, what it had written down."""
        (self.place / "mosquitto.db").unlink()

    def log(self) -> str:
        """Return what it says of itself."""
        with suppress(FileNotFoundError):
            return (self.place / "log").read_text()
        return ""

    def connection(self, **other: Any) -> Connection:
        """Say how it is reached."""
        known = {"tls": True, "username": USER, "password": PASSWORD, "ca_file": self.ca_file} if self.secure else {}
        return Connection(self.address, **known | other)

    def source(self, root: str, **other: Any) -> MqttSource:
        """Make a source of everything below a root, in a session named after it; it looks at its connection often."""
        subscribed = {"filters": (f"{root}/#",), "identifier": f"rapid-{root}"}
        for name in ("filters", "identifier", "status_topic", "session", "receive_maximum"):
            subscribed |= {name: other.pop(name)} if name in other else {}
        connected = {name: other.pop(name) for name in ("version", "certificate_file") if name in other}
        known = {"decode": Decoder("mqtt").decode, "inspection": timedelta(milliseconds=100)}
        return MqttSource(self.connection(**connected), Subscription(**subscribed), **known | other)

    @asynccontextmanager
    async def client(self, **other: Any) -> AsyncIterator[aiomqtt.Client]:
        """Be connected as somebody else; a second identifier of the library's making each time."""
        if self.secure:
            context = self.connection().tls_context()
            other = {"username": USER, "password": PASSWORD, "tls_context": context} | other
        at_once = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        async with aiomqtt.Client("127.0.0.1", self.port, socket_options=at_once, **other) as client:
            client.pending_calls_threshold = 2 * AT_ONCE
            yield client

    async def send(self, topic: str, values: Sequence[bytes], *, qos: int = 1, retain: bool = False) -> None:
        """Publish, and return when the broker has all of it."""
        await self.publish([(topic, value) for value in values], qos=qos, retain=retain)

    async def publish(self, messages: Sequence[tuple[str, bytes]], *, qos: int = 1, retain: bool = False) -> None:
        """Publish to several topics, in order."""
        async with self.client(max_inflight_messages=AT_ONCE) as client:
            for start in range(0, len(messages), AT_ONCE):
                step = messages[start : start + AT_ONCE]
                await asyncio.gather(*[client.publish(topic, value, qos, retain=retain) for topic, value in step])

    def _listening(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def new_root() -> str:
    """Make up a root that no other test has."""
    return f"summit-{uuid4().hex[:12]}"


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
