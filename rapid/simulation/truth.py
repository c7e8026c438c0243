"""What is true of an exposure, for whoever wants to know how well it was measured."""

from __future__ import annotations

from typing import Any

from rapid.simulation.camera import ADC_LIMIT, Camera
from rapid.simulation.observation import PIXEL_SCALE, Observation
from rapid.simulation.scene import DrawnStars, Scene
from rapid.simulation.spectrum import LINES, Disperser

__all__ = ["truth"]


def truth(observation: Observation, scene: Scene, camera: Camera, *, seed: int) -> dict[str, Any]:
    """Say all that is known of an exposure, as JSON has it.

    Pixel positions are 0-based in the assembled, trimmed detector; fluxes in electron; angles in degrees unless named otherwise.
    """
    schedule, plan = observation.schedule, observation.plan
    return {
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
        "incidents": [incident.model_dump(exclude={"exposures"}) for incident in plan.incidents],
        "amplifiers": _amplifiers(camera),
        "flat_level": scene.flat,
        "cosmic_rays": scene.cosmic_rays,
        "sky": _sky(observation, scene),
        "stars": _stars(scene.stars),
        "spectrum": _spectrum(scene.disperser, scene.stars),
    }


def _amplifiers(camera: Camera) -> dict[str, dict[str, float]]:
    """Bias level [adu] without the drift from one exposure to the next, gain [electron/adu], read noise [electron]."""
    return {
        amplifier.name: {
            "bias_level": camera.levels[amplifier.name],
            "gain": amplifier.gain,
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
        "fwhm_arcsec": None if full_width is None else full_width * PIXEL_SCALE,
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
        }
        for i in range(len(stars))
    ]


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
