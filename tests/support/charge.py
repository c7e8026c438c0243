"""What becomes of charge in a sensor, step by step as nature does it: what corrects it has to be found without this."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import fftconvolve
from scipy.special import erf

__all__ = ["exposed", "potential", "shifted", "star"]


def potential(strength: float = 1.5e-6, half: int = 8) -> np.ndarray:
    """Return the potential of an electron over the back of the sensor: a dipole, of the strength of the cameras' CCDs."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    return -strength / (x**2 + y**2 + 1.0) ** 1.5


def exposed(
    pixels: np.ndarray, sides: np.ndarray, floors: np.ndarray, kernel: np.ndarray, steps: int, seed: int | None = None
) -> np.ndarray:
    """Collect light little by little, each time with the boundaries where the charge so far has pushed them.

    `sides` and `floors` are the true light along the boundaries of the pixels; with a seed the light comes as photons.
    """
    chance = np.random.default_rng(seed)
    charge = np.zeros_like(pixels)
    for _ in range(steps):
        now = charge + 0.5 * pixels / steps
        field = fftconvolve(now - np.median(now), kernel, mode="same")  # the sky goes on beyond the image
        to_right = sides[:, 1:-1] / steps * np.diff(field, axis=1)
        upward = floors[1:-1] / steps * np.diff(field, axis=0)
        light = pixels / steps if seed is None else chance.poisson(pixels / steps)
        charge += light
        charge[:, :-1] -= to_right
        charge[:, 1:] += to_right
        charge[:-1] -= upward
        charge[1:] += upward
    return charge


def star(size: int, sigma: float, peak: float, y: float, x: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the light of a Gaussian star: in the pixels, along their sides and along their floors, all exact."""
    edges = np.arange(size + 1) - 0.5

    def within(at: float) -> np.ndarray:
        return np.diff(0.5 * erf((edges - at) / sigma / np.sqrt(2)))

    def on(at: float) -> np.ndarray:
        return np.exp(-0.5 * ((edges - at) / sigma) ** 2) / sigma / np.sqrt(2 * np.pi)

    flux = peak * 2 * np.pi * sigma**2
    return tuple(flux * np.outer(a, b) for a, b in ((within(y), within(x)), (within(y), on(x)), (on(y), within(x))))


def shifted(image: np.ndarray, rate: float, decay: float, register: int) -> np.ndarray:
    """Send every row through a register, one stage after the other, each with its own trap.

    A packet loses `rate` of its charge to the trap of each stage and takes what the trap releases meanwhile. The packet of
    column x begins x stages away from the output.
    """
    release = 1 - math.exp(-1 / decay)
    charge = image.astype(np.float64)
    for stage in range(register):
        trap = np.zeros(len(charge))
        for x in range(stage, charge.shape[1]):
            freed = release * trap
            caught = rate * charge[:, x]
            charge[:, x] += freed - caught
            trap += caught - freed
    return charge
