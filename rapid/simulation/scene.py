"""The light and charge on the detector in one exposure, and the truth about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rapid.processing.geometry import Detector
from rapid.simulation.camera import Camera
from rapid.simulation.catalogue import Catalogue, Stars
from rapid.simulation.chance import generator
from rapid.simulation.cosmic_rays import draw_cosmic_rays
from rapid.simulation.observation import PIXEL_SCALE, Observation
from rapid.simulation.projection import Projection
from rapid.simulation.saturation import bloom
from rapid.simulation.spectrum import Disperser, draw_spectra
from rapid.simulation.stars import Psf, draw_stars

__all__ = ["DrawnStars", "Scene", "make_scene"]

Values = NDArray[np.float64]

_READOUT_EXPOSURE = 1.0  # seconds that a pixel waits for its read-out, on average
_MARGIN = 400.0  # pixels outside of the detector from which stars still send light
_FAINTEST_STAR = 5.0  # electron in all: below, a star cannot be told from nothing


@dataclass(frozen=True, slots=True)
class DrawnStars:
    """Stars as they were drawn, brightest first; one entry a star.

    ``x``, ``y`` [pixel], 0-based in the assembled detector; ``flux`` [electron] that arrived (in zeroth order, where there is a
    disperser), ``illumination`` included: what vignetting leaves there, relative to the mean; ``saturated`` when the
    expected peak is beyond saturation.
    """

    ra: Values
    dec: Values
    x: Values
    y: Values
    magnitude: Values
    flux: Values
    illumination: Values
    saturated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Scene:
    """Expected charge [electron] of the assembled detector, float32, shape (ny, nx), with what is in it.

    ``sky`` [electron/pixel] and ``flat`` [electron] are means over the detector; ``psf`` and ``stars`` are None off the sky.
    """

    charge: NDArray[np.float32]
    sky: float
    flat: float
    psf: Psf | None
    stars: DrawnStars | None
    disperser: Disperser | None
    cosmic_rays: int


def make_scene(observation: Observation, camera: Camera, catalogue: Catalogue, *, seed: int) -> Scene:
    """Put together everything that leaves charge in an exposure."""
    plan = observation.plan
    detector = camera.detector
    light = np.zeros(detector.shape, dtype=np.float32)
    psf, stars, disperser = None, None, None
    level = plan.level
    if observation.boresight is not None:
        psf = Psf(observation.fwhm / PIXEL_SCALE, plan.beta, *plan.ellipticity, donut=observation.donut)
        disperser = Disperser.named(plan.disperser)
        stars = _draw(light, observation, camera=camera, catalogue=catalogue, psf=psf, disperser=disperser)
        level = observation.sky * plan.exposure_time
    if plan.kind not in {"bias", "dark"}:
        light += np.float32(level)
        light *= camera.illumination
        light *= camera.response
    camera.collect_dark(light, observation.schedule.dark_time)
    chance = generator(seed, 9, plan.number)
    rays = draw_cosmic_rays(light, observation.schedule.dark_time + _READOUT_EXPOSURE, chance)
    bloom(light, detector)
    sky = level if observation.boresight is not None else 0.0
    return Scene(light, sky, plan.level, psf, stars, disperser, rays)


def _draw(
    light: NDArray[np.float32],
    observation: Observation,
    *,
    camera: Camera,
    catalogue: Catalogue,
    psf: Psf,
    disperser: Disperser | None,
) -> DrawnStars:
    ny, nx = light.shape
    stars = _stars_of_field(observation, catalogue, radius=np.hypot(nx, ny) * 0.55 * PIXEL_SCALE / 3600.0)
    ra0, dec0 = observation.boresight or (0.0, 0.0)
    x, y = Projection(camera.detector, ra0, dec0, observation.rotator).pixels(stars.ra, stars.dec)
    plan, band = observation.plan, observation.passband
    magnitude = stars.in_band(plan.filter, band)
    flux = 10.0 ** (-0.4 * (magnitude - observation.zero_point)) * plan.exposure_time
    near = (np.abs(x - nx / 2) < nx / 2 + _MARGIN) & (np.abs(y - ny / 2) < ny / 2 + _MARGIN) & (flux > _FAINTEST_STAR)
    if disperser is None:
        draw_stars(light, x[near], y[near], flux[near], psf)
    else:
        draw_spectra(
            light, x[near], y[near], flux[near], colour=stars.colour[near], psf=psf, disperser=disperser, passband=band
        )
        flux = flux * disperser.zeroth
    inside = near & (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    order = np.flatnonzero(inside)[np.argsort(-flux[inside], kind="stable")]
    ra, dec, x, y, magnitude, flux = (values[order] for values in (stars.ra, stars.dec, x, y, magnitude, flux))
    illumination = camera.illumination[np.rint(y).astype(int), np.rint(x).astype(int)].astype(np.float64)
    flux = flux * illumination
    saturated = flux * psf.peak > _saturation(x, y, camera.detector)
    return DrawnStars(ra, dec, x, y, magnitude, flux, illumination, saturated)


def _saturation(x: Values, y: Values, detector: Detector) -> Values:
    """Charge [electron] at which the amplifier under each star is saturated."""
    limit = np.full(len(x), np.inf)
    for amplifier in detector.amplifiers:
        box = amplifier.bbox
        under = (
            (x >= box.x0 - 0.5) & (x < box.x0 + box.width - 0.5) & (y >= box.y0 - 0.5) & (y < box.y0 + box.height - 0.5)
        )
        limit[under] = amplifier.saturation * amplifier.gain
    return limit


def _stars_of_field(observation: Observation, catalogue: Catalogue, *, radius: float) -> Stars:
    """Collect the stars around the boresight; the target's own star is one of them where the plan asks for it."""
    ra0, dec0 = observation.boresight or (0.0, 0.0)
    stars = catalogue.around(ra0, dec0, radius, observation.schedule.begin_tai)
    target, centre = observation.plan.target, observation.schedule.centre
    if target is None or target.magnitude is None or centre is None:
        return stars
    return stars.with_star(*centre, target.magnitude, target.colour)
