"""What stars should look like, as far as the header tells: in focus, out of focus, dispersed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rapid.processing.exposure import ExposureInfo
from rapid.processing.geometry import Detector

__all__ = ["DISPERSED", "DONUT", "IN_FOCUS", "Expectation", "expectation"]

IN_FOCUS: Final = "in_focus"
DONUT: Final = "donut"
DISPERSED: Final = "dispersed"

_OPTICS: Final = {"LATISS": (41.0, 18.0), "LSSTCam": (1.0, 1.234), "LSSTComCam": (1.0, 1.234)}
"""How far the image moves along the axis for a step of the focus, and the focal ratio; of the auxiliary telescope the
secondary mirror is moved, of the Simonyi telescope the camera (SITCOMTN, `summit_utils` peekExposure)."""

_SEEN: Final = 2.0
"""Diameter [pixel] from which on a defocus is worth a word."""

_NO_DISPERSER: Final = ("empty", "unknown", "none")
"""How the name of a position of the wheel without a disperser begins."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the header says: the ``donut``'s diameter [pixel], None where nobody said, and whether it is ``dispersed``."""

    donut: float | None = None
    dispersed: bool = False

    def said(self) -> str:
        """Say what the focus offset lets expect, to be added to a sentence."""
        if self.donut is None or self.donut < _SEEN:
            return ""
        return f", {self.donut:.0f} by the focus offset"


def expectation(info: ExposureInfo, detector: Detector) -> Expectation:
    """Tell how stars should look on a detector.

    The image of the pupil has the diameter |focus_z| times the motion of the image, over the focal ratio. Offsets that are
    parts of a hexapod's own correction are in it too, so that it is an upper limit more than a measurement.
    """
    optics = _OPTICS.get(info.instrument)
    donut = None
    if optics and info.focus_z is not None and detector.pixel_size > 0:
        donut = abs(info.focus_z) * optics[0] / optics[1] / detector.pixel_size
    disperser = (info.disperser or "").casefold()
    return Expectation(donut, disperser != "" and not disperser.startswith(_NO_DISPERSER))
