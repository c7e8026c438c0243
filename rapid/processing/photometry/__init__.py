"""How bright a magnitude is on this frame: zero point, colour terms, and what a clear night would show."""

from rapid.processing.photometry.colour import ColourTerm, choose_colour_term
from rapid.processing.photometry.estimate import Estimate, unknown
from rapid.processing.photometry.fiducials import Fiducial, fiducial
from rapid.processing.photometry.zero_point import ZeroPoint, fit_zero_point

__all__ = [
    "ColourTerm",
    "Estimate",
    "Fiducial",
    "ZeroPoint",
    "choose_colour_term",
    "fiducial",
    "fit_zero_point",
    "unknown",
]
