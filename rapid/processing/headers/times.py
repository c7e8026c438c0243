"""Times of a header, TAI, and days of an observatory or a laboratory."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from rapid.errors import BadHeader
from rapid.processing.headers.cards import Cards, number, word

__all__ = ["begin_of", "isot", "moment", "pacific_offset"]

_MJD_ZERO: Final = datetime(1858, 11, 17)  # noqa: DTZ001 - TAI has no zone
_YEARS: Final = range(1858, 3000)
_LAST_MJD: Final = 400_000
"""The dates believed: impossible ones must not overflow anybody's calendar."""

_TAI_MINUS_UTC: Final = timedelta(seconds=37)
"""Since 2017; the cameras' first exposures are of 2018."""

_NAMES: Final = ("BEG", "OBS")


def begin_of(cards: Cards, name: str) -> datetime:
    """Say when the exposure began, or the guider began to take stamps.

    Raises
    ------
    BadHeader
        If no card says it, or an MJD is no date.
    """
    for stem in _NAMES:
        days = number(cards, f"MJD-{stem}")
        if days is not None:
            return _from_mjd(days, f"MJD-{stem}", name)
        found = moment(cards, f"DATE-{stem}")
        if found is not None:
            return found
    started = moment(cards, "GDSSTART")
    if started is not None:
        return started
    shown = [f"{card} = {cards[card]!r}" for card in ("DATE-BEG", "DATE-OBS") if cards.get(card) is not None]
    raise BadHeader(
        "the header does not say when the exposure began",
        subject=name,
        expected="MJD-BEG, DATE-BEG, MJD-OBS or DATE-OBS",
        found=", ".join(shown) or "none of them",
    )


def moment(cards: Cards, card: str) -> datetime | None:
    """Read a date; one with a zone is none, since TAI has none and nobody knows what was meant."""
    try:
        found = datetime.fromisoformat(word(cards, card) or "")
    except ValueError:
        return None
    return found if found.tzinfo is None and found.year in _YEARS else None


def isot(when: datetime) -> str:
    """Write a time to the nearest millisecond."""
    return (when + timedelta(microseconds=500)).isoformat(timespec="milliseconds")


def pacific_offset(begin: datetime) -> float:
    """Return how far US Pacific time is behind UTC [s] at a TAI time, by the rule in force since 2007.

    Own rule, because a machine need not have a database of time zones, and this one only speaks of the laboratory years.
    """
    utc = (begin - _TAI_MINUS_UTC).replace(tzinfo=UTC)
    summer_begins = datetime.combine(_sunday(utc.year, 3, 2), datetime.min.time(), UTC) + timedelta(hours=10)
    summer_ends = datetime.combine(_sunday(utc.year, 11, 1), datetime.min.time(), UTC) + timedelta(hours=9)
    return 25_200.0 if summer_begins <= utc < summer_ends else 28_800.0


def _sunday(year: int, month: int, nth: int) -> date:
    begin = date(year, month, 1)
    return begin + timedelta(days=(6 - begin.weekday()) % 7 + 7 * (nth - 1))


def _from_mjd(days: float, card: str, name: str) -> datetime:
    if not 0 <= days <= _LAST_MJD:
        raise BadHeader(f"the card {card} cannot be used", subject=name, expected="a date", found=repr(days))
    return _MJD_ZERO + timedelta(days=days)
