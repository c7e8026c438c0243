"""Find by votes how a field is shifted and turned: every detection votes with every reference star.

A pair of a detection and its own star votes for the true shift, and all such pairs vote alike; pairs of strangers vote
anywhere. Neither spurious detections nor missing stars take votes away from the truth, they only add to the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.processing.astrometry.tangent import rotation
from rapid.processing.jit import compiled

__all__ = ["CELL", "Candidate", "vote"]

Values = NDArray[np.float64]

CELL = 2.0
"""Width of a cell of shifts [arcsec]. Votes are summed over three by three: six arcsec take in the blur of the distortion, of
half a step in rotation and of an error in scale of some thousandths, with room to spare."""

_BLUR = 1.5
"""How far half a step in rotation may move the star that is farthest from the middle [arcsec]."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A shift [arcsec] and a rotation [rad, counter-clockwise, about the middle of the detections] with its votes."""

    shift: tuple[float, float]
    angle: float
    votes: int


def vote(
    detections: Values, references: Values, *, lever: tuple[float, float], reach: float, turn: float, keep: int
) -> list[Candidate]:
    """Return the shifts and rotations with most votes, most first.

    Parameters
    ----------
    detections, references
        Places in one tangent plane [arcsec], shapes (n, 2) and (m, 2); detections about their own middle.
    lever
        From the boresight to that middle [arcsec]: what a rotation about the boresight moves.
    reach, turn
        Largest shift of the boresight [arcsec] and largest rotation [rad] looked at.
    keep
        How many to return; no two of them are closer than three cells at neighbouring rotations.
    """
    radius = float(np.sqrt((detections**2).sum(axis=1)).max())
    angles = _angles(turn, radius)
    slack = 0.0 if len(angles) == 1 else 0.5 * (angles[1] - angles[0]) * float(np.hypot(*lever))
    size = int(np.ceil((reach + slack) / CELL)) * 2 + 3
    in_order = references[np.argsort(references[:, 0], kind="stable")]
    found: list[Candidate] = []
    for angle in angles:
        turned = detections @ rotation(angle).T
        moved = rotation(angle) @ np.asarray(lever) - lever
        corner = moved - 0.5 * size * CELL
        counts = _count(turned, in_order, corner, CELL, np.zeros((size, size), dtype=np.int32))
        for votes, row, column in _peaks(counts, keep).tolist():
            shift = corner + CELL * (np.array([column, row]) + 0.5)
            found.append(Candidate((float(shift[0]), float(shift[1])), float(angle), votes))
    return _distinct(sorted(found, key=lambda candidate: -candidate.votes), keep, step=slack + 3.0 * CELL)


def _angles(turn: float, radius: float) -> Values:
    steps = int(np.ceil(turn * radius / (2.0 * _BLUR)))
    return np.linspace(-turn, turn, 2 * steps + 1) if steps else np.zeros(1)


@compiled
def _count(
    detections: Values, references: Values, corner: Values, cell: float, counts: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Count shifts from detections to reference stars, which are in order of their first coordinate."""
    size = counts.shape[0]
    first = references[:, 0].copy()
    per_arcsec = 1.0 / cell
    for i in range(len(detections)):
        x0, y0 = detections[i, 0] + corner[0], detections[i, 1] + corner[1]
        for j in range(np.searchsorted(first, x0), np.searchsorted(first, x0 + size * cell)):
            column, row = (first[j] - x0) * per_arcsec, (references[j, 1] - y0) * per_arcsec
            if column < size and 0.0 <= row < size:
                counts[int(row), int(column)] += 1
    return counts


@compiled
def _peaks(counts: NDArray[np.int32], keep: int) -> NDArray[np.int64]:
    """Return (votes, row, column) of the best sums over three by three cells, no two of them neighbours; best first."""
    best = np.zeros((keep, 3), dtype=np.int64)
    for row in range(1, counts.shape[0] - 1):
        for column in range(1, counts.shape[1] - 1):
            votes = 0
            for i in range(row - 1, row + 2):
                votes += counts[i, column - 1] + counts[i, column] + counts[i, column + 1]
            if votes > best[-1, 0]:
                _insert(best, votes, row, column)
    return best


@compiled
def _insert(best: NDArray[np.int64], votes: int, row: int, column: int) -> None:
    """Put a sum into the list at its place; of two closer than three cells the one with more votes stays."""
    last = len(best) - 1
    for k in range(len(best)):
        if best[k, 0] and abs(best[k, 1] - row) < 3 and abs(best[k, 2] - column) < 3:
            if best[k, 0] >= votes:
                return
            last = k
            break
    while last > 0 and best[last - 1, 0] < votes:
        best[last] = best[last - 1]
        last -= 1
    best[last, 0], best[last, 1], best[last, 2] = votes, row, column


def _distinct(candidates: list[Candidate], keep: int, *, step: float) -> list[Candidate]:
    """Keep the best of those that vote for nearly the same."""
    kept: list[Candidate] = []
    for candidate in candidates:
        if all(_apart(candidate, other) > step for other in kept):
            kept.append(candidate)
        if len(kept) == keep:
            break
    return kept


def _apart(one: Candidate, other: Candidate) -> float:
    return float(np.hypot(one.shift[0] - other.shift[0], one.shift[1] - other.shift[1]))
