"""Numbers that name an exposure, and back.

An ``exposure_id`` is day_obs followed by five digits of seq_num. Who ran the camera is folded into the year: 1000 years
are added for each step of the controller in ``OCHPQS``, until the dates from which a controller shares its count of
sequence numbers with the first. A ``detector_exposure_id`` packs day, controller, seq_num and detector into bits, and a
``visit_id`` is the time in the name of the exposure's group. All are those of the observatory's own archive.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import blake2b
from typing import Final

from rapid.errors import BadHeader

__all__ = [
    "CONTROLLERS",
    "SIMULATED_CONTROLLERS",
    "ExposureName",
    "detector_exposure_id",
    "exposure_id",
    "parse_obs_id",
    "unpack_detector_exposure_id",
    "unpack_exposure_id",
    "unpack_visit_id",
    "visit_id",
]

CONTROLLERS: Final = "OCHPQS"
"""OCS, CCS, pHosim, simulated OCS (P), simulated CCS (Q), simulated images (S)."""

SIMULATED_CONTROLLERS: Final = "HPQS"

_SHARED_AFTER: Final = {"C": 20231004, "P": 20250417, "Q": 20250417, "S": 20250417}
"""Last day_obs on which a controller still had its own count."""

_YEARS: Final = 10_000_000
_SEQ_LIMIT: Final = 100_000
_DAY_TEXT: Final = re.compile(r"(\d{4})(-?)(\d\d)\2(\d\d)(T.*)?", re.ASCII)
_EPOCH: Final = date(2010, 1, 1).toordinal()
_DETECTORS: Final = 256
_PACKED_SEQ_LIMIT: Final = 32_768
_PACKED_DAYS: Final = 16_384
_GROUP: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{3})(?:[+#](\d{1,9}))?", re.ASCII)
_GROUP_EPOCH: Final = datetime(2015, 1, 1)  # noqa: DTZ001 - TAI has no zone
_LARGEST_ID: Final = 2**63 - 1
_ID_DIGITS: Final = 19
_DATED_VISITS: Final = range(10**14, 10**17)
"""Visits named by a time: from 2018-03 to the year 2331; numbers of exposures are below, hashes nearly all above."""

_OBS_ID: Final = re.compile(
    r"(?P<camera>[A-Z]{2})_(?P<controller>[A-Z])_(?P<day_obs>\d{8})_(?P<seq_num>\d{6})", re.ASCII
)


@dataclass(frozen=True, slots=True)
class ExposureName:
    """The parts of an obs_id, as ``AT_O_20260315_000051``."""

    obs_id: str
    camera: str
    controller: str
    day_obs: int
    seq_num: int


def parse_obs_id(text: str) -> ExposureName | None:
    """Find the first obs_id in a text, such as the name of a file; None when there is none."""
    match = _OBS_ID.search(text)
    if match is None:
        return None
    return ExposureName(match[0], match["camera"], match["controller"], int(match["day_obs"]), int(match["seq_num"]))


def exposure_id(day_obs: int | str, seq_num: int | str, controller: str | None = "O") -> int:
    """Make the number of an exposure.

    Parameters
    ----------
    day_obs
        20260315, or the same as text, with dashes or without; a time behind it does not count.
    seq_num
        0 to 99999, also as text.
    controller
        One letter of `CONTROLLERS`; None, as on a test stand, counts as ``O``.

    Raises
    ------
    BadHeader
        If one of them cannot be: not a day, more than five digits, an unknown controller.
    """
    day, number, letter = _day_of(day_obs), _seq_of(seq_num), "O" if controller is None else controller
    _check(day, number, letter)
    step = 0 if day > _SHARED_AFTER.get(letter, 99999999) else CONTROLLERS.index(letter)
    return (day + _YEARS * step) * _SEQ_LIMIT + number


def unpack_exposure_id(number: int) -> tuple[int, int, str]:
    """Take an exposure number apart into day_obs, seq_num and controller.

    A controller that shares the count of the OCS comes back as ``O``.

    Raises
    ------
    BadHeader
        If no exposure can have this number.
    """
    day, seq_num = divmod(number, _SEQ_LIMIT)
    step = day // _YEARS - 2
    if not 0 <= step < len(CONTROLLERS):
        raise BadHeader("not the number of an exposure", expected="13 digits, the first 2 to 7", found=str(number))
    day_obs, controller = day - step * _YEARS, CONTROLLERS[step]
    _check(day_obs, seq_num, controller)
    return day_obs, seq_num, controller


def detector_exposure_id(number: int, detector: int) -> int:
    """Make the number of one detector's part of an exposure.

    Raises
    ------
    BadHeader
        If it does not fit: a detector beyond 255, a seq_num beyond 32767, a day outside 2010-01-01 to 2054-11-09; or
        if `number` is no exposure's.
    """
    day_obs, seq_num, controller = unpack_exposure_id(number)
    days = _date(day_obs).toordinal() - _EPOCH
    _check_range("detector", detector, _DETECTORS)
    _check_range("seq_num for a detector's number", seq_num, _PACKED_SEQ_LIMIT)
    _check_range("number of days since 2010-01-01", days, _PACKED_DAYS)
    return detector + _DETECTORS * (seq_num + _PACKED_SEQ_LIMIT * (days + _PACKED_DAYS * CONTROLLERS.index(controller)))


def unpack_detector_exposure_id(number: int) -> tuple[int, int]:
    """Take the number of one detector's part of an exposure apart into exposure_id and detector.

    Raises
    ------
    BadHeader
        If no detector's part of an exposure can have this number.
    """
    rest, detector = divmod(number, _DETECTORS)
    rest, seq_num = divmod(rest, _PACKED_SEQ_LIMIT)
    step, days = divmod(rest, _PACKED_DAYS)
    if not 0 <= step < len(CONTROLLERS):
        raise BadHeader(
            "not the number of one detector's part of an exposure",
            expected=f"0 to {len(CONTROLLERS) * _PACKED_DAYS * _PACKED_SEQ_LIMIT * _DETECTORS - 1}",
            found=str(number),
        )
    day = date.fromordinal(days + _EPOCH)
    day_obs = day.year * 10_000 + day.month * 100 + day.day
    return (day_obs + _YEARS * step) * _SEQ_LIMIT + seq_num, detector


def visit_id(group: str) -> int:
    """Make the number of the visit that the exposures of a group are.

    A group named by a time, ``2024-06-25T01:26:31.895#1``, gives the seconds since 2015, the milliseconds and four digits
    of what stands behind; a group that is a number is that number; any other name is hashed.

    Raises
    ------
    BadHeader
        If the name is not ASCII, which no header can hold.
    """
    if not group.isascii():
        raise BadHeader("the name of a group cannot be used", expected="ASCII", found=repr(group))
    if group.strip().isdecimal() and len(group) <= _ID_DIGITS and int(group) <= _LARGEST_ID:
        return int(group)
    dated = _dated_visit(group)
    if dated is not None:
        return dated
    digest = int(blake2b(group.encode("ascii")).hexdigest()[:14], base=16)
    return int(f"{digest}{len(group) % 100:02d}")


def unpack_visit_id(number: int) -> str:
    """Return the name of the group that a visit is; ``#`` stands before its count.

    Raises
    ------
    BadHeader
        If the number is a hash, or no visit's at all.
    """
    number = operator.index(number)  # an integer of numpy would be looked for among all visits one by one
    if number in _DATED_VISITS:
        seconds, rest = divmod(number, 10_000_000)
        milliseconds, count = divmod(rest, 10_000)
        name = f"{(_GROUP_EPOCH + timedelta(seconds=seconds)).isoformat()}.{milliseconds:03d}"
        return f"{name}#{count}" if count else name
    if number < _DATED_VISITS.start:
        unpack_exposure_id(number)
        return str(number)
    raise BadHeader(
        "the group cannot be told from this visit", expected="a visit named by a time or a number", found=str(number)
    )


def _dated_visit(group: str) -> int | None:
    match = _GROUP.fullmatch(group)
    if match is None:
        return None
    try:
        seconds = int((datetime.fromisoformat(match[1]) - _GROUP_EPOCH).total_seconds())
    except ValueError:
        return None
    number = int(f"{seconds}{match[2]}{int(match[3] or 0):04d}")
    return number if abs(number) <= _LARGEST_ID else None


def _day_of(day_obs: int | str) -> int:
    if isinstance(day_obs, int):
        return day_obs
    match = _DAY_TEXT.fullmatch(day_obs)
    if match is None:
        raise BadHeader("impossible day_obs", expected="YYYYMMDD or YYYY-MM-DD", found=repr(day_obs))
    return int(match[1] + match[3] + match[4])


def _seq_of(seq_num: int | str) -> int:
    if isinstance(seq_num, int):
        return seq_num
    if not (seq_num.isascii() and seq_num.isdecimal()) or len(seq_num) > 20:
        raise BadHeader("impossible seq_num", expected=f"0 to {_SEQ_LIMIT - 1}", found=repr(seq_num[:40]))
    return int(seq_num)


def _check(day_obs: int, seq_num: int, controller: str) -> None:
    _date(day_obs)
    _check_range("seq_num", seq_num, _SEQ_LIMIT)
    if controller not in CONTROLLERS or len(controller) != 1:
        raise BadHeader("unknown controller", expected=f"one of {CONTROLLERS}", found=repr(controller))


def _check_range(what: str, value: int, limit: int) -> None:
    if not 0 <= value < limit:
        raise BadHeader(f"impossible {what}", expected=f"0 to {limit - 1}", found=str(value))


def _date(day_obs: int) -> date:
    try:
        return date(day_obs // 10_000, day_obs // 100 % 100, day_obs % 100)
    except (ValueError, OverflowError) as error:
        raise BadHeader("impossible day_obs", expected="YYYYMMDD", found=str(day_obs)) from error
