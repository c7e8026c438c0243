"""What a night has covered, as a value that may be merged in any order and any number of times."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.skymap.footprint import check_footprint, check_order, cover_all

__all__ = ["Contribution", "NightCoverage"]


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one detector of one exposure adds to the night.

    Attributes
    ----------
    exposure_id, detector
        Who it is: a second contribution of the same detector to the same exposure takes the place of the first.
    revision
        The higher one counts, whatever came first.
    band
        ``r``.
    seconds
        Exposure time.
    effective_time, seeing
        Seconds, and FWHM [arcsec]; NaN where not known.
    footprint
        ICRS (ra, dec) [deg] of the four corners, shape (4, 2).
    """

    exposure_id: int
    detector: int
    band: str
    seconds: float
    footprint: NDArray[np.float64]
    effective_time: float = math.nan
    seeing: float = math.nan
    revision: int = 0

    def __post_init__(self) -> None:
        corners = check_footprint(self.footprint)
        if len(corners) != 4:
            raise InputError("not the footprint of a detector", expected="four corners", found=str(len(corners)))
        corners.flags.writeable = False
        object.__setattr__(self, "footprint", corners)
        for name in ("seconds", "effective_time", "seeing"):
            _check_numbers(name, np.array([getattr(self, name)], np.float64))


@dataclass(frozen=True, slots=True, eq=False)
class NightCoverage:
    """Contributions to a night by exposure and detector, in that order; every column has one entry a contribution.

    Merging is a union in which the highest revision of each exposure and detector stays: it may be done in any order and as
    often as one likes, and the result is the same to the bit. Nothing is summed before it is asked for.

    Attributes
    ----------
    order
        HEALPix order of `pixels`.
    exposure_id, detector, revision, band, seconds, effective_time, seeing
        As in `Contribution`.
    footprint
        Shape (n, 4, 2).
    starts, pixels
        Contribution i covers the nested pixels ``pixels[starts[i]:starts[i + 1]]``, ascending.
    """

    order: int
    exposure_id: NDArray[np.int64]
    detector: NDArray[np.int64]
    revision: NDArray[np.int64]
    band: NDArray[np.str_]
    seconds: NDArray[np.float64]
    effective_time: NDArray[np.float64]
    seeing: NDArray[np.float64]
    footprint: NDArray[np.float64]
    starts: NDArray[np.int64]
    pixels: NDArray[np.int64]

    def __post_init__(self) -> None:
        for column in fields(self)[1:]:
            array = np.ascontiguousarray(getattr(self, column.name))
            array.flags.writeable = False
            object.__setattr__(self, column.name, array)

    def __len__(self) -> int:
        return len(self.exposure_id)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NightCoverage):
            return NotImplemented
        pairs = [(getattr(self, column.name), getattr(other, column.name)) for column in fields(self)]
        return all(np.array_equal(a, b, equal_nan=np.asarray(a).dtype.kind == "f") for a, b in pairs)

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def of(cls, contributions: Iterable[Contribution], order: int) -> Self:
        """Make the coverage of some contributions, in pixels of an order (10 is 3.4 arcmin)."""
        items = list(contributions)
        columns = {name: np.array([getattr(item, name) for item in items]) for name in _COLUMNS}
        return cls.of_columns(columns, order)

    @classmethod
    def of_columns(cls, columns: Mapping[str, NDArray[Any]], order: int) -> Self:
        """Make the coverage of contributions in columns, named as the attributes of `Contribution`.

        Raises
        ------
        InputError
            If one is impossible.
        """
        footprint = np.asarray(columns["footprint"], np.float64).reshape(-1, 4, 2)
        footprint = check_footprint(footprint)
        for name in ("seconds", "effective_time", "seeing"):
            _check_numbers(name, np.asarray(columns[name], np.float64))
        covered = cover_all(footprint, check_order(order))
        return cls(
            order=order,
            exposure_id=np.asarray(columns["exposure_id"], np.int64),
            detector=np.asarray(columns["detector"], np.int64),
            revision=np.asarray(columns["revision"], np.int64),
            band=np.asarray(columns["band"], np.str_),
            seconds=np.asarray(columns["seconds"], np.float64),
            effective_time=np.asarray(columns["effective_time"], np.float64),
            seeing=np.asarray(columns["seeing"], np.float64),
            footprint=footprint,
            starts=np.concatenate([[0], np.cumsum([len(pixels) for pixels in covered])]).astype(np.int64),
            pixels=np.concatenate([np.zeros(0, np.int64), *covered]),
        ).merged()

    def merged(self, *others: Self) -> Self:
        """Return the union of this and others.

        Raises
        ------
        InputError
            If they have pixels of different orders.
        """
        everything: Self = self
        for other in others:
            everything = _joined(everything, other)
        return everything.rows(_winners(everything))

    def of_band(self, band: str) -> Self:
        """Return the contributions of one band."""
        return self.rows(np.flatnonzero(self.band == band))

    @property
    def counts(self) -> NDArray[np.int64]:
        """Number of pixels of each contribution."""
        return np.diff(self.starts)

    def rows(self, rows: NDArray[np.int64]) -> Self:
        """Return some contributions in the order given."""
        chosen = {name: getattr(self, name)[rows] for name in _COLUMNS}
        counts = self.counts[rows]
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        index = np.arange(starts[-1]) + np.repeat(self.starts[:-1][rows] - starts[:-1], counts)
        return type(self)(order=self.order, **chosen, starts=starts, pixels=self.pixels[index])


_Night = TypeVar("_Night", bound=NightCoverage)

_COLUMNS = ("exposure_id", "detector", "revision", "band", "seconds", "effective_time", "seeing", "footprint")


def _joined(one: _Night, other: _Night) -> _Night:
    if one.order != other.order:
        raise InputError(
            "coverages in pixels of different orders", expected=f"order {one.order}", found=f"order {other.order}"
        )
    columns = {name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in (*_COLUMNS, "pixels")}
    return type(one)(order=one.order, **columns, starts=np.concatenate([one.starts, other.starts[1:] + one.starts[-1]]))


def _winners(night: NightCoverage) -> NDArray[np.int64]:
    """Return the rows that count, by exposure and detector: of one pair the highest revision.

    Two of the same revision that differ all the same are decided by their content, so that their order never matters.
    """
    content = [zlib.crc32(corners.tobytes()) for corners in night.footprint]
    numbers = [np.nan_to_num(getattr(night, name), nan=-1.0) for name in ("seeing", "effective_time", "seconds")]
    order = np.lexsort((content, *numbers, night.band, night.revision, night.detector, night.exposure_id))
    pairs = np.stack([night.exposure_id[order], night.detector[order]])
    last = np.ones(len(order), np.bool_)
    last[:-1] = (pairs[:, 1:] != pairs[:, :-1]).any(0)
    return np.asarray(order[last], np.int64)


def _check_numbers(name: str, values: NDArray[np.float64]) -> None:
    """Refuse what is negative or infinite; only the exposure time has to be known."""
    bad = (values < 0) | np.isinf(values) | (np.isnan(values) & (name == "seconds"))
    if bad.any():
        raise InputError(f"impossible {name}", expected="a number, 0 or more", found=str(values[bad][0]))
