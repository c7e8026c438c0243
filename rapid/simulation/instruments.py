"""The cameras that are simulated: names, optics, timing, filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from rapid.errors import UnknownInstrument
from rapid.processing.geometry import Detector, DetectorKind, detectors
from rapid.simulation.hdus import Value
from rapid.simulation.passbands import COMCAM_PASSBANDS, LSSTCAM_PASSBANDS, PASSBANDS, Passband

__all__ = ["INSTRUMENTS", "Instrument", "instrument", "random_key"]


@dataclass(frozen=True, slots=True)
class Instrument:
    """One camera on its telescope.

    Attributes
    ----------
    name, code
        ``LSSTCam`` as in the archive, and ``MC`` as in the names of its files.
    passbands
        Its filters by name.
    resting_filter
        What is in the beam for biases and darks.
    middle
        The detector at the boresight; a plan's ``target.pixel`` counts in it.
    shutter, clear
        Dark time beyond the exposure time, with and without the shutter.
    donut_per_mm
        Pixels of pupil image per mm of defocus: of the hexapod, and of the height of a detector.
    obscuration
        Diameter of the central obscuration of the pupil, relative.
    best_focus
        Of the hexapod [mm].
    pointing_error
        Standard deviation per axis [arcsec] after a slew.
    dark_current
        Electron per pixel and second.
    template
        Name of the header template among the package data.
    cards
        Primary cards that differ from the template's, and are the same in every file.
    shutter_motion
        Whether the header says how the shutter moved.
    """

    name: str
    code: str
    passbands: Mapping[str, Passband]
    resting_filter: str
    middle: str
    shutter: timedelta
    clear: timedelta
    donut_per_mm: float
    obscuration: float
    best_focus: float
    pointing_error: float
    dark_current: float
    template: str
    cards: Mapping[str, Value]
    shutter_motion: bool = False

    @property
    def pixel_scale(self) -> float:
        """Arcsec per pixel at the centre of the field."""
        return self.middle_detector.pixel_scale

    @property
    def middle_detector(self) -> Detector:
        """The detector at the boresight."""
        return detectors(self.name)[self.middle]

    def default_detectors(self) -> tuple[str, ...]:
        """List the detectors that take pictures: all but the guiders."""
        return tuple(name for name, one in detectors(self.name).items() if one.kind is not DetectorKind.GUIDER)

    def chosen(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return these detectors in the order of their numbers, each once; all that take pictures when none is named.

        Raises
        ------
        UnknownInstrument
            If the camera has no detector of such a name.
        """
        known = detectors(self.name)
        for name in names:
            if name not in known:
                expected = f"{next(iter(known))} ... {list(known)[-1]}" if len(known) > 1 else next(iter(known))
                raise UnknownInstrument(f"{self.name} has no such detector", expected=expected, found=repr(name))
        return tuple(name for name in known if name in names) or self.default_detectors()


_LATISS: Final = Instrument(
    name="LATISS",
    code="AT",
    passbands=PASSBANDS,
    resting_filter="empty_1",
    middle="R00_S00",
    shutter=timedelta(milliseconds=240),  # 2024 header
    clear=timedelta(milliseconds=12),
    donut_per_mm=41.0 / 18.0 / 0.010,  # magnification 41, f/18, 10 um pixels
    obscuration=0.42,
    best_focus=0.62,
    pointing_error=12.0,
    dark_current=0.03,  # at -101 C
    template="latiss",
    cards=MappingProxyType({}),
)

_LSSTCAM: Final = Instrument(
    name="LSSTCam",
    code="MC",
    passbands=LSSTCAM_PASSBANDS,
    resting_filter="r_57",
    middle="R22_S11",
    shutter=timedelta(milliseconds=948),  # headers of April and November 2025: 0.948 and 0.932 s
    clear=timedelta(milliseconds=16),
    donut_per_mm=1.0 / 1.234 / 0.010,  # f/1.234
    obscuration=0.61,
    best_focus=-4.09,
    pointing_error=5.0,
    dark_current=0.02,
    template="lsstcam",
    cards=MappingProxyType({}),
    shutter_motion=True,
)

_COMCAM: Final = Instrument(
    name="LSSTComCam",
    code="CC",
    passbands=COMCAM_PASSBANDS,
    resting_filter="r_03",
    middle="R22_S11",
    shutter=timedelta(milliseconds=431),  # 2024 header
    clear=timedelta(milliseconds=16),
    donut_per_mm=1.0 / 1.234 / 0.010,
    obscuration=0.61,
    best_focus=2.06,
    pointing_error=10.0,
    dark_current=0.02,
    template="lsstcam",
    cards=MappingProxyType(
        {"INSTRUME": "ComCam", "CAMCODE": "CC", "PLATFORM": "comcam", "DAQPART": "comcam", "TSTAND": "TMACCv1_SUM"}
    ),
)

INSTRUMENTS: Final[Mapping[str, Instrument]] = MappingProxyType({one.name: one for one in (_LATISS, _LSSTCAM, _COMCAM)})
"""The cameras by name."""


def instrument(name: str) -> Instrument:
    """Return a camera.

    Raises
    ------
    UnknownInstrument
        If it is not one that can be simulated.
    """
    if name not in INSTRUMENTS:
        raise UnknownInstrument("no such camera to simulate", expected=" or ".join(INSTRUMENTS), found=repr(name))
    return INSTRUMENTS[name]


def random_key(detector: Detector) -> tuple[int, ...]:
    """Return what sets the random numbers of a detector apart from those of others in the same exposure."""
    return () if detector.instrument == "LATISS" else (detector.number + 1,)
