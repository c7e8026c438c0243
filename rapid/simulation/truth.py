"""What is true of an exposure, for whoever wants to know how well it was measured."""

from __future__ import annotations

from typing import Any

import numpy as np

from rapid.simulation.camera import ADC_LIMIT, Camera
from rapid.simulation.effects import Effects
from rapid.simulation.observation import Observation
from rapid.simulation.projection import Projection
from rapid.simulation.scene import DrawnStars, Scene
from rapid.simulation.spectrum import LINES, Disperser
from rapid.simulation.stars import Shapes

__all__ = ["truth"]


def truth(observation: Observation, scene: Scene, camera: Camera, *, effects: Effects, seed: int) -> dict[str, Any]:
    """Say all that is known of an exposure, as JSON has it.

    Pixel positions are 0-based in the assembled, trimmed detector; fluxes in electron; angles in degrees unless named otherwise.
    """
    schedule, plan = observation.schedule, observation.plan
    told = {
        "obs_id": schedule.obs_id,
        "day_obs": schedule.day_obs,
        "seq_num": schedule.seq_num,
        "seed": seed,
        "kind": plan.kind,
        "exposure_time": plan.exposure_time,
        "dark_time": schedule.dark_time,
        "begin_tai": schedule.begin_tai.isoformat(timespec="milliseconds"),
        "filter": plan.filter,
        "disperser": plan.disperser,
        "incidents": [incident.model_dump(exclude={"exposures"}, exclude_none=True) for incident in plan.incidents],
        "amplifiers": _amplifiers(camera),
        "flat_level": scene.flat,
        "cosmic_rays": scene.cosmic_rays,
        "sky": _sky(observation, scene),
        "stars": _stars(scene.stars),
        "spectrum": _spectrum(scene.disperser, scene.stars),
    }
    return told if schedule.camera == "LATISS" else told | _of_many(observation, camera, effects)


def _of_many(observation: Observation, camera: Camera, effects: Effects) -> dict[str, Any]:
    """Say which of the detectors it is and where it looks: corners in the order (0, 0), (nx, 0), (nx, ny), (0, ny)."""
    detector = camera.detector
    x1, y1 = detector.width - 1.0, detector.height - 1.0
    x, y = np.array([0.0, x1, x1, 0.0, 0.5 * x1]), np.array([0.0, 0.0, y1, y1, 0.5 * y1])
    wcs = None
    if observation.boresight is not None:
        ra, dec = Projection(detector, *observation.boresight, observation.rotator).sky(x, y)
        places = [[round(float(a), 8), round(float(d), 8)] for a, d in zip(ra, dec, strict=True)]
        wcs = {"corners": places[:4], "middle": places[4]}
    return {
        "instrument": detector.instrument,
        "detector": detector.number,
        "detector_name": detector.name,
        "dark_current": camera.dark_current,
        "mean_illumination": float(camera.illumination.mean(dtype=np.float64)),
        "pixel_scale_arcsec": detector.pixel_scale,
        "wcs": wcs,
        "effects": effects.told(detector),
    }


def _amplifiers(camera: Camera) -> dict[str, dict[str, float]]:
    """Bias level [adu] without the drift from one exposure to the next, gain [electron/adu], read noise [electron]."""
    return {
        amplifier.name: {
            "bias_level": camera.levels[amplifier.name],
            "gain": camera.gains[amplifier.name],
            "read_noise": amplifier.read_noise,
            "saturation": min(amplifier.saturation, ADC_LIMIT - camera.levels[amplifier.name]),
        }
        for amplifier in camera.detector.amplifiers
    }


def _sky(observation: Observation, scene: Scene) -> dict[str, Any] | None:
    if observation.boresight is None or scene.psf is None:
        return None
    full_width = scene.psf.full_width()
    return {
        "seeing_fwhm_arcsec": observation.fwhm,
        "fwhm_px": full_width,
        "fwhm_arcsec": None if full_width is None else full_width * observation.schedule.instrument.pixel_scale,
        "beta": scene.psf.beta,
        "e1": scene.psf.e1,
        "e2": scene.psf.e2,
        "donut_px": scene.psf.donut,
        "focus_offset_mm": observation.plan.focus,
        "sky_electron_per_px": scene.sky,
        "zero_point": observation.zero_point,
        "extinction": observation.passband.extinction,
        "airmass": observation.airmass,
        "transmission": observation.transmission,
        "boresight_ra": observation.boresight[0],
        "boresight_dec": observation.boresight[1],
        "rotator": observation.rotator,
        "pointing_error_arcsec": list(observation.pointing_error),
    }


def _stars(stars: DrawnStars | None) -> list[dict[str, Any]]:
    if stars is None:
        return []
    return [
        {
            "ra": round(float(stars.ra[i]), 8),
            "dec": round(float(stars.dec[i]), 8),
            "x": round(float(stars.x[i]), 3),
            "y": round(float(stars.y[i]), 3),
            "magnitude": round(float(stars.magnitude[i]), 4),
            "flux": round(float(stars.flux[i]), 2),
            "illumination": round(float(stars.illumination[i]), 6),
            "saturated": bool(stars.saturated[i]),
            **_shape(stars.shapes, i),
        }
        for i in range(len(stars))
    ]


def _shape(shapes: Shapes | None, i: int) -> dict[str, float]:
    if shapes is None:
        return {}
    columns = {"fwhm_px": shapes.fwhm, "e1": shapes.e1, "e2": shapes.e2}
    return {name: round(float(column[i]), 5) for name, column in columns.items()}


def _spectrum(disperser: Disperser | None, stars: DrawnStars | None) -> dict[str, Any] | None:
    """Where the first order of the brightest star is; `flux` of the stars is that of the zeroth."""
    if disperser is None or stars is None or not len(stars):
        return None
    return {
        "x0": float(stars.x[0]),
        "y0": float(stars.y[0]),
        "tilt": disperser.tilt,
        "grooves_per_mm": disperser.grooves,
        "distance_mm": disperser.distance,
        "zeroth": disperser.zeroth,
        "first": disperser.first,
        "second": disperser.second,
        "lines": {
            name: {"wavelength": line[0], "offset_px": float(disperser.offset(line[0]))} for name, line in LINES.items()
        },
    }
