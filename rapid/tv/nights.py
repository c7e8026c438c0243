"""Which night it is: that of the newest exposure that can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from rapid.ports import JsonValue

__all__ = ["with_current"]

Night = Mapping[str, JsonValue]


def with_current(nights: Sequence[Night], now: datetime | None = None) -> list[dict[str, JsonValue]]:
    """Mark the current night of each camera: ``current`` is true for one of them.

    A name says of which day a file is, whatever is in it. So a night in which nothing was measured, or one that has not
    begun, is current only where there is no other: a broken file must not take the page away from the night that goes on.

    Parameters
    ----------
    nights
        As `rapid.ports.Ledger.nights` lists them, newest first.
    now
        The time, UTC; tests have their own.
    """
    tomorrow = int(((now or datetime.now(UTC)) + timedelta(hours=12)).strftime("%Y%m%d"))
    best: dict[JsonValue, Night] = {}
    for night in nights:
        camera = night["camera"]
        if camera not in best or _belief(night, tomorrow) > _belief(best[camera], tomorrow):
            best[camera] = night
    return [{**night, "current": best[night["camera"]] is night} for night in nights]


def _belief(night: Night, tomorrow: int) -> int:
    """How far a night can be believed; of equals the newer one, which comes first, stays."""
    measured, begun = bool(night["done"]), int(str(night["day_obs"])) <= tomorrow
    return 2 * measured + begun
