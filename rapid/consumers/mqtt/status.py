"""What we say of ourselves on the bus, and what the broker says of us when we cannot."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from functools import cache
from typing import Literal

from rapid import __version__
from rapid.consumers.decoders.contract import ServiceStatusMessage

__all__ = ["SCHEMA", "status_message"]

SCHEMA = "service.status/1"


def status_message(state: Literal["online", "offline", "lost"]) -> bytes:
    """Write a status of this process; what the broker says when we are lost is nothing but that."""
    fields: dict[str, object] = {"schema": SCHEMA, "state": state}
    if state != "lost":
        fields |= {"host": socket.gethostname(), "pid": os.getpid(), "since_utc": _since(), "version": __version__}
    message = ServiceStatusMessage.model_validate(fields)
    return message.model_dump_json(by_alias=True, exclude_unset=True).encode()


@cache
def _since() -> str:
    """Return when this process first said that it is there."""
    return datetime.now(UTC).isoformat()
