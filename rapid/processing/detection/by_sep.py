"""The search by sep, for comparison: the algorithm of Bertin & Arnouts (1996) in the library of Barbary (2016)."""

from __future__ import annotations

from typing import Final

import numpy as np
import sep
from numpy.typing import NDArray

from rapid.processing.detection.regions import Regions
from rapid.processing.detection.search import THRESHOLD, Found
from rapid.processing.detection.squares import sky_free_squares
from rapid.processing.frame import Background, Mask

__all__ = ["search_by_sep"]

_KERNEL: Final = np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16
_SMOOTHED_NOISE: Final = float(np.sqrt((_KERNEL**2).sum()))
_SMALLEST: Final = 5
"""Connected samples of a source."""

_MERGED: Final = 1
_TRUNCATED: Final = 2
"""Flags of sep: cut from a larger object; at the edge."""

_USUAL_WIDTH: Final = 1.7


def search_by_sep(
    image: NDArray[np.float32], mask: NDArray[np.uint16], background: Background, *, smallest: int = 1
) -> Found:
    """Search as `rapid.processing.detection.search.search` does, by connected pixels above a fixed threshold.

    The filter is 3 x 3 samples whatever the seeing, so that faint stars of bad seeing are missed; and time and memory grow
    with the number of objects without a bound. Moments are those of the isophote.
    """
    hide, full = int(Mask.BAD | Mask.NO_DATA), int(Mask.SATURATED)
    squares = sky_free_squares(image, mask, background.mesh, smallest, hide=hide, saturated=full)
    sep.set_extract_pixstack(max(squares.light.size // 4, 300_000))
    sep.set_sub_object_limit(max(squares.light.size // 400, 1024))
    limit = THRESHOLD * background.noise * smallest * _SMOOTHED_NOISE
    found = sep.extract(
        squares.light, limit, mask=squares.hidden, minarea=_SMALLEST, filter_kernel=_KERNEL, filter_type="conv"
    )
    box = np.column_stack([found[name] for name in ("xmin", "xmax", "ymin", "ymax")]).astype(np.int64)
    near = [np.s_[max(0, y0 - 1) : y1 + 2, max(0, x0 - 1) : x1 + 2] for x0, x1, y0, y1 in box]
    cut = np.array([squares.hidden[part].any() for part in near], np.bool_)
    regions = Regions(
        x=(found["x"] + 0.5) * smallest - 0.5,
        y=(found["y"] + 0.5) * smallest - 0.5,
        xx=found["x2"] * smallest**2,
        yy=found["y2"] * smallest**2,
        xy=found["xy"] * smallest**2,
        flux=found["flux"].astype(np.float64),
        peak=found["cpeak"].astype(np.float64),
        peak_x=found["xcpeak"].astype(np.int64) * smallest + smallest // 2,
        peak_y=found["ycpeak"].astype(np.int64) * smallest + smallest // 2,
        area=found["npix"].astype(np.int64) * smallest**2,
        box=box * smallest + np.array([0, smallest - 1, 0, smallest - 1]),
        blended=(found["flag"] & _MERGED) != 0,
        saturated=np.array([squares.full[part].any() for part in near], np.bool_),
        cut=cut | ((found["flag"] & _TRUNCATED) != 0),
    )
    width = float(np.median(np.sqrt(0.5 * (regions.xx + regions.yy)))) if len(regions) else _USUAL_WIDTH * smallest
    return Found(regions, max(width, 1.0), 0, smallest, 0.0, background.noise, "")
