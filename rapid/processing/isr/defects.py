"""Pixels that are known to be bad: boxes of the assembled detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from rapid.errors import BadCalibration
from rapid.processing.geometry import Box

__all__ = ["Defects", "grown", "mask_defects"]


@dataclass(frozen=True, slots=True)
class Defects:
    """Bad pixels of a detector as boxes of the assembled, trimmed image; they may overlap.

    ``identity`` is the provenance, told in the recipe of every frame they were masked on.

    Raises
    ------
    BadCalibration
        If a box is empty or begins outside.
    """

    boxes: tuple[Box, ...] = ()
    identity: str = ""

    def __post_init__(self) -> None:
        for box in self.boxes:
            if box.x0 < 0 or box.y0 < 0 or box.width < 1 or box.height < 1:
                raise BadCalibration(
                    "a defect is no box of pixels",
                    subject="defects",
                    expected="a corner from 0 and a size",
                    found=f"{box}",
                )

    @classmethod
    def of(cls, bad: NDArray[np.bool_]) -> Self:
        """Make boxes that cover exactly the bad pixels of an image, shape (ny, nx).

        Runs along a column are boxes; neighbouring columns with the same run share one.
        """
        whole: list[Box] = []
        growing: dict[tuple[int, int], int] = {}
        for x in range(bad.shape[1] + 1):
            runs = _runs(bad[:, x]) if x < bad.shape[1] else set()
            for run in sorted(growing.keys() - runs):
                first = growing.pop(run)
                whole.append(Box(first, run[0], x - first, run[1] - run[0]))
            growing |= dict.fromkeys(runs - growing.keys(), x)
        return cls(tuple(sorted(whole, key=lambda box: (box.x0, box.y0))))

    def bad(self, shape: tuple[int, int], *, grow: int = 0) -> NDArray[np.bool_]:
        """Return True where a pixel of a detector of this shape (ny, nx) is bad, or within `grow` pixels of one.

        Raises
        ------
        BadCalibration
            If a box reaches beyond the detector.
        """
        image = np.zeros(shape, np.bool_)
        for box in self.boxes:
            if box.x0 + box.width > shape[1] or box.y0 + box.height > shape[0]:
                raise BadCalibration(
                    "a defect lies outside the detector", subject="defects", expected=f"within {shape}", found=f"{box}"
                )
            image[
                max(box.y0 - grow, 0) : box.y0 + box.height + grow, max(box.x0 - grow, 0) : box.x0 + box.width + grow
            ] = True
        return image


def mask_defects(mask: NDArray[np.uint16], defects: Defects, bit: int, *, grow: int = 0) -> int:
    """Set `bit` of the bad pixels in a mask, shape (ny, nx), **in place**; return how many they are.

    Raises
    ------
    BadCalibration
        If a box reaches beyond the mask.
    """
    if not defects.boxes:
        return 0
    bad = defects.bad((mask.shape[0], mask.shape[1]), grow=grow)
    mask[bad] |= np.uint16(bit)
    return int(np.count_nonzero(bad))


def grown(bad: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Return True within `radius` pixels of a bad one, counted along rows and columns (a square)."""
    if radius < 1:
        return bad.copy()
    along = binary_dilation(bad, np.ones((1, 2 * radius + 1), np.bool_))
    return np.asarray(binary_dilation(along, np.ones((2 * radius + 1, 1), np.bool_)), np.bool_)


def _runs(column: NDArray[np.bool_]) -> set[tuple[int, int]]:
    """Return (first, behind the last) of every run of True."""
    edges = np.flatnonzero(np.diff(column.astype(np.int8), prepend=0, append=0)).tolist()
    return set(zip(edges[::2], edges[1::2], strict=True))
