"""How a Kafka cluster is reached, and why it cannot be."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from rapid.errors import AccessDenied, ConfigError, NotAvailable

__all__ = ["Connection", "Mechanism", "Security", "knock"]

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

PATIENCE = timedelta(seconds=5)
"""How long a broker may take to let somebody in: it takes milliseconds, and 0.1 s to refuse a password."""

_REFUSALS = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)


@dataclass(frozen=True, slots=True)
class Connection:
    """How a cluster is reached.

    Attributes
    ----------
    servers
        ``host:port`` of some brokers; they name the others.
    security
        The protocol of their listener.
    mechanism, username, password
        How we say who we are, where the protocol is one with SASL.
    ca_file
        The certificates that are trusted, PEM; those of the system unless given.
    certificate_file, key_file
        Our own certificate, PEM, where brokers ask for one.
    """

    servers: tuple[str, ...]
    security: Security = "PLAINTEXT"
    mechanism: Mechanism = "SCRAM-SHA-512"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def __post_init__(self) -> None:
        if bad := [server for server in self.servers if not _is_address(server)]:
            raise ConfigError(f"Kafka: expected host:port of brokers, found {', '.join(map(repr, bad))}")

    def arguments(self) -> dict[str, Any]:
        """Return what every client of aiokafka takes.

        Raises
        ------
        ConfigError
            If a certificate cannot be read.
        """
        return {"bootstrap_servers": list(self.servers), **self.security_arguments()}

    def security_arguments(self) -> dict[str, Any]:
        """Return how a connection is made, without where to.

        Raises
        ------
        ConfigError
            If a certificate cannot be read.
        """
        arguments: dict[str, Any] = {"security_protocol": self.security}
        if "SASL" in self.security:
            arguments |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        if "SSL" in self.security:
            arguments["ssl_context"] = self._tls()
        return arguments

    def _tls(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.certificate_file is not None:
                context.load_cert_chain(self.certificate_file, self.key_file)
        except OSError as error:  # ssl.SSLError is one
            files = ", ".join(str(file) for file in (self.ca_file, self.certificate_file, self.key_file) if file)
            raise ConfigError(f"the certificates of Kafka cannot be read from {files}: {error}") from error
        return context


def _is_address(server: str) -> bool:
    """Tell whether this is the name or address of a host, and a port of it."""
    host, _, port = server.rpartition(":")
    try:
        return bool(host.strip("[]").encode("idna")) and 1 <= int(port) <= 65_535
    except ValueError:  # of idna too: an empty label, one that is too long
        return False


async def knock(connection: Connection) -> None:
    """Be let in by one of the brokers, and leave again.

    A client of aiokafka only says that it could not connect; this says why.

    Raises
    ------
    AccessDenied
        If a broker answers, and either does not take our name and password or is not one that we trust.
    NotAvailable
        If none answers.
    ConfigError
        If a certificate cannot be read.
    """
    answers = await asyncio.gather(*(_answer(server, connection) for server in connection.servers))
    if None in answers:
        return
    if refused := [str(answer) for answer in answers if isinstance(answer, AccessDenied)]:
        raise AccessDenied("; ".join(refused))
    raise NotAvailable("; ".join(map(str, answers)))


async def _answer(server: str, connection: Connection) -> AccessDenied | NotAvailable | None:
    try:
        await _enter(server, connection)
    except (AccessDenied, NotAvailable) as error:
        return error
    return None


async def _enter(server: str, connection: Connection) -> None:
    host, _, port = server.rpartition(":")
    try:
        async with asyncio.timeout(PATIENCE.total_seconds()):
            entered = await create_conn(host.strip("[]"), int(port), **connection.security_arguments())
    except _REFUSALS as error:
        who = f"{connection.username!r} by {connection.mechanism}"
        raise AccessDenied(f"Kafka at {server} does not let us in as {who}: {error}") from error
    except ssl.SSLError as error:
        raise AccessDenied(f"Kafka at {server} and we do not agree on TLS: {error}") from error
    except TimeoutError as error:
        msg = f"Kafka at {server} does not answer within {PATIENCE.total_seconds():.0f} s"
        raise NotAvailable(msg) from error
    except (OSError, KafkaError) as error:
        raise NotAvailable(f"Kafka at {server} is away: {error}") from error
    entered.close()
