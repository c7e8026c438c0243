"""What the known stars say: where the telescope really pointed, how clear the sky was, and how deep the frame is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from rapid.processing.astrometry import Astrometry
from rapid.processing.comparison import Comparison
from rapid.processing.exposure import ExposureInfo
from rapid.processing.findings import Finding, Quality, Result, missing
from rapid.processing.frame import Study

__all__ = ["Sky", "analysis"]

_POINTING = (
    Finding("pointing_ra", 0.0, "arcsec", "Pointing error to the east, on the sky", "Pointing east"),
    Finding("pointing_dec", 0.0, "arcsec", "Pointing error to the north", "Pointing north"),
    Finding("rotation_error", 0.0, "deg", "Error of the position angle", "Rotation error"),
    Finding("pixel_scale", 0.0, "arcsec / pixel", "Scale in the middle of the detector", "Pixel scale"),
    Finding("astrometric_rms", 0.0, "arcsec", "Scatter of the matched stars about the fit", "Astrometric RMS"),
)

_DEPTH = (
    Finding("zero_point", 0.0, "mag", "Magnitude of a star that gives one electron a second", "Zero point"),
    Finding("transparency", 0.0, "", "Light let through: 1 for a clear sky at this airmass", "Transparency"),
    Finding("sky_brightness", 0.0, "mag / arcsec2", "Surface brightness of the sky", "Sky brightness"),
    Finding("magnitude_limit", 0.0, "mag", "Magnitude of a star found at 5 sigma", "Magnitude limit"),
    Finding("effective_time", 0.0, "s", "Seconds in which reference conditions reach this depth", "Effective time"),
    Finding("effective_time_seeing", 0.0, "", "Factor of the effective time: seeing", "t_eff seeing"),
    Finding("effective_time_transparency", 0.0, "", "Factor of the effective time: transparency", "t_eff clear"),
    Finding("effective_time_sky", 0.0, "", "Factor of the effective time: sky", "t_eff sky"),
)
"""Heads of the columns."""


@dataclass(frozen=True, slots=True)
class Sky:
    """Pointing, rotation and scale; zero point, transparency, sky brightness, depth and effective time.

    Without a reference catalogue it says nothing; with one of which parts could not be used all it says is suspect. Offsets
    are true minus said.
    """

    name: str = "sky"
    version: int = 1

    def applies(self, info: ExposureInfo) -> bool:
        """Tell whether the exposure was of the sky."""
        return info.on_sky

    def run(self, study: Study) -> Result:
        """Collect what the comparison with the catalogue gave; what it could not is missing, with the reason."""
        if study.comparison is None:
            return Result()
        findings = (*_pointing(study.comparison.astrometry), *_depth(study.comparison))
        return Result(tuple(_doubted(finding, study.comparison.doubt) for finding in findings))


def _pointing(found: Astrometry) -> list[Finding]:
    measured = (
        (found.pointing_ra, found.pointing_error),
        (found.pointing_dec, found.pointing_error),
        (found.rotation, found.rotation_error),
        (found.scale, found.scale_error),
        (found.rms, None),
    )
    findings = [
        _finding(column, value, error, found.reason, n=found.n_matches)
        for column, (value, error) in zip(_POINTING, measured, strict=True)
    ]
    count = Finding("n_matched_stars", found.n_matches, "", "Sources matched to known stars", "Matched stars")
    return [*findings, count]


def _depth(comparison: Comparison) -> list[Finding]:
    seen = comparison.photometry
    if seen is None:
        reason = comparison.why_no_photometry or "no photometry was possible"
        return [_finding(column, math.nan, None, reason, n=0) for column in _DEPTH]
    time = seen.effective_time
    estimates = (
        *(seen.zero_point.estimate, seen.transparency, seen.sky_brightness, seen.magnitude_limit),
        *(time.time, time.seeing, time.transparency, time.sky),
    )
    return [
        _doubted(
            _finding(column, estimate.value, estimate.error, estimate.reason, n=seen.zero_point.n_stars), estimate.doubt
        )
        for column, estimate in zip(_DEPTH, estimates, strict=True)
    ]


def _finding(column: Finding, value: float, error: float | None, reason: str, *, n: int) -> Finding:
    if not math.isfinite(value):
        why = reason or "it is not a number"
        return missing(column.name, why, unit=column.unit, description=column.description, label=column.label)
    uncertainty = float(error) if error is not None and math.isfinite(error) else None
    return replace(column, value=float(value), uncertainty=uncertainty, n=n)


def _doubted(finding: Finding, doubt: str) -> Finding:
    if not doubt or finding.value is None:
        return finding
    reason = f"{finding.reason}; {doubt}" if finding.reason else doubt
    return replace(finding, quality=Quality.SUSPECT, reason=reason)


analysis = Sky()
