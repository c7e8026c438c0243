"""The quantities there are, each with its unit, region, definition and source."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from calib_verify.measurements.values import Level, Quantity

__all__ = ["QUANTITIES"]

_CP = "lsst/cp_verify"
_OURS = "calib_verify"
_AMPLIFIER = "amplifier, trimmed, without BAD, NO_DATA and DETECTED pixels"
_SERIAL = "serial overscan, rows of data and parallel overscan"


def _of(level: Level, rows: tuple[tuple[str, str, str, str, str], ...]) -> dict[str, Quantity]:
    return {
        name: Quantity(name, unit, level, region, definition, source) for name, unit, region, definition, source in rows
    }


_AMPLIFIERS: Final = _of(
    Level.AMPLIFIER,
    (
        ("mean", "electron", _AMPLIFIER, "Mean of all pixels, not clipped.", f"{_CP} MEAN, DMTN-101 4.2"),
        ("mean_clipped", "electron", _AMPLIFIER, "Mean after clipping at 5 sigma, three passes.", "lsst/afw MEANCLIP"),
        (
            "noise",
            "electron",
            _AMPLIFIER,
            "Standard deviation after clipping at 5 sigma, three passes.",
            f"{_CP} NOISE",
        ),
        ("noise_unclipped", "electron", _AMPLIFIER, "Standard deviation of all pixels.", "lsst/afw STDEV"),
        (
            "cr_noise",
            "electron",
            _AMPLIFIER,
            "Standard deviation of all pixels, those that cosmic rays hit filled from their neighbours.",
            f"{_CP} CR_NOISE, DMTN-101 4.4; cosmic rays by the core's finder",
        ),
        (
            "median",
            "electron",
            "amplifier, trimmed",
            "Median of the bulk of the pixels.",
            "rapid.processing.statistics",
        ),
        (
            "noise_robust",
            "electron",
            "amplifier, trimmed",
            "Standard deviation of the bulk of the pixels, clipped until nothing changes, corrected for the clipping.",
            "rapid.processing.statistics",
        ),
        (
            "amp_corner",
            "electron",
            "200 x 200 pixels at the corner that is read first",
            "Mean of all pixels, not clipped.",
            f"{_CP} AMP_CORNER",
        ),
        ("row_scatter", "electron", _AMPLIFIER, "Standard deviation of the means of the rows.", _OURS),
        ("column_scatter", "electron", _AMPLIFIER, "Standard deviation of the means of the columns.", _OURS),
        ("bias_level", "adu", _SERIAL, "Trimmed mean of the levels of the rows.", "rapid.processing.isr.readout"),
        (
            "read_noise_adu",
            "adu",
            _SERIAL + ", skipped columns too",
            "Standard deviation about the medians of the rows, clipped at 3 sigma, three passes.",
            f"{_CP} READ_NOISE_ADU, lsst/ip_isr overscan residual",
        ),
        ("read_noise_lsst", "electron", _SERIAL, "READ_NOISE_ADU times the gain.", f"{_CP} READ_NOISE_CONSISTENT"),
        (
            "read_noise",
            "electron",
            _SERIAL,
            "Scatter of the overscan about its levels, corrected for what these follow of it, times the gain.",
            "rapid.processing.isr.readout",
        ),
        (
            "nominal_read_noise",
            "electron",
            "none: a known number",
            "Read noise of the camera's tables.",
            "obs_lsst policy",
        ),
        ("nominal_gain", "electron / adu", "none: a known number", "Gain the frame was made with.", "obs_lsst policy"),
        (
            "predicted_noise",
            "electron",
            _AMPLIFIER,
            "What the pixels should scatter by: read noise, overscan levels, calibrations, dark current and photons.",
            f"{_OURS}; overscan medians as in Kenney & Keeping (1962) 13.13",
        ),
        (
            "bias_shift_count",
            "",
            _SERIAL,
            "Steps of the level from row to row that stand out by 3 sigma and are flat on either side.",
            "lsst/ip_isr isrStatistics, eo_pipe",
        ),
        (
            "bias_shift_noise",
            "adu",
            _SERIAL,
            "Standard deviation of the levels of the rows after a Butterworth high-pass of order 5, cutoff 1/15.",
            "lsst/ip_isr isrStatistics, eo_pipe",
        ),
        (
            "dark_current",
            "electron / s",
            "amplifier, trimmed",
            "Level of the dark over its dark time, what a calibration took off put back.",
            _OURS,
        ),
        (
            "hot_pixels",
            "",
            _AMPLIFIER,
            "Pixels with 5 electron/s or more above the median.",
            "camera team, bright defects; SITCOMTN-148",
        ),
        ("saturated_pixels", "", "amplifier, trimmed", "Pixels at saturation or above.", "rapid.processing.isr"),
        ("relative_level", "", _AMPLIFIER, "Mean over that of the detector.", _OURS),
        (
            "pair_gain",
            "electron / adu",
            "amplifier without the rim, pixels within 5.5 sigma of the difference of two flats",
            "Gain from the mean of (I1-I2)^2/(I1+I2), read noise accounted for, levels made equal.",
            "lsst/cp_pipe getGainFromFlatPair FULL",
        ),
        ("pair_read_noise", "electron", _SERIAL, "Overscan noise of two flats times the gain of the pair.", _OURS),
        (
            "pair_noise",
            "electron",
            "amplifier without the rim, difference of two flats",
            "Standard deviation of the difference over the square root of 2, clipped at 5.5 sigma and corrected for it.",
            "lsst/cp_pipe PTC",
        ),
        ("pair_predicted_noise", "electron", "as pair_noise", "Square root of the mean level plus read noise.", _OURS),
    ),
)

_DETECTORS: Final = _of(
    Level.DETECTOR,
    (
        ("detector_mean", "electron", "detector", "Mean of the means of the amplifiers.", f"{_CP} flat DET.MEAN"),
        (
            "detector_scatter",
            "electron",
            "detector",
            "Standard deviation of the means of the amplifiers.",
            f"{_CP} flat DET.SCATTER",
        ),
        ("cosmic_ray_pixels", "", "detector", "Pixels that cosmic rays hit.", "rapid.processing.isr.cosmic_rays"),
        (
            "image_correlation",
            "",
            "detector",
            "Largest correlation of the pixels of two amplifiers, with its sign.",
            "lsst/ip_isr isrStatistics",
        ),
        (
            "overscan_correlation",
            "",
            "serial overscan as it was read",
            "Largest correlation of the overscans of two amplifiers, with its sign.",
            "lsst/ip_isr isrStatistics",
        ),
    ),
)

_EXPOSURES: Final = _of(
    Level.EXPOSURE,
    (
        ("exposure_mean", "electron", "focal plane", "Mean of the means of the detectors.", _OURS),
        (
            "exposure_scatter",
            "electron",
            "focal plane",
            "Population standard deviation of the means of the detectors.",
            f"{_CP} flat EXP.SCATTER",
        ),
    ),
)

QUANTITIES: Final[Mapping[str, Quantity]] = MappingProxyType(_AMPLIFIERS | _DETECTORS | _EXPOSURES)
"""The quantities by name."""
