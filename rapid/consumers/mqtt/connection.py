"""How an MQTT broker is reached."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from rapid.errors import ConfigError

__all__ = ["Connection", "Version"]

Version = Literal["5", "3.1.1"]


@dataclass(frozen=True, slots=True)
class Connection:
    """How a broker is reached.

    Attributes
    ----------
    server
        Its ``host:port``.
    version
        Of the protocol.
    tls
        Whether to speak TLS, and to nobody whose certificate is not good.
    username, password
        How we say who we are.
    ca_file
        The certificates that are trusted, PEM; those of the system unless given.
    certificate_file, key_file
        Our own certificate, PEM, where the broker asks for one.
    """

    server: str
    version: Version = "5"
    tls: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def __post_init__(self) -> None:
        try:
            good = bool(self.host.encode("idna")) and 1 <= self.port <= 65_535
        except ValueError:
            good = False
        if not good:
            raise ConfigError(f"MQTT: expected host:port of a broker, found {self.server!r}")

    @property
    def host(self) -> str:
        """The name or address of the broker."""
        return self.server.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server.rpartition(":")[2])

    def tls_context(self) -> ssl.SSLContext | None:
        """Return how TLS is spoken; None without it.

        Raises
        ------
        ConfigError
            If a certificate cannot be read.
        """
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            context.sslsocket_class = _TidySocket
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except OSError as error:  # ssl.SSLError is one
            files = ", ".join(str(file) for file in (self.ca_file, self.certificate_file, self.key_file) if file)
            raise ConfigError(f"the certificates of MQTT cannot be read from {files}: {error}") from error
        return context


class _TidySocket(ssl.SSLSocket):
    """Is closed when the handshake fails: paho forgets to, and keeps trying."""

    def do_handshake(self, block: bool = False) -> None:  # the signature is the library's
        """Shake hands, as the class does."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise
