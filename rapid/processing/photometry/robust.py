"""The mean of values of which most agree and some are something else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import t as student

__all__ = ["RobustMean", "robust_mean"]

Values = NDArray[np.float64]

_MOST_STEPS: Final = 100
_CONVERGED: Final = 1e-4
"""Change of the mean, in its standard errors, below which it is found."""

_ONE_SIGMA: Final = 0.8413447460685429
"""Part of a normal distribution that is below one standard deviation."""

_RAREST: Final = 1e-3
_MOST_FREQUENT: Final = 0.9
"""Limits of the fraction of outliers."""


@dataclass(frozen=True, slots=True)
class RobustMean:
    """What most values agree on.

    ``scatter`` is their standard deviation beyond the errors; ``belonging`` the probability, one per value, that it is one
    of those that agree, and ``n`` the sum of these.
    """

    mean: float
    error: float
    scatter: float
    belonging: Values
    n: float


def robust_mean(values: Values, errors: Values, *, outlier_scatter: float) -> RobustMean:
    """Average values with errors, some of which are no measurement of the same thing at all.

    The values are a mixture of those that agree within their errors and a common scatter, and of outliers spread over
    `outlier_scatter` (Hogg, Bovy & Lang 2010, arXiv:1008.4686, section 3); solved by expectation and maximisation. The
    scatter is what makes chi square its expectation (Paule & Mandel 1982, J. Res. NBS 87, 377), which does not shrink with
    few values as the most likely one does; where it had to be found, `error` is widened to what Student's distribution has
    within one standard deviation.

    Parameters
    ----------
    values, errors
        Finite, shape (n,) with n of 2 or more; errors above 0.
    outlier_scatter
        Standard deviation of the outliers, much larger than the errors.

    Returns
    -------
    RobustMean
        `error` is right to some per cent from 5 values on, with up to a third of outliers.
    """
    mean = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - mean)))
    variance = max(spread**2 - float(np.median(errors**2)), 0.0)
    belonging, outliers, error = np.ones_like(values), 0.1, math.inf
    for _ in range(_MOST_STEPS):
        belonging = _belonging(values - mean, errors**2 + variance, outliers, outlier_scatter)
        outliers = float(np.clip(1 - belonging.mean(), _RAREST, _MOST_FREQUENT))
        variance = _excess(values, errors, belonging)
        before, (mean, error) = mean, _weighted(values, errors**2 + variance, belonging)
        if abs(mean - before) < _CONVERGED * error:
            break
    n = float(belonging.sum())
    widened = float(student.ppf(_ONE_SIGMA, max(n - 1, 1.0))) if variance > 0 else 1.0
    return RobustMean(mean, widened * error, math.sqrt(variance), belonging, n)


def _belonging(off: Values, variance: Values, outliers: float, outlier_scatter: float) -> Values:
    """Probability that each value is one of those that agree; in logarithms, since far outliers underflow."""
    wide = variance + outlier_scatter**2
    agree = math.log(1 - outliers) - 0.5 * (off**2 / variance + np.log(variance))
    differ = math.log(outliers) - 0.5 * (off**2 / wide + np.log(wide))
    return np.asarray(np.exp(agree - np.logaddexp(agree, differ)), np.float64)


def _excess(values: Values, errors: Values, belonging: Values) -> float:
    """Variance that, added to those of the errors, makes chi square about the mean what is expected of it."""

    def surplus(variance: float) -> float:
        total = errors**2 + variance
        mean, _ = _weighted(values, total, belonging)
        return float(np.sum(belonging * (values - mean) ** 2 / total) - (belonging.sum() - 1))

    if belonging.sum() <= 1 or surplus(0.0) <= 0:
        return 0.0
    most = float(np.ptp(values)) ** 2 * max(len(values), 2)  # more than any scatter of values in this range can be
    return float(brentq(surplus, 0.0, most, xtol=1e-14, rtol=1e-6))


def _weighted(values: Values, variance: Values, belonging: Values) -> tuple[float, float]:
    weights = belonging / variance
    total = float(weights.sum())
    return float((weights * values).sum()) / total, 1 / math.sqrt(total)
