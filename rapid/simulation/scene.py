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
from rapid.simulation.effects import Effects, bad_columns
from rapid.simulation.observation import Observation
from rapid.simulation.optics import field_optics, focal_plane
from rapid.simulation.projection import Projection
from rapid.simulation.saturation import bloom
from rapid.simulation.spectrum import Disperser, draw_spectra
from rapid.simulation.stars import Psf, Shapes, draw_stars

__all__ = ["DrawnStars", "Scene", "make_scene", "psf_of"]

Values = NDArray[np.float64]

_READOUT_EXPOSURE = 1.0  # seconds that a pixel waits for its read-out, on average
_MARGIN = 400.0  # pixels outside of the detector from which stars still send light
_FAINTEST_STAR = 5.0  # electron in all: below, a star cannot be told from nothing


@dataclass(frozen=True, slots=True)
class DrawnStars:
    """Stars as they were drawn, brightest first; one entry a star.

    ``x``, ``y`` [pixel], 0-based in the assembled detector; ``flux`` [electron] that arrived (in zeroth order, where there is a
    disperser), ``illumination`` included: what vignetting leaves there, relative to the mean; ``saturated`` when the
    expected peak is beyond saturation. ``shapes`` is None when all stars have the PSF of the scene.
    """

    ra: Values
    dec: Values
    x: Values
    y: Values
    magnitude: Values
    flux: Values
    illumination: Values
    saturated: NDArray[np.bool_]
    shapes: Shapes | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True, slots=True)
class Scene:
    """Expected charge [electron] of the assembled detector, float32, shape (ny, nx), with what is in it.

    ``sky`` [electron/pixel] and ``flat`` [electron] are those of a pixel on which the illumination is 1: the mean over the
    detector for LATISS, the centre of the field for the LSST cameras. ``psf`` is that of the middle of the detector; it and
    ``stars`` are None off the sky.
    """

    charge: NDArray[np.float32]
    sky: float
    flat: float
    psf: Psf | None
    stars: DrawnStars | None
    disperser: Disperser | None
    cosmic_rays: int


def make_scene(observation: Observation, camera: Camera, catalogue: Catalogue, *, seed: int, effects: Effects) -> Scene:
    """Put together everything that leaves charge in an exposure."""
    plan = observation.plan
    light = np.zeros(camera.detector.shape, dtype=np.float32)
    psf, stars, disperser = None, None, None
    level = plan.level
    if observation.boresight is not None:
        psf = psf_of(observation, camera.detector)
        disperser = Disperser.named(plan.disperser)
        stars = _draw(light, observation, camera=camera, catalogue=catalogue, psf=psf, disperser=disperser)
        level = observation.sky * plan.exposure_time
    if plan.kind not in {"bias", "dark"}:
        light += np.float32(level)
        light *= camera.illumination
        light *= camera.response
    dark_time = observation.schedule.dark_time
    camera.collect_dark(light, dark_time)
    rays = draw_cosmic_rays(light, dark_time + _READOUT_EXPOSURE, generator(seed, 9, plan.number, *camera.key))
    for column in bad_columns(camera.detector, effects.bad_columns):
        column.spoil(light, dark_time)
    bloom(light, camera.detector)
    sky = level if observation.boresight is not None else 0.0
    return Scene(light, sky, plan.level, psf, stars, disperser, rays)


def psf_of(observation: Observation, detector: Detector) -> Psf:
    """Return the PSF in the middle of a detector, which may stand out of the focal plane."""
    plan, used = observation.plan, observation.schedule.instrument
    fwhm, e1, e2 = observation.fwhm / used.pixel_scale, *plan.ellipticity
    optics = field_optics(used.name)
    if optics is not None and observation.varies:
        middle = np.array([(detector.width - 1) / 2.0]), np.array([(detector.height - 1) / 2.0])
        shapes = _shapes(observation, detector, *middle)
        fwhm, e1, e2 = (float(column[0]) for column in (shapes.fwhm, shapes.e1, shapes.e2))
    return Psf(
        fwhm,
        plan.beta,
        e1,
        e2,
        donut=abs(observation.defocus + detector.height_offset * used.donut_per_mm),
        obscuration=used.obscuration,
    )


def _shapes(observation: Observation, detector: Detector, x: Values, y: Values) -> Shapes:
    """Return the shapes of stars at pixels of a detector of a wide field, along the axes of its pixels."""
    used = observation.schedule.instrument
    optics = field_optics(used.name)
    assert optics is not None  # noqa: S101 - the caller asks for wide fields only
    factor, across, diagonal = optics.shapes(*focal_plane(detector, x, y))
    turn = 2.0 * np.radians(detector.yaw)
    return Shapes(
        observation.fwhm / used.pixel_scale * factor,
        observation.plan.ellipticity[0] + across * np.cos(turn) + diagonal * np.sin(turn),
        observation.plan.ellipticity[1] - across * np.sin(turn) + diagonal * np.cos(turn),
    )


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
    ra0, dec0 = observation.boresight or (0.0, 0.0)
    projection = Projection(camera.detector, ra0, dec0, observation.rotator)
    stars = _stars_of_field(observation, catalogue, projection)
    x, y = projection.pixels(stars.ra, stars.dec)
    plan, band = observation.plan, observation.passband
    magnitude = stars.in_band(plan.filter, band)
    flux = 10.0 ** (-0.4 * (magnitude - observation.zero_point)) * plan.exposure_time
    near = (np.abs(x - nx / 2) < nx / 2 + _MARGIN) & (np.abs(y - ny / 2) < ny / 2 + _MARGIN) & (flux > _FAINTEST_STAR)
    shapes = _shapes(observation, camera.detector, x, y) if observation.varies else None
    if disperser is None:
        draw_stars(light, x[near], y[near], flux[near], psf, shapes=shapes and shapes.chosen(near))
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
    return DrawnStars(ra, dec, x, y, magnitude, flux, illumination, saturated, shapes and shapes.chosen(order))


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


def _stars_of_field(observation: Observation, catalogue: Catalogue, projection: Projection) -> Stars:
    """Collect the stars around the detector; the target's own star is one of them where the plan asks for it."""
    detector = projection.detector
    radius = np.hypot(detector.width, detector.height) * 0.55 * detector.pixel_scale / 3600.0
    ra0, dec0 = projection.ra, projection.dec
    if detector.offset != (0.0, 0.0):
        middle = projection.sky(np.array((detector.width - 1) / 2.0), np.array((detector.height - 1) / 2.0))
        ra0, dec0 = float(middle[0]), float(middle[1])
    stars = catalogue.around(ra0, dec0, radius, observation.schedule.begin_tai)
    target, centre = observation.plan.target, observation.schedule.centre
    if target is None or target.magnitude is None or centre is None:
        return stars
    return stars.with_star(*centre, target.magnitude, target.colour)
