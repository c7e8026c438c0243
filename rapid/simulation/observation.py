"""What was really the case when an exposure was taken: the air, the pointing, the image quality, the light that came through."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from rapid.simulation.chance import generator
from rapid.simulation.optics import field_optics
from rapid.simulation.passbands import Passband
from rapid.simulation.plan import PlannedExposure
from rapid.simulation.schedule import ScheduledExposure
from rapid.simulation.sequences import Clouds
from rapid.simulation.site import Pointing

__all__ = ["Observation", "Weather", "make_observation"]

_EXPOSURE_POINTING_ERROR = 0.4  # arcsec per axis: guiding from one exposure to the next
_SEEING_JITTER = 0.03  # relative scatter of the seeing from one exposure to the next
_REFERENCE = 500.0  # nm, wavelength for which seeing is stated


@dataclass(frozen=True, slots=True)
class Weather:
    """The air outside: degree C, Pa, percent, m/s, degrees, and the DIMM's seeing [arcsec]."""

    temperature: float
    pressure: float
    humidity: float
    wind_speed: float
    wind_direction: float
    dimm_seeing: float


@dataclass(frozen=True, slots=True)
class Observation:
    """An exposure with its truth.

    Attributes
    ----------
    boresight
        Where the telescope really pointed (ICRS, at mid-exposure); None for calibrations.
    pointing_error
        Arcsec east and north, real minus reported.
    fwhm
        Of the seeing disc as delivered in this band at this airmass [arcsec], before any defocus.
    defocus
        Offset from best focus, in pixels of the pupil's image: its magnitude is the diameter of a donut.
    airmass, transmission
        At mid-exposure; transmission is that of clouds alone.
    zero_point
        Magnitude that gave one electron a second through this air.
    sky
        Electron per pixel and second.
    focus_position
        Of the hexapod [mm].
    varies
        Whether the PSF changes over the field.
    """

    schedule: ScheduledExposure
    weather: Weather
    boresight: tuple[float, float] | None
    pointing_error: tuple[float, float]
    rotator: float
    fwhm: float
    defocus: float
    airmass: float
    transmission: float
    zero_point: float
    sky: float
    focus_position: float
    varies: bool = False

    @property
    def plan(self) -> PlannedExposure:
        """What was planned."""
        return self.schedule.plan

    @property
    def passband(self) -> Passband:
        """The filter in the beam."""
        return self.schedule.instrument.passbands[self.plan.filter]


def make_observation(schedule: ScheduledExposure, *, seed: int) -> Observation:
    """Decide how an exposure went."""
    plan, used = schedule.plan, schedule.instrument
    weather = _weather(schedule.begin, plan.seeing, seed)
    transmission = float(np.prod([i.transmission for i in plan.incidents if isinstance(i, Clouds)]))
    if schedule.at_begin is None or schedule.at_end is None:
        return Observation(
            schedule,
            weather,
            None,
            (0.0, 0.0),
            0.0,
            0.0,
            0.0,
            0.0,
            transmission,
            0.0,
            0.0,
            used.best_focus + plan.focus,
        )
    band = used.passbands[plan.filter]
    airmass = 0.5 * (schedule.at_begin.airmass + schedule.at_end.airmass)
    chance = generator(seed, 1, plan.number)
    error = generator(seed, 2, plan.sequence).normal(0.0, used.pointing_error, 2)
    error += chance.normal(0.0, _EXPOSURE_POINTING_ERROR, 2)
    sky_magnitude = band.sky - 1.25 * np.log10(airmass)
    return Observation(
        schedule=schedule,
        weather=weather,
        boresight=_offset(schedule.at_begin, error),
        pointing_error=(float(error[0]), float(error[1])),
        rotator=plan.target.rotator if plan.target else 0.0,
        fwhm=_delivered(plan.seeing, airmass, band.wavelength) * float(np.exp(chance.normal(0.0, _SEEING_JITTER))),
        defocus=plan.focus * used.donut_per_mm,
        airmass=airmass,
        transmission=transmission,
        zero_point=float(band.zero_point - band.extinction * airmass + 2.5 * np.log10(transmission)),
        sky=float(10 ** (0.4 * (band.zero_point - sky_magnitude)) * used.pixel_scale**2),
        focus_position=used.best_focus + plan.focus,
        varies=field_optics(used.name) is not None,
    )


def _delivered(seeing: float, airmass: float, wavelength: float) -> float:
    """Kolmogorov turbulence: FWHM goes as airmass to the 3/5 and wavelength to the -1/5."""
    return float(seeing * airmass**0.6 * (wavelength / _REFERENCE) ** -0.2)


def _offset(pointing: Pointing, error: np.ndarray) -> tuple[float, float]:
    east, north = error / 3600.0
    return float((pointing.ra + east / np.cos(np.radians(pointing.dec))) % 360.0), float(pointing.dec + north)


def _weather(when: datetime, seeing: float, seed: int) -> Weather:
    """Air that changes slowly through a night, and seeing seen from elsewhere."""
    phases = generator(seed, 3).uniform(0.0, 2.0 * np.pi, 5)
    hours = when.hour + when.minute / 60.0 + when.second / 3600.0
    slow = np.sin(2.0 * np.pi * hours / 24.0 * np.array([1.0, 2.0, 3.0, 5.0, 2.0]) + phases)
    chance = generator(seed, 4, round(when.timestamp() * 1000))
    return Weather(
        temperature=round(float(9.0 + 2.5 * slow[0] + chance.normal(0.0, 0.05)), 3),
        pressure=round(float(74000.0 + 150.0 * slow[1]), 1),
        humidity=round(float(38.0 + 12.0 * slow[2] + chance.normal(0.0, 0.2)), 3),
        wind_speed=round(float(abs(6.0 + 3.0 * slow[3] + chance.normal(0.0, 0.7))), 3),
        wind_direction=round(float((20.0 + 40.0 * slow[4] + chance.normal(0.0, 4.0)) % 360.0), 3),
        dimm_seeing=round(float(0.9 * seeing * np.exp(chance.normal(0.0, 0.06))), 3),
    )
