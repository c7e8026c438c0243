"""What is read, and where we tell how we are. Knows no library.

Source of the rules for names and filters: MQTT Version 5.0 (OASIS, 2019), section 4.7.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from rapid.errors import ConfigError

__all__ = ["Subscription", "contract_filters"]

_LONGEST = 65_535
"""Bytes of UTF-8 that a topic may have."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is read, in which session.

    Attributes
    ----------
    filters
        Of topics, with ``+`` for any one level and ``#`` for all further ones.
    identifier
        The name of our session, for which the broker keeps what comes while we are away. Two services with one identifier
        throw one another out.
    status_topic
        Where it is told that we are there, retained, and where the broker tells when we were lost; None tells nobody.
    session
        How long the broker keeps the session of who is away, at least a second; over 3.1.1 the broker decides that alone.
    receive_maximum
        Most messages that the broker may send ahead of our acknowledgements; over 3.1.1 the broker decides.
    """

    filters: tuple[str, ...]
    identifier: str = "rapid"
    status_topic: str | None = None
    session: timedelta = timedelta(days=7)
    receive_maximum: int = 1000

    def __post_init__(self) -> None:
        if not self.filters:
            raise ConfigError("MQTT: no topics to read")
        for each in self.filters:
            _check_filter(each)
        if not self.identifier:
            raise ConfigError("MQTT: a session that is kept needs an identifier")
        if self.status_topic is not None:
            _check_name(self.status_topic)
        if self.session < timedelta(seconds=1):
            raise ConfigError(f"MQTT: a session is kept for whole seconds: expected 1 s or more, found {self.session}")
        if not 1 <= self.receive_maximum <= 65_535:
            raise ConfigError(f"MQTT: receive maximum: expected 1 to 65535, found {self.receive_maximum}")


def contract_filters(root: str) -> tuple[str, ...]:
    """Return what reads all files and exposures that are announced below a root by our own contract.

    Raises
    ------
    ConfigError
        If the root may not be part of a topic.
    """
    _check_name(root)
    return f"{root}/+/file/+/+", f"{root}/+/exposure/+/+", f"{root}/+/exposure/latest"


def _check_name(topic: str) -> None:
    levels = topic.split("/")
    if "" in levels or any(sign in topic for sign in "+#\0") or topic.startswith("$") or _too_long(topic):
        raise ConfigError(f"MQTT: {topic!r} is no topic; expected levels that are not empty, without + # and NUL")


def _check_filter(wanted: str) -> None:
    *parents, last = wanted.split("/")
    whole = all(level == "+" or "+" not in level for level in (*parents, last))
    ends = "#" not in "".join(parents) and (last == "#" or "#" not in last)
    if not wanted or not whole or not ends or "\0" in wanted or _too_long(wanted):
        raise ConfigError(f"MQTT: {wanted!r} is no filter of topics; expected + as a whole level, # as the last one")


def _too_long(topic: str) -> bool:
    return len(topic.encode()) > _LONGEST
