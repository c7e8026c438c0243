"""The stamps of a guider: many small pictures of one star within an exposure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.errors import BadLayout
from rapid.processing.geometry import Box, Detector
from rapid.processing.hdus import Hdu

__all__ = ["GuiderRegion", "GuiderStamps", "region_of", "times_of"]

_SEGMENT: Final = re.compile(r"Segment([01][0-7])")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class GuiderRegion:
    """The part of one amplifier that a guider reads again and again.

    Attributes
    ----------
    amplifier
        ``C03``.
    column, row
        First one read, counted from the first imaging pixel (prescan columns left out), in the order of reading; None where
        the header does not say, as in 2023.
    width, height
        Columns and rows.
    """

    amplifier: str
    column: int | None
    row: int | None
    width: int
    height: int

    def box(self, detector: Detector) -> Box | None:
        """Return where the region is on the assembled detector; None when its place is not known.

        Raises
        ------
        BadLayout
            If it does not lie on that detector.
        """
        amplifier = next((one for one in detector.amplifiers if one.name == self.amplifier), None)
        if amplifier is None:
            raise self._misplaced(detector, f"no amplifier {self.amplifier}")
        if self.column is None or self.row is None:
            return None
        place, right, top = amplifier.bbox, self.column + self.width, self.row + self.height
        if self.column < 0 or self.row < 0 or right > place.width or top > place.height:
            raise self._misplaced(detector, f"columns {self.column} to {right - 1}, rows {self.row} to {top - 1}")
        x0 = place.x0 + (place.width - right if amplifier.flip_x else self.column)
        y0 = place.y0 + (place.height - top if amplifier.flip_y else self.row)
        return Box(x0, y0, self.width, self.height)

    def _misplaced(self, detector: Detector, found: str) -> BadLayout:
        return BadLayout(
            f"the region of the guider is not on {detector.instrument} {detector.name}",
            expected="a part of one of its amplifiers",
            found=found,
        )


@dataclass(frozen=True, slots=True)
class GuiderStamps:
    """One guider's file in memory.

    Attributes
    ----------
    name
        The file's name, for messages.
    header
        Cards of the primary HDU; undefined cards are None.
    stamps
        Counts [adu], int32 of shape (n, ny, nx), in the order of reading, as stored, read-only.
    times
        Of each stamp, **TAI**, ``datetime64[ms]`` of shape (n,), read-only; NaT where the file does not say.
    region
        What was read; None where the header does not say.
    """

    name: str
    header: Mapping[str, object]
    stamps: NDArray[np.int32]
    times: NDArray[np.datetime64]
    region: GuiderRegion | None

    def __len__(self) -> int:
        return len(self.stamps)

    @property
    def elapsed(self) -> NDArray[np.float64]:
        """Seconds since the first stamp, shape (n,); NaN where a time is not known."""
        return np.asarray((self.times - self.times[0]) / np.timedelta64(1, "s"), np.float64)

    def turned(self, detector: Detector) -> NDArray[np.int32]:
        """Return the stamps as they are seen on the assembled detector: a view of shape (n, ny, nx).

        Raises
        ------
        BadLayout
            If the header does not say which amplifier was read, or it is none of that detector.
        """
        if self.region is None:
            raise BadLayout("nobody knows what was read", subject=self.name, expected="a ROISEG card", found="none")
        self.region.box(detector)
        amplifier = next(one for one in detector.amplifiers if one.name == self.region.amplifier)
        return self.stamps[(slice(None), *amplifier.turn)]


def region_of(header: Mapping[str, object], shape: tuple[int, int]) -> GuiderRegion | None:
    """Read what was read from the primary cards; its size is that of the stamps (ny, nx), whatever the cards say."""
    match = _SEGMENT.fullmatch(str(header.get("ROISEG")).strip())
    if match is None:
        return None
    column, row = (_whole(header.get(keyword)) for keyword in ("ROICOL", "ROIROW"))
    return GuiderRegion(f"C{match[1]}", column, row, shape[1], shape[0])


def times_of(images: Sequence[Hdu]) -> NDArray[np.datetime64]:
    """Read when each stamp was taken, ``datetime64[ms]`` TAI; NaT where its card is missing or impossible.

    The camera writes these times in TAI, as TIMESYS says: in real files the last one is 37 s later than the time, in UTC,
    at which the checksum behind it was computed.
    """
    times = np.array([_time(hdu.cards.get("STMPTIME")) for hdu in images], "datetime64[ms]")
    times.flags.writeable = False
    return times


def _time(value: object) -> np.datetime64:
    if isinstance(value, str) and _TIME.fullmatch(value.strip()):
        try:
            return np.datetime64(value.strip(), "ms")
        except ValueError:
            pass
    return np.datetime64("NaT", "ms")


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
