"""What is measured on every amplifier of a frame, whatever kind of calibration it is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from calib_verify.measurements.clipping import LsstStatistics, lsst_statistics
from calib_verify.measurements.levels import Overscans
from calib_verify.measurements.quantities import QUANTITIES
from calib_verify.measurements.structure import profiles, read_corner_box, scatter
from calib_verify.measurements.values import Measurement, measured
from rapid.processing.frame import AmplifierStatistics, Frame, Mask
from rapid.processing.geometry import Amplifier
from rapid.processing.isr.medians import row_medians
from rapid.processing.isr.overscan import LEADING, TRAILING

__all__ = ["EXCLUDED", "AmplifierView", "corner", "levels", "overscan_noise", "pixels", "predicted", "structure"]

EXCLUDED: Final = int(Mask.BAD | Mask.NO_DATA | Mask.DETECTED)
"""Pixels that cp_verify leaves out of its statistics; not the saturated ones, and not those a cosmic ray hit."""

_RESIDUAL_CLIP: Final = 3.0


@dataclass(frozen=True, slots=True)
class AmplifierView:
    """One amplifier of a frame while it is measured.

    Attributes
    ----------
    segment
        As it was read [adu], shape (ny, nx).
    image, mask
        Its part of the frame [electron].
    seen
        What the core says about it.
    gain
        electron/adu the frame was made with.
    added
        Variance of a pixel without light, as the core predicts it [electron^2].
    """

    frame: Frame
    amplifier: Amplifier
    segment: NDArray[np.int32]
    seen: AmplifierStatistics
    gain: float
    added: float
    overscans: Overscans
    statistics: LsstStatistics

    @classmethod
    def of(
        cls, frame: Frame, index: int, segment: NDArray[np.int32], *, gain: float, overscans: Overscans
    ) -> AmplifierView:
        """Look at the amplifier of an index; its pixels are measured here, once."""
        amplifier = frame.detector.amplifiers[index]
        part = amplifier.bbox.slices
        statistics = lsst_statistics(frame.image[part], frame.mask[part], EXCLUDED)
        added = math.nan if frame.noise is None else float(frame.noise.added[index])
        return cls(frame, amplifier, segment, frame.amplifiers[index], gain, added, overscans, statistics)

    @property
    def image(self) -> NDArray[np.float32]:
        """Its part of the frame [electron]."""
        return self.frame.image[self.amplifier.bbox.slices]

    @property
    def mask(self) -> NDArray[np.uint16]:
        """Its part of the mask."""
        return self.frame.mask[self.amplifier.bbox.slices]

    @property
    def overscan(self) -> NDArray[np.int32]:
        """All columns of its serial overscan, rows of the parallel one too [adu]."""
        data = self.amplifier.data
        return self.segment[:, data.x0 + data.width :]

    def mean_error(self, spread: float, n: int, n_rows: int, n_columns: int) -> float:
        """Standard error of the mean of n pixels of a box [electron]: their scatter, and the level taken from all."""
        level = self.seen.read_noise**2 * self.overscans.level_variance(n_rows, n_columns)
        return math.sqrt(spread**2 / n + level) if n else math.nan

    def noise_error(self, spread: float, n: int) -> float:
        """Standard error of the scatter of n of its pixels [electron]."""
        box = self.amplifier.bbox
        return spread * self.overscans.scatter_error(n, box.height, box.width)

    def measured(self, name: str, value: float, uncertainty: float | None = None, n: int = 0) -> Measurement:
        """Return a measurement on this amplifier."""
        return measured(
            QUANTITIES[name],
            value,
            uncertainty,
            n,
            detector=self.frame.info.detector_name,
            amplifier=self.amplifier.name,
        )


def pixels(view: AmplifierView) -> Iterator[Measurement]:
    """Measure level and scatter of the pixels, clipped and not."""
    s = view.statistics
    box = view.amplifier.bbox
    n_kept = s.n - s.n_clipped
    error = view.mean_error(s.stdev_clipped, n_kept, box.height, box.width)
    yield view.measured("mean", s.mean, view.mean_error(s.stdev, s.n, box.height, box.width), s.n)
    yield view.measured("mean_clipped", s.mean_clipped, error, n_kept)
    yield view.measured("noise", s.stdev_clipped, view.noise_error(s.stdev_clipped, n_kept), n_kept)
    yield view.measured("noise_unclipped", s.stdev, None, s.n)  # a single pixel can decide about it
    yield view.measured("median", view.seen.median, error, s.n)
    yield view.measured("noise_robust", view.seen.sigma, view.noise_error(view.seen.sigma, n_kept), n_kept)


def levels(view: AmplifierView) -> Iterator[Measurement]:
    """Measure level and noise of the overscan, and say what is known of both."""
    seen = view.seen
    n = view.overscans.n_serial * view.segment.shape[0]
    yield view.measured("bias_level", seen.bias_level, seen.bias_level_error, n)
    yield view.measured("read_noise", seen.read_noise, seen.read_noise_error, n)
    yield view.measured("nominal_read_noise", view.amplifier.read_noise)
    yield view.measured("nominal_gain", view.gain)


def overscan_noise(view: AmplifierView) -> Iterator[Measurement]:
    """Measure the overscan as ip_isr does: all of its columns, about medians of those that are not skipped."""
    overscan = view.overscan
    medians = np.empty(overscan.shape[0])
    row_medians(overscan[:, LEADING : overscan.shape[1] - TRAILING], medians)
    rest = (overscan - medians[:, None]).astype(np.float32)
    found = lsst_statistics(rest, clip=_RESIDUAL_CLIP)
    n = found.n - found.n_clipped
    error = _of_a_scatter(found.stdev_clipped, n)
    yield view.measured("read_noise_adu", found.stdev_clipped, error, n)
    yield view.measured("read_noise_lsst", found.stdev_clipped * view.gain, error * view.gain, n)


def corner(view: AmplifierView) -> Iterator[Measurement]:
    """Measure the corner that is read first, where levels settle."""
    box = read_corner_box(view.amplifier)
    found = lsst_statistics(view.frame.image[box.slices], view.frame.mask[box.slices], EXCLUDED)
    error = view.mean_error(found.stdev, found.n, box.height, box.width)
    yield view.measured("amp_corner", found.mean, error, found.n)


def structure(view: AmplifierView) -> Iterator[Measurement]:
    """Measure how much rows and columns differ."""
    rows, columns = profiles(view.image, view.mask, EXCLUDED)
    yield view.measured("row_scatter", *scatter(rows))
    spread, _, n = scatter(columns)
    level = view.seen.read_noise * math.sqrt(view.overscans.column_variance)
    yield view.measured("column_scatter", spread, view.overscans.column_scatter_error(spread, level, n), n)


def predicted(view: AmplifierView, charge: float) -> Iterator[Measurement]:
    """Say what the pixels should scatter by, given the charge they collected on average [electron]."""
    variance = view.added + max(charge, 0.0) if math.isfinite(charge) else math.nan
    noise = math.sqrt(variance) if variance >= 0 else math.nan
    error = math.nan
    if noise > 0:  # of the read noise alone: what the charge adds is its mean, known far better
        error = view.seen.read_noise * view.seen.read_noise_error / noise
    yield view.measured("predicted_noise", noise, error, view.overscans.n_serial * view.segment.shape[0])


def _of_a_scatter(spread: float, n: int) -> float:
    return spread / math.sqrt(2 * (n - 1)) if n > 1 else math.nan
