"""The point-spread function over a detector by Piff, where it is installed (``pip install rapid-summit[piff]``).

Piff (Jarvis et al. 2021, MNRAS 501, 1282) takes seconds to minutes a detector: it is for chosen detectors after the
exposure, not for the walk of every one.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.background import sky_at
from rapid.processing.frame import Background, Sources
from rapid.processing.reserve import reserved_stars

__all__ = ["PiffField", "fit_piff"]

_HALF_IN_WIDTHS: Final = 5.0
_FEWEST: Final = 12
_MOST: Final = 150
"""Stars that are fitted: two for every term at least, and no more than tell anything new."""


class PiffField:
    """A model that Piff has fitted.

    Attributes
    ----------
    n_stars, n_reserved
        Stars fitted, and stars kept from the fit.
    residual
        Root mean square of what the model leaves of a reserved star, in units of the noise of its pixels (median over the
        stars): 1 for a perfect model; NaN without reserved stars.
    """

    def __init__(self, model: Any, *, n_stars: int, n_reserved: int, residual: float) -> None:
        self._model = model
        self.n_stars, self.n_reserved, self.residual = n_stars, n_reserved, residual

    def image_at(self, x: float, y: float, *, size: int = 31) -> NDArray[np.float64]:
        """Draw a star of unit flux at a place [pixel] in the middle of an image of `size` pixels, shape (size, size)."""
        corner = round(x) - size // 2, round(y) - size // 2
        star = _target(np.zeros((size, size)), corner, x, y, np.ones((size, size)))
        return np.asarray(self._model.drawStar(star).image.array, np.float64)


def fit_piff(
    image: NDArray[np.float32], background: Background, sources: Sources, *, kept: NDArray[np.bool_] | None = None
) -> PiffField | str:
    """Fit a Moffat profile whose size and shape are polynomials of second order in the place; a reason where it cannot be.

    Parameters
    ----------
    image
        electron, shape (ny, nx).
    kept
        Which sources are not fitted but validate the model; None for the reserved stars of the sources, and where these are
        not told for a tenth by their places on the detector.

    Raises
    ------
    ImportError
        If Piff is not installed.
    """
    import piff  # noqa: PLC0415 - an optional extra, slow to import

    chosen = np.flatnonzero(sources.star)[:_MOST]
    if kept is None:
        kept = reserved_stars(sources) if sources.reserved is None else sources.reserved
    held = kept[chosen]
    if (~held).sum() < _FEWEST:
        return f"only {int((~held).sum())} stars to fit, {_FEWEST} are needed"
    stars = _stars(image, background, sources, chosen)
    fitted = [star for star, out in zip(stars, held, strict=True) if not out]
    validation = [star for star, out in zip(stars, held, strict=True) if out]
    model = piff.SimplePSF(
        piff.Moffat(beta=_BETA, fastfit=True), piff.Polynomial(order=2), outliers=[piff.ChisqOutliers(nsigma=4)]
    )
    wcs = {0: _pixel_wcs()}
    model.fit(fitted, wcs, None)
    return PiffField(model, n_stars=len(fitted), n_reserved=len(validation), residual=_residual(model, validation))


_BETA: Final = 3.2
"""Exponent of the profile of the seeing at good sites; Piff takes it as given."""


def _stars(image: NDArray[np.float32], background: Background, sources: Sources, chosen: NDArray[np.intp]) -> list[Any]:
    """Cut the stars out, without their sky, each with the weight of its pixels."""
    sky = sky_at(background, sources.x[chosen], sources.y[chosen], image.shape)
    width = float(np.median(np.sqrt(0.5 * (sources.xx[chosen] + sources.yy[chosen]))))
    half = int(np.ceil(_HALF_IN_WIDTHS * width))
    stars = []
    for i, level in zip(chosen, sky, strict=True):
        x, y = float(sources.x[i]), float(sources.y[i])
        x0, y0 = max(0, round(x) - half), max(0, round(y) - half)
        cut = image[y0 : round(y) + half + 1, x0 : round(x) + half + 1].astype(np.float64) - level
        seen = np.isfinite(cut)
        weight = np.where(seen, 1 / (background.noise**2 + np.maximum(np.where(seen, cut, 0), 0)), 0)
        stars.append(_target(np.where(seen, cut, 0), (x0, y0), x, y, weight))
    return stars


def _target(cut: NDArray[np.float64], corner: tuple[int, int], x: float, y: float, weight: NDArray[np.float64]) -> Any:
    import galsim  # noqa: PLC0415 - as above
    import piff  # noqa: PLC0415

    wcs = _pixel_wcs()
    image, weights = (galsim.Image(plane, xmin=corner[0], ymin=corner[1], wcs=wcs) for plane in (cut, weight))
    place = galsim.PositionD(x, y)
    data = piff.StarData(image, place, weight=weights, properties={"chipnum": 0})
    return piff.Star(data, None)


def _pixel_wcs() -> Any:
    import galsim  # noqa: PLC0415

    return galsim.PixelScale(1.0)


def _residual(model: Any, stars: list[Any]) -> float:
    """Median over stars of the root mean square pull of their pixels, each scaled to its light: neighbours do not count."""
    pulls = []
    for star in stars:
        drawn, seen = model.drawStar(star).image.array, star.image.array
        weight = star.weight.array
        scale = (weight * drawn * seen).sum() / (weight * drawn**2).sum()
        pulls.append(np.sqrt((weight * (seen - scale * drawn) ** 2).sum() / np.count_nonzero(weight)))
    return float(np.median(pulls)) if pulls else float("nan")
