"""Times as headers write them."""

from __future__ import annotations

from datetime import datetime

__all__ = ["isot", "mjd"]

_MJD_ZERO = datetime(1858, 11, 17)  # noqa: DTZ001 - TAI has no zone


def isot(when: datetime) -> str:
    """Write a time as ``2026-03-15T22:50:34.110``."""
    return when.isoformat(timespec="milliseconds")


def mjd(when: datetime) -> float:
    """Return a time as a modified Julian date."""
    since = when - _MJD_ZERO
    return since.days + (since.seconds + since.microseconds * 1e-6) / 86400.0
