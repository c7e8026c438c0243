"""The recipe in words: its steps in order, and which of them a product gets.

A step runs when the product wants it, the camera has it, and its calibration exists. The rest is recorded as not done, with
the reason: a picture with fewer steps is better than none, as long as everybody can see which they were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from rapid.processing.exposure import ExposureInfo
from rapid.processing.isr.calibrations import Calibrations

__all__ = ["RECIPE", "Plan", "plan"]

RECIPE: Final = (
    "bad amplifiers",
    "saturation",
    "serial overscan",
    "parallel overscan",
    "crosstalk",
    "linearity",
    "charge transfer",
    "gain",
    "assembly",
    "dead amplifiers",
    "bias",
    "dark",
    "defects",
    "brighter-fatter",
    "flat",
    "variance",
    "cosmic rays",
    "interpolation",
    "edge",
)
"""All steps, in the order in which they act on the pixels."""

_NOT_FOR: Final[Mapping[str, frozenset[str]]] = {
    "bias": frozenset({"charge transfer", "dark", "brighter-fatter", "flat", "cosmic rays", "interpolation"}),
    "dark": frozenset({"charge transfer", "brighter-fatter", "flat", "cosmic rays", "interpolation"}),
    "flat": frozenset({"brighter-fatter", "cosmic rays", "interpolation"}),
    "fe55": frozenset({"brighter-fatter", "cosmic rays", "interpolation"}),
}
"""What would take from a calibration product the very thing it is looked at for: a dark counts its cosmic rays, a flat is
compared with the flat without the sharpening of stars, and X-rays of iron 55 look like cosmic rays. Any other product gets all steps."""

_NOT_OF: Final[Mapping[str, frozenset[str]]] = {"LATISS": frozenset({"charge transfer", "brighter-fatter"})}
"""Steps a camera does without: on LATISS neither effect was found to matter at its pixel scale of 0.1 arcsec."""

_CALIBRATION: Final[Mapping[str, str]] = {
    "crosstalk": "crosstalk",
    "linearity": "linearity",
    "charge transfer": "cti",
    "bias": "bias",
    "dark": "dark",
    "defects": "defects",
    "brighter-fatter": "brighter_fatter",
    "flat": "flat",
}
"""The attribute of `Calibrations` a step needs."""

Plan = Mapping[str, str]
"""For every step of `RECIPE` why it is not done; empty for one that is."""


def plan(info: ExposureInfo, calibrations: Calibrations, *, repair: bool) -> Plan:
    """Say for every step whether it is done on an exposure, in the order of the recipe."""
    return {step: _why_not(step, info, calibrations, repair) for step in RECIPE}


def _why_not(step: str, info: ExposureInfo, calibrations: Calibrations, repair: bool) -> str:
    if step in _NOT_FOR.get(info.observation_type, ()):
        return f"not for a {info.observation_type}"
    if step in _NOT_OF.get(info.instrument, ()):
        return f"not for {info.instrument}"
    if step in _CALIBRATION and getattr(calibrations, _CALIBRATION[step]) is None:
        return "no calibration"
    if step == "dark" and not math.isfinite(info.dark_time):
        return "the time in the dark is not known"
    if step in {"cosmic rays", "interpolation"} and not repair:
        return "not asked for"
    return ""
