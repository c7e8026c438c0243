"""The search: how wide a star is on this image, and what stands out of the sky under a filter of that width."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.background import sky_at
from rapid.processing.detection.between import Between, sky_between
from rapid.processing.detection.matched import gaussian_kernel, matched_filter, noise_factor
from rapid.processing.detection.regions import Regions, regions_above
from rapid.processing.detection.samples import count_above
from rapid.processing.detection.squares import sky_free_squares
from rapid.processing.frame import Background, Mask
from rapid.processing.moments import measure_moments
from rapid.processing.statistics import half_sample_mode

__all__ = ["THRESHOLD", "Found", "search"]

THRESHOLD: Final = 5.0
"""Detection threshold in standard deviations of the filtered sky: one false source in two million independent places."""

_HIDE: Final = int(Mask.BAD | Mask.NO_DATA)
_FULL: Final = int(Mask.SATURATED)

_COARSE: Final = 4
"""Squares in which stars are looked for before anything is known of their width, in units of the smallest worth having:
0.8 arcsec, the size of a seeing disk."""

_CLEAR: Final = 10.0
_MOST_MEASURED: Final = 300
_LEAST_SIGNAL: Final = 25.0
_SMALLEST: Final = 0.95
_ROUND: Final = 0.4
"""What is measured for the width of a star: signal to noise on the coarse image and of its moments, standard deviation
[pixel] above that of a cosmic ray, and ellipticity."""

_SAMPLING: Final = 1.5
_PAIRED: Final = 1.6
"""Standard deviation of a star in squares of the search, which larger ones would blend; and in pixels, from which on they
are taken in squares of two: that loses 5 % of the signal to noise and saves most of the time."""

_NARROWER: Final = 0.7
_SHARP: Final = 0.45
"""Width of the filter of the search relative to that of a star: it costs 6 % of the signal to noise and keeps neighbours
apart; and of the filter in whose light regions are cut, which blurs a star by a tenth."""

_STANDS_OUT: Final = 4.0
"""Sigma by which a peak must stand out of its saddle. Fewer than for a source in the sky: there is less room for chance."""

_WIDE: Final = 2.0
"""Standard deviation in coarse squares beyond which stars are out of focus, and have structure of their own."""

_CONTRAST: Final = 0.05
_CONTRAST_OF_DONUTS: Final = 0.3
_CONTRAST_AT_FIRST: Final = 0.5

_BRIGHT: Final = 3.0
"""Sigma from which on a coarse square is not sky."""

_USUAL: Final = 0.42
"""Standard deviation of a star of a usual night, in coarse squares."""

_MOST_SAMPLES: Final = 1_000_000
_RAISED: Final = 1.25
"""Squares above the threshold beyond which it is raised, and by what factor: that many take half a second."""


@dataclass(frozen=True, slots=True)
class Found:
    """Regions in pixels of the image, the ``width`` of a star [pixel, standard deviation], and from how ``many``.

    Without a star to measure, ``many`` is 0 and ``width`` that of a usual night. ``offset`` is what the sky between the
    sources is above its map, and ``noise`` its standard deviation [electron]. ``reason`` says why not all there is was
    looked for.
    """

    regions: Regions
    width: float
    many: int
    side: int
    offset: float
    noise: float
    reason: str


def search(image: NDArray[np.float32], mask: NDArray[np.uint16], background: Background, *, smallest: int = 1) -> Found:
    """Search an image [electron], shape (ny, nx), for what stands out of the sky.

    Parameters
    ----------
    mask
        `Mask` bits; what is BAD or NO_DATA is not searched.
    smallest
        Side of the smallest squares of pixels worth having [pixel]: about 0.2 arcsec.
    """
    coarse = _Search(image, mask, background, _COARSE * smallest)
    width, many = _width_of_stars(coarse, image, background)
    between = sky_between(coarse.squares, coarse.above(_BRIGHT), width=width, noise=background.noise)
    sky = replace(background, mesh=(background.mesh + between.offset).astype(np.float32), noise=between.noise)
    wide = width > _WIDE * _COARSE * smallest
    side = max(smallest, 1 + (width > _PAIRED), int(width / _SAMPLING))
    fine = _Search(image, mask, sky, side, blur=_NARROWER * width, sharp=_SHARP * width)
    fine.raise_noise(between)
    regions, threshold = fine.regions(THRESHOLD, contrast=_CONTRAST_OF_DONUTS if wide else _CONTRAST)
    reason = f"too crowded: threshold raised to {threshold:.0f} sigma" if threshold > THRESHOLD else ""
    side = fine.squares.side
    return Found(
        _in_pixels(regions, side, (_NARROWER * width) ** 2), width, many, side, between.offset, between.noise, reason
    )


class _Search:
    """An image in squares of `side` pixels, filtered by Gaussians of `blur` pixels for the search and `sharp` for the cuts.

    Where they are None it is a Gaussian of one square for both.
    """

    def __init__(
        self,
        image: NDArray[np.float32],
        mask: NDArray[np.uint16],
        background: Background,
        side: int,
        *,
        blur: float | None = None,
        sharp: float | None = None,
    ) -> None:
        side = min(side, max(1, min(image.shape) // 8))
        kernel = gaussian_kernel(1.0 if blur is None else blur / side)
        self.squares = sky_free_squares(image, mask, background.mesh, side, hide=_HIDE, saturated=_FULL)
        self._filtered = matched_filter(self.squares.light, kernel)
        self._sigma = background.noise * side * noise_factor(kernel)
        self._sharp = None if sharp is None else gaussian_kernel(sharp / side)
        self._sharp_factor = noise_factor(kernel if self._sharp is None else self._sharp)
        self._sharp_sigma = background.noise * side * self._sharp_factor

    def raise_noise(self, between: Between) -> None:
        """Take the noise of the filtered sky for what it is, where it is more than that of its pixels."""
        self._sigma *= between.excess(self._filtered, self.squares.side, self._sigma)

    def above(self, threshold: float) -> NDArray[np.bool_]:
        """Tell which squares are above a threshold in sigma."""
        return np.asarray(self._filtered > np.float32(threshold * self._sigma), np.bool_)

    def regions(self, threshold: float, *, contrast: float) -> tuple[Regions, float]:
        """Cut the regions above a threshold in sigma, raised until their squares can be afforded."""
        while count_above(self._filtered, self.squares.hidden, threshold * self._sigma) > _MOST_SAMPLES:
            threshold *= _RAISED
        regions = regions_above(
            self.squares,
            self._filtered,
            self._sharp,
            limit=threshold * self._sigma,
            stands_out=_STANDS_OUT * self._sharp_sigma,
            contrast=contrast,
            photon_factor=(_STANDS_OUT * self._sharp_factor) ** 2,
        )
        return regions, threshold


def _width_of_stars(coarse: _Search, image: NDArray[np.float32], background: Background) -> tuple[float, int]:
    """Find the commonest width [pixel] of bright round things on a coarse image, and the number it is taken from."""
    regions, _ = coarse.regions(_CLEAR, contrast=_CONTRAST_AT_FIRST)
    side = coarse.squares.side
    chosen = np.flatnonzero(~regions.saturated & ~regions.cut & (regions.xx > 0) & (regions.yy > 0))
    chosen = chosen[np.argsort(-regions.peak[chosen], kind="stable")][:_MOST_MEASURED]
    x, y = ((place[chosen] + 0.5) * side - 0.5 for place in (regions.x, regions.y))
    size = side * np.sqrt(np.maximum(0.5 * (regions.xx + regions.yy)[chosen] - 1.0, 0.1))
    found = measure_moments(image, x, y, size, sky=sky_at(background, x, y, image.shape), noise=background.noise)
    widths = _widths(found.xx, found.yy, found.xy)[found.flux > _LEAST_SIGNAL * found.flux_error]
    widths = widths[widths > _SMALLEST]
    return (math.exp(half_sample_mode(np.log(widths))), len(widths)) if widths.size else (_USUAL * side, 0)


def _widths(xx: NDArray[np.float64], yy: NDArray[np.float64], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Geometric mean of the standard deviations along both axes; NaN for what is not round."""
    round_ = np.hypot(xx - yy, 2 * xy) < _ROUND * (xx + yy)
    return np.asarray(np.where(round_, np.maximum(xx * yy - xy**2, 0) ** 0.25, np.nan), np.float64)


def _in_pixels(regions: Regions, side: int, blur: float) -> Regions:
    """Turn squares into pixels, and take what the filter adds off the moments."""
    box = regions.box * side
    box[:, 1::2] += side - 1
    least = 1 / 12 * side**2
    return Regions(
        x=(regions.x + 0.5) * side - 0.5,
        y=(regions.y + 0.5) * side - 0.5,
        xx=np.maximum(regions.xx * side**2 - blur, least),
        yy=np.maximum(regions.yy * side**2 - blur, least),
        xy=regions.xy * side**2,
        flux=regions.flux,
        peak=regions.peak,
        peak_x=regions.peak_x * side + side // 2,
        peak_y=regions.peak_y * side + side // 2,
        area=regions.area * side**2,
        box=box,
        blended=regions.blended,
        saturated=regions.saturated,
        cut=regions.cut,
    )
