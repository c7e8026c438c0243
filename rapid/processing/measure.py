"""The whole walk of one detector: raw file to `Study`."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Final

from rapid.errors import BadHeader
from rapid.processing.background import measure_background
from rapid.processing.comparison import Catalogue, compare
from rapid.processing.donut_sky import sky_between_donuts
from rapid.processing.exposure import ExposureInfo
from rapid.processing.fits import RawSource, open_raw
from rapid.processing.frame import Background, Frame, Psf, Sources, Study
from rapid.processing.geometry import detectors
from rapid.processing.headers import translate
from rapid.processing.ids import parse_obs_id
from rapid.processing.isr import Calibrations, calibrate
from rapid.processing.isr.amplifier_offsets import AmplifierOffsets, fit_amplifier_offsets
from rapid.processing.psf import measure_psf
from rapid.processing.psf_field import fit_field
from rapid.processing.reserve import reserved_stars
from rapid.processing.source_light import light_between
from rapid.processing.sources import detect, refined

__all__ = ["measure", "study"]

_NUMBER: Final = re.compile(r"\d{13}(?=-)")
"""An exposure_id at the beginning of a name, as archives of early files have it: ``3018092000065-det000.fits``."""

_DETECTOR: Final = re.compile(r"[-_](R\d\d)_?(S[\dGW]\d)(?=[-_.]|$)")
"""A detector in a name: ``_R22_S11``, ``-R22S11`` or, of a wavefront sensor, ``_R44_SW0``."""

_NOT_OF_THE_SKY: Final = frozenset({"bias", "dark", "flat"})

_NO_CALIBRATIONS: Final = Calibrations()


def study(
    source: RawSource,
    *,
    name: str,
    calibrations: Calibrations = _NO_CALIBRATIONS,
    catalogue: Catalogue | None = None,
    offsets: bool = False,
) -> Study:
    """Read, calibrate and measure one raw file.

    Parameters
    ----------
    source
        Where it is, or its content.
    name
        The file's own name, as ``AT_O_20260315_000051_R00_S00.fits``; when it is one of the observatory's it must agree
        with the header.
    calibrations
        Those of its detector that exist.
    catalogue
        Known stars to compare with, if there are any.
    offsets
        Whether the offsets between amplifiers are measured: a fifth of what everything else costs.

    Raises
    ------
    InputError
        If the file or a calibration cannot be used: see `read_raw`, `translate` and `calibrate`.
    NotAvailable
        If it is not there.
    """
    seconds: dict[str, float] = {}
    frame = _calibrated(source, name, calibrations, seconds)
    return measure(frame, seconds, catalogue=catalogue, offsets=offsets)


def measure(
    frame: Frame,
    seconds: dict[str, float] | None = None,
    *,
    catalogue: Catalogue | None = None,
    offsets: bool = False,
) -> Study:
    """Measure a calibrated frame; what cannot be measured is left out and `Study.why_not` says why.

    `seconds` takes the time [s] of each step beside what it has already; `catalogue` has known stars to compare with;
    `offsets` asks for those between amplifiers of a frame of the sky.
    """
    seconds = {} if seconds is None else seconds
    with _timed(seconds, "background"):
        background = measure_background(frame)
    if math.isnan(background.level):
        return Study(frame, None, None, None, "no pixel of this detector carries a signal", seconds)
    why_not = _why_no_sources(frame.info)
    if why_not:
        return Study(frame, background, None, None, why_not, seconds)
    with _timed(seconds, "detect"):
        sources = detect(frame, background)
        sources = replace(sources, reserved=reserved_stars(sources))
        background = sky_between_donuts(frame, refined(background, sources), sources)
    with _timed(seconds, "psf"):
        psf = measure_psf(frame, background, sources)
    seen = Study(frame, background, sources, psf, psf.reason or sources.reason, seconds)
    if offsets:
        with _timed(seconds, "offsets"):
            seen = replace(seen, offsets=_offsets(frame, background, sources, psf))
    if catalogue is not None and frame.info.on_sky:
        with _timed(seconds, "compare"):
            seen = replace(seen, comparison=compare(frame, background, sources, psf, catalogue))
        with _timed(seconds, "reserve"):
            seen = _reserved_by_sky(seen)
    return seen


def _reserved_by_sky(seen: Study) -> Study:
    """Reserve the stars by their places on the sky where these are known, so that other exposures of the field have the same."""
    wcs = seen.comparison.astrometry.wcs if seen.comparison else None
    if wcs is None or seen.sources is None or seen.psf is None:
        return seen
    sources = replace(seen.sources, reserved=reserved_stars(seen.sources, wcs))
    return replace(seen, sources=sources, psf=replace(seen.psf, field=fit_field(sources, seen.frame.image.shape)))


def _offsets(frame: Frame, background: Background, sources: Sources, psf: Psf) -> AmplifierOffsets:
    """Fit the offsets to all pixels that nothing is said against, away from the sources and without their light."""
    light = light_between(sources, psf, noise=background.noise, shape=frame.image.shape)
    boxes = [each.bbox for each in frame.detector.amplifiers]
    return fit_amplifier_offsets(frame.image, frame.mask != 0, boxes, light=light)


def _calibrated(source: RawSource, name: str, calibrations: Calibrations, seconds: dict[str, float]) -> Frame:
    """Make the frame; the content of the file is let go with the end of this, before anything else takes memory."""
    with _timed(seconds, "read"):
        raw = open_raw(source, name=name)
    with _timed(seconds, "translate"):
        info = translate(raw.header, name=name)
        _check_name(info, name)
        _check_detector(raw.header, info, name)
    with _timed(seconds, "calibrate"):
        return calibrate(raw, info, detectors(info.instrument)[info.detector_name], calibrations)


def _why_no_sources(info: ExposureInfo) -> str:
    if info.observation_type in _NOT_OF_THE_SKY:
        return f"a {info.observation_type} shows no sky"
    if info.can_see_sky is False:
        return "the sky could not be seen: shutter or dome closed"
    return ""


def _check_name(info: ExposureInfo, name: str) -> None:
    """Refuse a file that goes under the name of another exposure."""
    parts, number = parse_obs_id(name), _NUMBER.match(name)
    named = parts.obs_id if parts else number[0] if number else ""
    found = info.obs_id if parts else str(info.exposure_id)
    if named and named != found:
        raise BadHeader(f"the name says {named}, the header says {found}", subject=name, expected=named, found=found)


def _check_detector(header: Mapping[str, object], info: ExposureInfo, name: str) -> None:
    """Refuse a file that goes under the name of another detector; where the header names none it is the camera's only."""
    match = _DETECTOR.search(name)
    bay, slot = header.get("RAFTBAY"), header.get("CCDSLOT")
    found = f"{bay}_{slot}" if bay and slot else info.detector_name
    named = f"{match[1]}_{match[2]}" if match else found
    if named != found:
        raise BadHeader(f"the name says {named}, the header says {found}", subject=name, expected=named, found=found)


@contextmanager
def _timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    begin = time.perf_counter()
    yield
    seconds[step] = time.perf_counter() - begin
