"""One detector exposed in memory, for whoever wants many of them with exactly known conditions.

No plan, no files: ``simulate_detector("LSSTCam", "R22_S11", seeing=0.8).raw()`` is what the core reads from a file,
``.truth()`` what is known of it, and ``.files()`` the bytes of the raw file when they are wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from rapid.errors import ConfigError
from rapid.processing.geometry import detectors
from rapid.simulation.camera import camera_of
from rapid.simulation.catalogue import Catalogue, Stars, SyntheticCatalogue
from rapid.simulation.effects import Effects
from rapid.simulation.exposure import DetectorReadout, expose
from rapid.simulation.instruments import Instrument, instrument
from rapid.simulation.observation import Observation, make_observation
from rapid.simulation.plan import PlannedExposure
from rapid.simulation.projection import Projection
from rapid.simulation.schedule import make_schedule
from rapid.simulation.sequences import DeadAmplifier, Target

__all__ = ["FixedStars", "PlacedStars", "simulate_detector"]

Values = NDArray[np.float64]

_BEGINS = datetime(2026, 2, 18, 2, tzinfo=UTC)
_COLOUR = 0.8  # BP - RP of stars of which only the light is said
_KINDS = ("bias", "dark", "flat", "science")
_SOMEWHERE = Target(name="somewhere", hour_angle=0.3, dec=-35.0)


@dataclass(frozen=True, slots=True)
class PlacedStars:
    """Stars by pixel (x, y), 0-based in the assembled detector, and by the electrons they give where nothing is vignetted."""

    x: Values
    y: Values
    flux: Values


@dataclass(frozen=True, slots=True)
class FixedStars:
    """A catalogue of a few stars that do not move."""

    stars: Stars

    def around(self, ra: float, dec: float, radius: float, when: datetime) -> Stars:  # noqa: ARG002 - a Catalogue is asked so
        """List them all, wherever they are."""
        return self.stars


def simulate_detector(
    camera: str,
    detector: str,
    *,
    kind: str = "science",
    exposure_time: float = 30.0,
    band: str = "r",
    seeing: float = 0.8,
    beta: float = 3.5,
    ellipticity: tuple[float, float] = (0.0, 0.0),
    varying_psf: bool = False,
    sky: float | None = None,
    level: float = 30_000.0,
    stars: Catalogue | PlacedStars | None = None,
    target: Target | None = None,
    focus: float = 0.0,
    pointing_error: tuple[float, float] = (0.0, 0.0),
    transmission: float = 1.0,
    dead: Mapping[str, float] | None = None,
    effects: Effects | None = None,
    seed: int = 1,
    number: int = 1,
    begins: datetime = _BEGINS,
) -> DetectorReadout:
    """Expose and read one detector; the same arguments give the same pixels.

    Parameters
    ----------
    camera, detector
        ``LSSTCam`` and ``R22_S11``, for example.
    kind
        ``bias``, ``dark``, ``flat`` or ``science``.
    exposure_time
        Seconds; 0 for a bias.
    band
        Letter of the filter.
    seeing
        FWHM [arcsec] of the light before it falls on pixels; the Moffat exponent is ``beta``.
    ellipticity
        (Ixx - Iyy) / (Ixx + Iyy) and 2 Ixy / (Ixx + Iyy).
    varying_psf
        Let the optics change width and shape over the field; then the seeing and ellipticity are those of its centre.
    sky
        Electron per pixel in the whole exposure, where nothing is vignetted; None for a dark sky in that band.
    level
        Electron per pixel of a flat, likewise.
    stars
        Those that are drawn; None for the synthetic sky.
    target
        Where the telescope points; None for somewhere high up.
    focus
        Offset of the hexapod from best focus [mm].
    pointing_error
        Arcsec east and north, real minus reported.
    transmission
        Of clouds.
    dead
        Amplifiers that give a constant level, with it [adu].
    effects
        What the detector adds to an ideal one; None for nothing.
    number
        Of the exposure, which is its sequence number and sets its noise apart from that of others with the same seed.

    Raises
    ------
    UnknownInstrument
        If there is no such camera or detector.
    ConfigError
        If there is no such kind or band, or the target is too low.
    """
    used = instrument(camera)
    used.chosen((detector,))
    plan = PlannedExposure(
        number=number,
        kind=kind,
        sequence=number,
        place=1,
        of=1,
        wait=0.0,
        exposure_time=0.0 if kind == "bias" else exposure_time,
        program="",
        filter=_filter(kind, band, used),
        target=(target or _SOMEWHERE) if kind == "science" else None,
        level=level if kind == "flat" else 0.0,
        seeing=seeing,
        beta=beta,
        ellipticity=ellipticity,
        focus=focus,
        incidents=_dead_amplifiers(dead or {}),
    )
    observation = make_observation(*make_schedule([plan], begins, first_seq_num=number, camera=camera), seed=seed)
    observation = _exactly(observation, seeing, sky, pointing_error, transmission, varies=varying_psf)
    effects = effects or Effects()
    one = camera_of(camera, detector, measured_gains=effects.measured_gains)
    sky_of_stars = _catalogue(stars, observation, detector, deep=camera != "LATISS")
    return expose(observation, camera=one, catalogue=sky_of_stars, seed=seed, effects=effects)


def _filter(kind: str, band: str, used: Instrument) -> str:
    """Return the filter that is in the beam."""
    if kind not in _KINDS:
        msg = f"expected a kind among {', '.join(_KINDS)}; found {kind!r}"
        raise ConfigError(msg)
    names: dict[str, str] = {}
    for name, one in used.passbands.items():
        names.setdefault(one.band, name)
    if band not in names:
        msg = f"expected a band among {', '.join(names)}; found {band!r}"
        raise ConfigError(msg)
    return names[band] if kind in {"flat", "science"} else used.resting_filter


def _dead_amplifiers(levels: Mapping[str, float]) -> tuple[DeadAmplifier, ...]:
    return tuple(DeadAmplifier(kind="dead_amplifier", amplifier=name, level=adu) for name, adu in levels.items())


def _exactly(
    observation: Observation,
    seeing: float,
    sky: float | None,
    pointing_error: tuple[float, float],
    transmission: float,
    *,
    varies: bool,
) -> Observation:
    """Put what was asked for in the place of what the night would have made of it, on the sky."""
    schedule = observation.schedule
    at_begin = schedule.at_begin
    if at_begin is None:
        return observation
    east, north = pointing_error[0] / 3600.0, pointing_error[1] / 3600.0
    clouds = 2.5 * float(np.log10(transmission))
    return replace(
        observation,
        fwhm=seeing,
        sky=observation.sky if sky is None else sky / schedule.plan.exposure_time,
        pointing_error=pointing_error,
        boresight=(
            float((at_begin.ra + east / np.cos(np.radians(at_begin.dec))) % 360.0),
            at_begin.dec + north,
        ),
        transmission=transmission,
        zero_point=observation.zero_point + clouds,
        varies=varies and observation.varies,
    )


def _catalogue(
    stars: Catalogue | PlacedStars | None, observation: Observation, detector: str, *, deep: bool
) -> Catalogue:
    if stars is None:
        return SyntheticCatalogue(deep=deep)
    if not isinstance(stars, PlacedStars):
        return stars
    return FixedStars(_on_the_sky(stars, observation, detector))


def _on_the_sky(stars: PlacedStars, observation: Observation, detector: str) -> Stars:
    """Find the places and magnitudes that give stars at these pixels, of this light."""
    schedule = observation.schedule
    one = detectors(schedule.camera)[detector]
    if observation.boresight is None:
        nothing = np.empty(0)
        return Stars(nothing, nothing, nothing, nothing)
    projection = Projection(one, *observation.boresight, observation.rotator)
    ra, dec = projection.sky(np.asarray(stars.x, dtype=np.float64), np.asarray(stars.y, dtype=np.float64))
    rate = np.asarray(stars.flux, dtype=np.float64) / schedule.plan.exposure_time
    magnitude = observation.zero_point - 2.5 * np.log10(rate)
    return Stars(ra, dec, magnitude, np.full(len(ra), _COLOUR), {observation.passband.band: magnitude})
