"""Fields of stars as pixels see them: Moffat profiles integrated over each pixel, with photon and read noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NODES, WEIGHTS = np.polynomial.legendre.leggauss(3)
READ_NOISE = 8.0


@dataclass(frozen=True)
class Stars:
    """``fwhm`` [pixel] and ``beta`` of the profile, ``e1`` and ``e2``; ``x``, ``y`` [pixel] and ``flux`` [electron]."""

    fwhm: float
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    beta: float = 3.2
    e1: float = 0.0
    e2: float = 0.0

    @property
    def alpha(self) -> float:
        return self.fwhm / (2 * math.sqrt(2 ** (1 / self.beta) - 1))

    @property
    def peak(self) -> NDArray[np.float64]:
        return self.flux * (self.beta - 1) / (math.pi * self.alpha**2)

    @property
    def noise_area(self) -> float:
        return math.pi * self.alpha**2 * (2 * self.beta - 1) / (self.beta - 1) ** 2

    def profile(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((1 + (r / self.alpha) ** 2) ** -self.beta)

    def energy_radius(self, part: float) -> float:
        return self.alpha * math.sqrt((1 - part) ** (1 / (1 - self.beta)) - 1)


def scatter_stars(
    shape: tuple[int, int],
    n: int,
    fwhm: float,
    fluxes: tuple[float, float],
    *,
    seed: int,
    e: tuple[float, float] = (0, 0),
) -> Stars:
    chance = np.random.default_rng(seed)
    x, y = chance.uniform(0, shape[1] - 1, n), chance.uniform(0, shape[0] - 1, n)
    return Stars(fwhm, x, y, fluxes[0] * (fluxes[1] / fluxes[0]) ** chance.uniform(0, 1, n), e1=e[0], e2=e[1])


def light_of(stars: Stars, shape: tuple[int, int], sky: float) -> NDArray[np.float64]:
    light = np.full(shape, float(sky))
    size = math.sqrt(1 - stars.e1**2 - stars.e2**2) * stars.alpha**2
    a, b, c = (1 - stars.e1) / size, -2 * stars.e2 / size, (1 + stars.e1) / size
    for x, y, peak in zip(stars.x, stars.y, stars.peak, strict=True):
        reach = int(min(max(4 * stars.fwhm, stars.alpha * (peak / 0.02) ** (0.5 / stars.beta)), 12 * stars.fwhm))
        y0, y1 = max(0, int(y) - reach), min(shape[0], int(y) + reach + 1)
        x0, x1 = max(0, int(x) - reach), min(shape[1], int(x) + reach + 1)
        v, u = np.arange(y0, y1)[:, None] - y, np.arange(x0, x1)[None, :] - x
        for i, p in zip(0.5 * NODES, 0.5 * WEIGHTS, strict=True):
            for j, q in zip(0.5 * NODES, 0.5 * WEIGHTS, strict=True):
                square = a * (u + j) ** 2 + b * (u + j) * (v + i) + c * (v + i) ** 2
                light[y0:y1, x0:x1] += p * q * peak * (1 + square) ** -stars.beta
    return light


def observed(light: NDArray[np.float64], *, seed: int) -> NDArray[np.float32]:
    chance = np.random.default_rng(seed + 1000)
    return np.asarray(chance.normal(chance.poisson(light), READ_NOISE), np.float32)
