"""A guider's file: many small pictures of one star within an exposure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rapid.processing.geometry import Amplifier, Box, Detector, detectors
from rapid.simulation.camera import camera_levels, full_well
from rapid.simulation.catalogue import Catalogue
from rapid.simulation.chance import generator
from rapid.simulation.conversion import ADC_LIMIT
from rapid.simulation.dates import isot
from rapid.simulation.exposure import ExposureFiles
from rapid.simulation.hdus import Value, card_text, compressed_image, file_bytes, json_bytes, primary
from rapid.simulation.header import primary_cards, sidecar
from rapid.simulation.instruments import random_key
from rapid.simulation.observation import Observation, make_observation
from rapid.simulation.projection import Projection
from rapid.simulation.scene import psf_of
from rapid.simulation.schedule import ScheduledExposure
from rapid.simulation.stars import Psf, draw_stars

__all__ = ["render_guider"]

Values = NDArray[np.float64]

_SIDE = 50  # pixels of a stamp
_INTEGRATION_MS = 50
_STEP = timedelta(milliseconds=140)  # from one stamp to the next, as in the file of 2024
_MOST = 240  # stamps in a file
_JITTER = 0.06  # arcsec per axis and stamp: what the air leaves of the pointing within an exposure
_NOT_OF_A_GUIDER = frozenset(
    {"DATE-OBS", "MJD-OBS", "DATE-TRG", "MJD-TRG", "DATE-BEG", "MJD-BEG", "DATE-END", "MJD-END", "GROUPID", "TESTTYPE"}
    | {"CURINDEX", "MAXINDEX", "IMAGETAG", "OBSANNOT", "DAQFOLD", "SEQFILE", "SEQNAME", "SEQCKSUM"}
    | {"EXPTIME", "DARKTIME", "TELAPSE", "XPOSURE"}
)


@dataclass(frozen=True, slots=True)
class _Guided:
    """The star a guider follows: the part of an amplifier that is read around it, its bias level [adu], its place and light [electron/s].

    Without a star the rate is 0.
    """

    amplifier: Amplifier
    level: float
    region: Box
    ra: float = float("nan")
    dec: float = float("nan")
    x: float = float("nan")
    y: float = float("nan")
    magnitude: float = float("nan")
    rate: float = 0.0


def render_guider(schedule: ScheduledExposure, detector_name: str, *, catalogue: Catalogue, seed: int) -> ExposureFiles:
    """Make the files of one guider of an exposure; the same arguments give the same bytes.

    It follows the brightest star that does not saturate and is far enough from the edges of an amplifier; where there is none
    the stamps show the sky in the middle of one.
    """
    observation = make_observation(schedule, seed=seed)
    detector = detectors(schedule.camera)[detector_name]
    psf = psf_of(observation, detector)
    guided = _choose(observation, detector, catalogue, psf)
    chance = generator(seed, 12, schedule.plan.number, *random_key(detector))
    n = min(max(int(timedelta(seconds=schedule.plan.exposure_time) / _STEP), 1), _MOST)
    drift = chance.normal(0.0, _JITTER / detector.pixel_scale, (n, 2))
    begins = [schedule.begin_tai + _STEP * index for index in range(n)]
    stamps = [_stamp(observation, guided, psf, moved=moved, chance=chance) for moved in drift]
    cards = _cards(observation, detector, guided, n, seed)
    head = primary(cards)
    units = [
        compressed_image(stamp, _stamp_cards(number, begin))
        for number, (stamp, begin) in enumerate(zip(stamps, begins, strict=True), start=1)
    ]
    return ExposureFiles(
        fits=file_bytes([head, *units]),
        sidecar=json_bytes(sidecar(cards, head.sums)),
        truth=json_bytes(_truth(observation, detector, guided, psf, seed=seed) | _places(guided, begins, drift)),
    )


def _choose(observation: Observation, detector: Detector, catalogue: Catalogue, psf: Psf) -> _Guided:
    ra0, dec0 = observation.boresight or (0.0, 0.0)
    levels = camera_levels(detector)
    projection = Projection(detector, ra0, dec0, observation.rotator)
    middle = projection.sky(np.array(0.5 * (detector.width - 1)), np.array(0.5 * (detector.height - 1)))
    stars = catalogue.around(float(middle[0]), float(middle[1]), 0.17, observation.schedule.begin_tai)
    x, y = projection.pixels(stars.ra, stars.dec)
    magnitude = stars.in_band(observation.plan.filter, observation.passband)
    rate = 10.0 ** (-0.4 * (magnitude - observation.zero_point))
    for star in np.argsort(magnitude, kind="stable"):
        place = _place(detector, float(x[star]), float(y[star]))
        if place is None:
            continue
        amplifier, region = place
        if rate[star] * _INTEGRATION_MS * 1e-3 * psf.peak < 0.8 * full_well(amplifier):
            columns = (stars.ra, stars.dec, x, y, magnitude, rate)
            return _Guided(amplifier, levels[amplifier.name], region, *(float(column[star]) for column in columns))
    amplifier = detector.amplifiers[0]
    box = amplifier.bbox
    region = Box(box.x0 + (box.width - _SIDE) // 2, box.y0 + (box.height - _SIDE) // 2, _SIDE, _SIDE)
    return _Guided(amplifier, levels[amplifier.name], region)


def _place(detector: Detector, x: float, y: float) -> tuple[Amplifier, Box] | None:
    """Return the amplifier under a star and the stamp around it; None where the stamp does not lie in one amplifier."""
    x0, y0 = round(x) - _SIDE // 2, round(y) - _SIDE // 2
    for amplifier in detector.amplifiers:
        box = amplifier.bbox
        across = box.x0 <= x0 and x0 + _SIDE <= box.x0 + box.width
        if across and box.y0 <= y0 and y0 + _SIDE <= box.y0 + box.height:
            return amplifier, Box(x0, y0, _SIDE, _SIDE)
    return None


def _stamp(
    observation: Observation, guided: _Guided, psf: Psf, *, moved: Values, chance: np.random.Generator
) -> NDArray[np.int32]:
    """Draw, expose and read one stamp [adu], in the order of reading."""
    amplifier, seconds = guided.amplifier, _INTEGRATION_MS * 1e-3
    image = np.full((_SIDE, _SIDE), observation.sky * seconds, dtype=np.float32)
    if guided.rate > 0.0:
        x, y = _in_stamp(guided, moved)
        draw_stars(image, np.array([x]), np.array([y]), np.array([guided.rate * seconds]), psf)
    electrons = chance.poisson(np.minimum(image, full_well(amplifier))) + chance.normal(
        0.0, amplifier.read_noise, image.shape
    )
    counts = guided.level + electrons / amplifier.gain
    return np.ascontiguousarray(np.clip(np.rint(counts), 0, ADC_LIMIT).astype(np.int32)[amplifier.turn])


def _in_stamp(guided: _Guided, moved: Values) -> tuple[float, float]:
    """Return the place of the star in a stamp seen as on the assembled detector."""
    return guided.x - guided.region.x0 + float(moved[0]), guided.y - guided.region.y0 + float(moved[1])


def _cards(
    observation: Observation, detector: Detector, guided: _Guided, n: int, seed: int
) -> list[tuple[str, Value, str]]:
    """List the cards of the primary header: those of any detector but what a guider does not know, and its region."""
    column, row = _corner(guided)
    facts: Mapping[str, Value] = {
        "DATE": isot(observation.schedule.end_tai),
        "IMGTYPE": "UNKNOWN",
        "DAQPART": "guider",
        "FILENAME": f"{observation.schedule.obs_id}_{detector.name}_guider.fits",
    }
    kept = [
        (keyword, facts.get(keyword, value), comment)
        for keyword, value, comment in primary_cards(observation, detector, seed=seed)
        if keyword not in _NOT_OF_A_GUIDER and not keyword.startswith("SHUTTER ")
    ]
    return [
        *kept,
        ("ROICOL", column, "First column of the region"),
        ("ROIROW", row, "First row of the region"),
        ("ROICOLS", _SIDE, "Columns of the region"),
        ("ROIROWS", _SIDE, "Rows of the region"),
        ("ROISEG", guided.amplifier.extname, "Segment of the region"),
        ("GDSSEQ", observation.schedule.seq_num, "Guider sequence number"),
        ("GDSSTART", isot(observation.schedule.begin_tai), "Begin of guiding"),
        ("ROIUNDER", 3, "Underscan columns"),
        ("ROISPLIT", False, "Region split between segments"),
        ("ROICCDTY", 0, "Guider CCD type"),
        ("ROIMILLI", _INTEGRATION_MS, "[ms] Integration time"),
        ("N_STAMPS", n, "Number of stamps in the file"),
        ("HAS_ARCHIVE", False, ""),
        ("HAS_MASK", False, ""),
        ("HAS_VARIANCE", False, ""),
        ("STAMPCLS", "lsst.meas.algorithms.Stamps", ""),
    ]


def _corner(guided: _Guided) -> tuple[int, int]:
    """Return the first column and row of the region in the order of reading, counted from the first imaging pixel."""
    box, region, amplifier = guided.amplifier.bbox, guided.region, guided.amplifier
    x, y = region.x0 - box.x0, region.y0 - box.y0
    return (
        box.width - _SIDE - x if amplifier.flip_x else x,
        box.height - _SIDE - y if amplifier.flip_y else y,
    )


def _stamp_cards(number: int, begin: datetime) -> bytes:
    return card_text(
        [
            ("STMPTIME", isot(begin), "Begin of the stamp, TAI"),
            ("EXTVER", number, ""),
            ("EXTNAME", "IMAGE", ""),
        ]
    )


def _truth(observation: Observation, detector: Detector, guided: _Guided, psf: Psf, *, seed: int) -> dict[str, Any]:
    """Say what is known, as JSON has it; places are 0-based on the assembled detector, fluxes [electron] a stamp's."""
    seconds = _INTEGRATION_MS * 1e-3
    star = {name: getattr(guided, name) for name in ("ra", "dec", "x", "y", "magnitude")}
    return {
        "obs_id": observation.schedule.obs_id,
        "begin_tai": isot(observation.schedule.begin_tai),
        "filter": observation.plan.filter,
        "seed": seed,
        "detector": detector.number,
        "detector_name": detector.name,
        "amplifier": guided.amplifier.name,
        "gain": guided.amplifier.gain,
        "read_noise": guided.amplifier.read_noise,
        "bias_level": guided.level,
        "region": [guided.region.x0, guided.region.y0, guided.region.width, guided.region.height],
        "fwhm_px": psf.fwhm,
        "sky_electron_per_px": observation.sky * seconds,
        "stars": [star | {"flux": guided.rate * seconds}] if guided.rate else [],
    }


def _places(guided: _Guided, begins: list[datetime], drift: Values) -> dict[str, Any]:
    """Say when each stamp was taken and where the star was in it, turned as it is on the assembled detector."""
    places = [_in_stamp(guided, moved) if guided.rate else (None, None) for moved in drift]
    return {"stamps": [{"time_tai": isot(begin), "x": x, "y": y} for begin, (x, y) in zip(begins, places, strict=True)]}
