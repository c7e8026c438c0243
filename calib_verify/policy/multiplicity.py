"""Many tests at once: which of them say something that chance does not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["discoveries", "persists"]


def discoveries(probabilities: Sequence[float], rate: float) -> NDArray[np.bool_]:
    """Choose the tests that stand out, so that on average no more than a share of those chosen is by chance.

    The procedure of Benjamini & Hochberg (1995, J. R. Stat. Soc. B 57, 289): of n ordered probabilities the k smallest, k
    being the largest number with p_k <= rate k / n. It holds for independent tests and for those that go together.
    """
    p = np.asarray(probabilities, np.float64)
    chosen = np.zeros(p.size, np.bool_)
    if not p.size:
        return chosen
    order = np.argsort(p, kind="stable")
    below = np.flatnonzero(p[order] <= rate * np.arange(1, p.size + 1) / p.size)
    if below.size:
        chosen[order[: below[-1] + 1]] = True
    return chosen


def persists(bad: Sequence[bool], *, consecutive: int, share: float) -> bool:
    """Tell whether something came back: so many times in a row, or in a share of all."""
    longest = streak = 0
    for each in bad:
        streak = streak + 1 if each else 0
        longest = max(longest, streak)
    return any(bad) and (longest >= consecutive or sum(bad) >= share * len(bad))
