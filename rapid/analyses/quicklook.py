"""The numbers of a frame that belong in the table of the night, each with its unit and, where it is missing, its reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rapid.analyses.overview import calibration, dead_amplifiers
from rapid.analyses.star import scatter
from rapid.analyses.star_scatter import ellipticity_errors
from rapid.processing.exposure import ExposureInfo
from rapid.processing.findings import Finding, Quality, Result, missing
from rapid.processing.frame import AmplifierStatistics, Frame, Mask, Psf, Study
from rapid.processing.isr.amplifier_offsets import AmplifierOffsets

__all__ = ["Quicklook", "analysis"]

_SAMPLE = 1_000_000
"""Pixels that are enough for the median of a frame: its error is then 0.13 % of the pixel-to-pixel scatter."""

_SAMPLE_OF_SPREAD = 100_000
"""Pixels that are enough for the scatter: the error of the median is then known to 0.5 %."""

_MEDIAN_LOSS = math.sqrt(math.pi / 2)
"""Standard error of a median of Gaussian values over that of their mean."""

_DRAWS = 2000
"""Repetitions that tell a standard error to 1.6 %."""

_ENOUGH_STARS = 5
"""With fewer, one wrong star moves the point-spread function and nothing tells."""


@dataclass(frozen=True, slots=True)
class Quicklook:
    """Image quality, sky, counts of sources and pixels, and the state of the amplifiers.

    Columns that the observatory's own display has carry its label. A bias, dark or flat has a level and noise of its own;
    on any other frame those two columns do not appear.
    """

    name: str = "quicklook"
    version: int = 4

    def applies(self, info: ExposureInfo) -> bool:  # noqa: ARG002 - every exposure has numbers
        """Return True: every exposure has numbers."""
        return True

    def run(self, study: Study) -> Result:
        """Collect what the core measured; what it could not is missing, with the reason."""
        frame = study.frame
        findings = [*_psf(study), *_sky(study), _n_sources(study), *_pixel_counts(frame), *_amplifiers(frame)]
        if study.offsets is not None:
            findings.append(_offsets(study.offsets))
        if calibration(frame.info.observation_type):
            findings += _calibration(frame)
        return Result(tuple(findings))


def _psf(study: Study) -> list[Finding]:
    columns = (
        Finding("psf_fwhm", 0.0, "arcsec", "FWHM of the point-spread function, over all stars used", "PSF FWHM"),
        Finding(
            "psf_effective_fwhm",
            0.0,
            "arcsec",
            "FWHM of the Gaussian that covers as much noise as the PSF",
            "PSF effective FWHM",
        ),
        Finding("psf_e1", 0.0, "", "Ellipticity of the PSF along rows and columns", "PSF e1"),
        Finding("psf_e2", 0.0, "", "Ellipticity of the PSF along the diagonals", "PSF e2"),
    )
    count = Finding("psf_star_count", 0, "", "Stars used for the PSF", "PSF star count")
    psf = study.psf
    if psf is None:
        why = study.why_not or "no PSF was measured"
        return [*(_missing(column, why) for column in (*columns, count)), *_encircled(study, why)]
    scale = study.frame.detector.pixel_scale
    values = (psf.fwhm * scale, psf.effective_fwhm * scale, psf.e1, psf.e2)
    errors = (psf.fwhm_error * scale, psf.effective_fwhm_error * scale, *_ellipticity_errors(study, psf))
    reason = psf.reason or "the PSF is not a number"
    few = "" if psf.n_stars >= _ENOUGH_STARS else f"only {psf.n_stars} {'star' if psf.n_stars == 1 else 'stars'}"
    return [
        *(
            _doubted(_filled(column, value, reason, uncertainty=error, n=psf.n_stars), psf.doubt or few)
            for column, value, error in zip(columns, values, errors, strict=True)
        ),
        replace(count, value=psf.n_stars),
        *_encircled(study, reason),
    ]


def _ellipticity_errors(study: Study, psf: Psf) -> tuple[float | None, float | None]:
    """Return those of the mean over the stars where the core has them, else those that the scatter of the stars shows."""
    if math.isfinite(psf.e1_error) and math.isfinite(psf.e2_error):
        return psf.e1_error, psf.e2_error
    return ellipticity_errors(study.sources, psf)


def _encircled(study: Study, reason: str) -> list[Finding]:
    """Radii of circles that hold parts of the light of the stacked stars."""
    columns = [
        Finding(
            f"psf_ee{percent}",
            0.0,
            "arcsec",
            f"Radius of the circle that holds {percent} % of the light of a star",
            f"PSF EE{percent} radius",
        )
        for percent in (50, 80, 90)
    ]
    profile = study.psf.profile if study.psf else None
    if profile is None:
        return [_missing(column, reason) for column in columns]
    scale = study.frame.detector.pixel_scale
    unknown = "the light of the stars goes on beyond three times their width"
    return [
        _filled(column, radius * scale, unknown, uncertainty=error * scale, n=profile.n_stars)
        for column, radius, error in zip(columns, profile.encircled, profile.encircled_error, strict=True)
    ]


def _sky(study: Study) -> list[Finding]:
    mean = Finding("sky_mean", 0.0, "electron", "Level of the sky under the sources", "Sky mean")
    rms = Finding("sky_rms", 0.0, "electron", "Pixel-to-pixel noise of the sky", "Sky RMS")
    background, kind = study.background, study.frame.info.observation_type
    if background is None or calibration(kind):
        reason = study.why_not or (f"a {kind} shows no sky" if calibration(kind) else "no sky was measured")
        return [_missing(column, reason) for column in (mean, rms)]
    reason = "the sky is not a number"
    return [
        _filled(mean, background.level, reason, uncertainty=background.level_error),
        _filled(rms, background.noise, reason, uncertainty=background.noise_error),
    ]


def _n_sources(study: Study) -> Finding:
    column = Finding("n_sources", 0, "", "Sources detected", "Sources")
    if study.sources is None:
        return _missing(column, study.why_not or "sources were not measured")
    return replace(column, value=len(study.sources))


def _pixel_counts(frame: Frame) -> list[Finding]:
    saturated, bad = _count(frame.mask, Mask.SATURATED), _count(frame.mask, Mask.BAD | Mask.NO_DATA)
    median = Finding(
        "postisr_pixel_median",
        0.0,
        "electron",
        "Median of all good pixels after instrument signature removal",
        "PostISR pixel median",
    )
    value, error, n = _median(frame)
    n_bad = Finding("n_bad", bad, "pixel", "Pixels that carry no usable data", "Bad pixels")
    return [
        Finding("n_saturated", saturated, "pixel", "Saturated pixels", "Saturated pixels"),
        _doubted(n_bad, _no_signal(frame)),
        _filled(median, value, "no pixel of the frame is usable", uncertainty=error, n=n),
    ]


def _count(mask: NDArray[np.uint16], bits: Mask) -> int:
    return int(np.count_nonzero(mask & np.uint16(bits)))


def _median(frame: Frame) -> tuple[float, float, int]:
    """Return the median of the good pixels of a sample, its standard error, and their number."""
    step = max(1, math.isqrt(frame.image.size // _SAMPLE))
    part = np.s_[step // 2 :: step, step // 2 :: step]
    image = frame.image[part]
    values = image[np.isfinite(image) & ((frame.mask[part] & np.uint16(Mask.BAD | Mask.NO_DATA)) == 0)]
    if values.size == 0:
        return math.nan, math.nan, 0
    spread = scatter(values[:: max(1, values.size // _SAMPLE_OF_SPREAD)].astype(np.float64))
    return float(np.median(values)), _MEDIAN_LOSS * spread / math.sqrt(values.size), int(values.size)


def _no_signal(frame: Frame) -> str:
    """Say which amplifiers are dead, or nothing."""
    dead = [amplifier.name for amplifier in dead_amplifiers(frame)]
    return f"{', '.join(dead)} {'carries' if len(dead) == 1 else 'carry'} no signal" if dead else ""


def _amplifiers(frame: Frame) -> list[Finding]:
    dead = [amplifier.name for amplifier in dead_amplifiers(frame)]
    count = Finding("dead_amplifiers", len(dead), "", "Amplifiers that carry no signal", "Dead amplifiers")
    names = Finding(
        "dead_amplifier_names", ", ".join(dead), "", "Which amplifiers carry no signal", "Dead amplifier names"
    )
    bias = Finding("bias_level", 0.0, "adu", "Level of the serial overscan, median over live amplifiers", "Bias level")
    noise = Finding(
        "read_noise", 0.0, "electron", "Read noise from the overscan, median over live amplifiers", "Read noise"
    )
    return [
        _doubted(count, _no_signal(frame)),
        *([names] if dead else []),
        _doubted(
            _over_amplifiers(bias, frame, lambda seen: (seen.bias_level, seen.bias_level_error)), _no_signal(frame)
        ),
        _doubted(
            _over_amplifiers(noise, frame, lambda seen: (seen.read_noise, seen.read_noise_error)), _no_signal(frame)
        ),
    ]


def _offsets(offsets: AmplifierOffsets) -> Finding:
    """Root mean square of the pedestals; its error has their covariance, as they share one sky."""
    column = Finding(
        "amplifier_offset_rms",
        0.0,
        "electron",
        "Root mean square of the offsets between amplifiers, told from the sky",
        "Amplifier offset RMS",
    )
    known = np.isfinite(offsets.pedestals)
    if not known.any():
        return _missing(column, next(filter(None, offsets.reasons), "no amplifier has a sky"))
    pedestals, covariance = offsets.pedestals[known], offsets.covariance[np.ix_(known, known)]
    n, rms = int(known.sum()), math.sqrt(float(np.mean(pedestals**2)))
    error = math.sqrt(float(pedestals @ covariance @ pedestals)) / (n * rms) if rms else None
    return _filled(column, rms, "the offsets are not numbers", uncertainty=error, n=n)


def _calibration(frame: Frame) -> list[Finding]:
    """Level and noise of the data; without errors, since what the subtracted overscan adds to them is not known here."""
    kind = frame.info.observation_type
    level = Finding(
        "calib_level", 0.0, "electron", "Level of a bias, dark or flat, median over live amplifiers", "Calib level"
    )
    noise = Finding(
        "calib_noise", 0.0, "electron", "Noise of a bias, dark or flat, median over live amplifiers", "Calib noise"
    )
    return [
        _over_amplifiers(level, frame, lambda seen: (seen.median, math.nan), what=kind),
        _over_amplifiers(noise, frame, lambda seen: (seen.sigma, math.nan), what=kind),
    ]


def _over_amplifiers(
    column: Finding,
    frame: Frame,
    measured: Callable[[AmplifierStatistics], tuple[float, float]],
    *,
    what: str = "overscan",
) -> Finding:
    """Take the median over the amplifiers that are alive of what was measured of each, a value and its standard error."""
    pairs = [measured(amplifier) for amplifier in frame.amplifiers if not amplifier.dead]
    values, errors = np.array([pair for pair in pairs if math.isfinite(pair[0])], dtype=np.float64).reshape(-1, 2).T
    if values.size == 0:
        return _missing(column, f"no live amplifier has a measured {what}")
    return replace(
        column, value=float(np.median(values)), n=int(values.size), uncertainty=_error_of_median(values, errors)
    )


def _error_of_median(values: NDArray[np.float64], errors: NDArray[np.float64]) -> float | None:
    """Return the standard error of a median of values that differ by nature; None where an error is not known.

    How they differ is no error: apart by far more than their errors, the one or two in the middle are all that counts;
    alike, all count. Measuring them again, many times with their errors, covers both and what lies between
    (parametric bootstrap, Efron & Tibshirani 1993, chapter 6). The draws are the same every time.
    """
    if not np.isfinite(errors).all() or not errors.any():
        return None
    draws = np.random.default_rng(0).standard_normal((_DRAWS, values.size))
    return float(np.std(np.median(values + errors * draws, axis=1)))


def _filled(
    column: Finding, value: float, reason: str, *, uncertainty: float | None = None, n: int | None = None
) -> Finding:
    if not math.isfinite(value):
        return _missing(column, reason)
    known = uncertainty is not None and math.isfinite(uncertainty)
    return replace(column, value=float(value), uncertainty=uncertainty if known else None, n=n, quality=Quality.GOOD)


def _doubted(finding: Finding, doubt: str) -> Finding:
    """Return the finding, suspect where there is a doubt and a value."""
    if not doubt or finding.value is None:
        return finding
    return replace(finding, quality=Quality.SUSPECT, reason=doubt)


def _missing(column: Finding, reason: str) -> Finding:
    return missing(column.name, reason, unit=column.unit, description=column.description, label=column.label)


analysis = Quicklook()
