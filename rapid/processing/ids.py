"""Numbers that name an exposure, and back.

An ``exposure_id`` is day_obs followed by five digits of seq_num. Who ran the camera is folded into the year: 1000 years
are added for each step of the controller in ``OCHPQS``, until the dates from which a controller shares its count of
sequence numbers with the first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from rapid.errors import BadHeader

__all__ = [
    "CONTROLLERS",
    "SIMULATED_CONTROLLERS",
    "ExposureName",
    "detector_exposure_id",
    "exposure_id",
    "parse_obs_id",
    "unpack_exposure_id",
]

CONTROLLERS: Final = "OCHPQS"
"""OCS, CCS, pHosim, simulated OCS (P), simulated CCS (Q), simulated images (S)."""

SIMULATED_CONTROLLERS: Final = "HPQS"

_SHARED_AFTER: Final = {"C": 20231004, "P": 20250417, "Q": 20250417, "S": 20250417}
"""Last day_obs on which a controller still had its own count."""

_YEARS: Final = 10_000_000
_SEQ_LIMIT: Final = 100_000
_EPOCH: Final = date(2010, 1, 1).toordinal()
_OBS_ID: Final = re.compile(r"(?P<camera>[A-Z]{2})_(?P<controller>[A-Z])_(?P<day_obs>\d{8})_(?P<seq_num>\d{6})")


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


def exposure_id(day_obs: int, seq_num: int, controller: str = "O") -> int:
    """Make the number of an exposure.

    Raises
    ------
    BadHeader
        If one of them cannot be: not a day, more than five digits, an unknown controller.
    """
    _check(day_obs, seq_num, controller)
    step = 0 if day_obs > _SHARED_AFTER.get(controller, 99999999) else CONTROLLERS.index(controller)
    return (day_obs + _YEARS * step) * _SEQ_LIMIT + seq_num


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
    """Make the number of one detector's part of an exposure."""
    day_obs, seq_num, controller = unpack_exposure_id(number)
    days = _date(day_obs).toordinal() - _EPOCH + 16384 * CONTROLLERS.index(controller)
    return detector + 256 * (seq_num + 32768 * days)


def _check(day_obs: int, seq_num: int, controller: str) -> None:
    _date(day_obs)
    if not 0 <= seq_num < _SEQ_LIMIT:
        raise BadHeader("impossible seq_num", expected=f"0 to {_SEQ_LIMIT - 1}", found=str(seq_num))
    if controller not in CONTROLLERS or len(controller) != 1:
        raise BadHeader("unknown controller", expected=f"one of {CONTROLLERS}", found=repr(controller))


def _date(day_obs: int) -> date:
    try:
        return date(day_obs // 10_000, day_obs // 100 % 100, day_obs % 100)
    except ValueError as error:
        raise BadHeader("impossible day_obs", expected="YYYYMMDD", found=str(day_obs)) from error
