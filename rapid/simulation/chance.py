"""Random numbers that do not depend on who asks for them first."""

from __future__ import annotations

import numpy as np

__all__ = ["generator"]


def generator(seed: int, *key: int) -> np.random.Generator:
    """Return the random numbers of one purpose: the same for the same seed and key, whoever asks and in whatever order."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *key])))
