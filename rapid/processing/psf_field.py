"""How the point-spread function changes over a detector: moments by a polynomial, held against stars it has not seen."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from rapid.processing.frame import PsfField, Sources
from rapid.processing.reserve import reserved_stars

__all__ = ["field_at", "fit_field"]

_PIXEL: Final = 1.0 / 12.0
_ORDERS: Final = (2, 1, 0)
_STARS_A_TERM: Final = 4
"""Stars that are fitted for every term of the polynomial."""

_FLOOR: Final = 0.003
"""How far moments differ from star to star beyond their errors: the atmosphere of a short exposure."""

_OUTLIER: Final = 4.0
_ROUNDS: Final = 5


def fit_field(sources: Sources, shape: tuple[int, ...], *, kept: NDArray[np.bool_] | None = None) -> PsfField | None:
    """Fit size, e1 and e2 of the stars by a polynomial of the place; None with fewer than four stars to fit.

    The order is the highest, up to 2, that has four stars for every term. Stars count by their errors; those that are off
    by more than 4 sigma are left out and the rest fitted again.

    Parameters
    ----------
    shape
        Of the detector, (ny, nx).
    kept
        Which of the sources are not fitted but validate the model; None for the reserved stars of the sources, and where
        these are not told for a tenth by their places on the detector (`rapid.processing.reserve`).
    """
    x, y, values, errors, held = _stars(sources, kept)
    fitted = ~held
    order = next((n for n in _ORDERS if fitted.sum() >= _STARS_A_TERM * _terms(n)), None)
    if order is None:
        return None
    basis = _basis(x, y, order, shape)
    coefficients, good = _robust(basis[fitted], values[:, fitted], errors[:, fitted])
    coefficients.flags.writeable = False
    residuals = values[:, held] - coefficients @ basis[held].T
    residuals[0] /= np.maximum(coefficients[0] @ basis[held].T, 1e-6)
    enough = int(held.sum()) > 1
    nothing = (math.nan,) * 3
    relative = errors[:, held] / np.array([coefficients[0, 0], 1.0, 1.0])[:, np.newaxis]
    return PsfField(
        order=order,
        coefficients=coefficients,
        shape=(shape[0], shape[1]),
        n_stars=int(good.sum()),
        n_reserved=int(held.sum()),
        offset=_three(residuals.mean(axis=1)) if enough else nothing,
        scatter=_three(residuals.std(axis=1, ddof=1)) if enough else nothing,
        expected=_three(np.sqrt((relative**2).mean(axis=1))) if enough else nothing,
    )


def field_at(field: PsfField, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return size [pixel], e1 and e2 of the model at some places [pixel]; shape (3, places)."""
    return np.asarray(field.coefficients @ _basis(np.asarray(x), np.asarray(y), field.order, field.shape).T, np.float64)


def _stars(
    sources: Sources, kept: NDArray[np.bool_] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Places of the stars, their size, e1 and e2 with errors, and which of them are not to be fitted."""
    chosen = np.flatnonzero(sources.star)
    x, y = sources.x[chosen], sources.y[chosen]
    if kept is None:
        kept = reserved_stars(sources) if sources.reserved is None else sources.reserved
    held = kept[chosen]
    xx, yy, xy = sources.xx[chosen] - _PIXEL, sources.yy[chosen] - _PIXEL, sources.xy[chosen]
    trace = np.maximum(xx + yy, 1e-3)
    values = np.array([np.sqrt(0.5 * trace), (xx - yy) / trace, 2 * xy / trace])
    share = sources.flux_error[chosen] / np.maximum(sources.flux[chosen], 1e-3)
    if sources.xx_error is not None and sources.yy_error is not None and sources.xy_error is not None:
        share_xx = np.hypot(sources.xx_error[chosen], sources.yy_error[chosen]) / trace
        errors = np.array([0.5 * values[0] * share_xx, share_xx, 2 * sources.xy_error[chosen] / trace])
    else:
        errors = np.array([values[0] * share, 2 * share, 2 * share])
    floor = _FLOOR * np.array([1.0, 1.0, 1.0])[:, np.newaxis] * np.array([values[0], np.ones(len(x)), np.ones(len(x))])
    return x, y, values, np.hypot(errors, floor), held


def _terms(order: int) -> int:
    return (order + 1) * (order + 2) // 2


def _basis(x: NDArray[np.float64], y: NDArray[np.float64], order: int, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Terms u^i v^j of each place, shape (places, terms)."""
    u, v = 2 * x / max(shape[1] - 1, 1) - 1, 2 * y / max(shape[0] - 1, 1) - 1
    return np.column_stack([u ** (degree - j) * v**j for degree in range(order + 1) for j in range(degree + 1)])


def _robust(
    basis: NDArray[np.float64], values: NDArray[np.float64], errors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Fit each quantity by weighted least squares to the stars that agree in all."""
    good: NDArray[np.bool_] = np.ones(values.shape[1], np.bool_)
    coefficients = np.zeros((len(values), basis.shape[1]))
    for _ in range(_ROUNDS):
        for k, (value, error) in enumerate(zip(values, errors, strict=True)):
            design = basis[good] / error[good, np.newaxis]
            coefficients[k] = np.linalg.lstsq(design, value[good] / error[good], rcond=None)[0]
        pulls = np.abs(values - coefficients @ basis.T) / errors
        typical = np.maximum(1.4826 * np.median(pulls, axis=1), 1.0)
        agree = np.all(pulls < _OUTLIER * typical[:, np.newaxis], axis=0)
        if (agree == good).all() or agree.sum() < _STARS_A_TERM * basis.shape[1]:
            break
        good = agree
    return coefficients, good


def _three(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
