"""The look of a picture: made for tired eyes in a dark room.

Text stays below 70 % luminance. One colour has one meaning: `ACCENT` is what was measured, `FIT` a curve through it,
`BAD` a part that cannot be trusted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["ACCENT", "BACKGROUND", "BAD", "BLANK", "DIM", "FIT", "GRID", "HAIRLINE", "SURFACE", "TEXT", "Color", "ramp"]

Color = tuple[int, int, int]

BACKGROUND: Color = (13, 16, 19)
SURFACE: Color = (21, 26, 31)
GRID: Color = (33, 40, 47)
HAIRLINE: Color = (58, 67, 75)
DIM: Color = (132, 142, 150)
TEXT: Color = (171, 178, 184)
ACCENT: Color = (222, 166, 76)
FIT: Color = (84, 184, 174)
BAD: Color = (206, 86, 66)
BLANK: Color = (28, 40, 52)

_STOPS: tuple[tuple[float, Color], ...] = (
    (0.00, (24, 36, 48)),
    (0.18, (28, 66, 86)),
    (0.40, (44, 118, 124)),
    (0.62, (102, 164, 130)),
    (0.82, (206, 178, 96)),
    (1.00, (240, 214, 160)),
)


def ramp(fractions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colour heights between 0 (the surface of a panel) and 1 (the warm end), shape (..., 3), 0 to 255.

    Luminance grows steadily along the ramp, so that it reads the same in grey.
    """
    stops = np.array([stop for stop, _ in _STOPS])
    colors = np.array([color for _, color in _STOPS], dtype=np.float64)
    return np.stack([np.interp(fractions, stops, colors[:, channel]) for channel in range(3)], axis=-1)
