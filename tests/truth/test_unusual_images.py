"""Images that hold nothing, or too much: the whole walk and every analysis give reasons, no exception, and no NaN for a number."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from importlib.metadata import entry_points

import numpy as np
import pytest

from rapid.processing.analysis import ENTRY_POINT_GROUP, Analysis
from rapid.processing.describe import describe
from rapid.processing.findings import Finding, Quality, Result
from rapid.processing.frame import Frame, Study
from rapid.processing.geometry import detectors
from rapid.processing.headers import translate
from rapid.processing.isr import calibrate
from rapid.processing.measure import measure
from rapid.simulation.camera import ADC_LIMIT
from rapid.simulation.exposure import DetectorReadout
from rapid.simulation.single import PlacedStars, simulate_detector
from tests.support.fields import Known
from tests.support.truth import MIDDLE, true_catalogue

NO_STARS = PlacedStars(np.empty(0), np.empty(0), np.empty(0))
ONE_STAR = PlacedStars(np.array([1800.3]), np.array([1500.7]), np.array([400_000.0]))
CAMERAS = ("LATISS", "LSSTCam")


def analyses() -> list[Analysis]:
    return [
        point.load()
        for point in entry_points(group=ENTRY_POINT_GROUP)
        if point.dist and point.dist.name == "rapid-summit"
    ]


# --- the images ----------------------------------------------------------------------------------------------------


def empty(camera: str) -> Frame:
    return framed(exposed(camera, stars=NO_STARS))


def without_sky(camera: str) -> Frame:
    return framed(exposed(camera, stars=NO_STARS, sky=0.0))


def one_star(camera: str) -> Frame:
    return framed(exposed(camera, stars=ONE_STAR))


def bias(camera: str) -> Frame:
    return framed(exposed(camera, kind="bias"))


def blank_amplifier(camera: str) -> Frame:
    return framed(exposed(camera, stars=ONE_STAR, dead={"C13": 20_000.0}))


def blank_detector(camera: str) -> Frame:
    names = [amplifier.name for amplifier in detectors(camera)[MIDDLE[camera]].amplifiers]
    return framed(exposed(camera, stars=NO_STARS, dead=dict.fromkeys(names, 15_000.0)))


def saturated(camera: str) -> Frame:
    return framed(exposed(camera, stars=NO_STARS, sky=1e6))


def saturated_with_its_overscan(camera: str) -> Frame:
    readout = exposed(camera, stars=NO_STARS)
    return framed(replace(readout, segments=[np.full_like(segment, ADC_LIMIT) for segment in readout.segments]))


def all_nan(camera: str) -> Frame:
    return everywhere(np.nan, camera)


def all_infinite(camera: str) -> Frame:
    return everywhere(np.inf, camera)


def all_alike(camera: str) -> Frame:
    return everywhere(100.0, camera)


def one_pixel(camera: str) -> Frame:
    frame = everywhere(np.nan, camera)
    image = frame.image.copy()
    image[2000, 2000] = 700.0
    return replace(frame, image=image)


IMAGES: dict[Callable[[str], Frame], str] = {
    empty: "nothing above 5 sigma",
    without_sky: "nothing above 5 sigma|no single unsaturated star",
    one_star: "",
    bias: "a bias shows no sky",
    blank_amplifier: "",
    blank_detector: "no pixel of this detector carries a signal",
    saturated: "no pixel of this detector carries a signal",
    saturated_with_its_overscan: "no pixel of this detector carries a signal",
    all_nan: "no pixel of this detector carries a signal",
    all_infinite: "no pixel of this detector carries a signal",
    all_alike: "the noise of the sky could not be measured",
    one_pixel: "no pixel of this detector carries a signal",
}


def exposed(camera: str, **arguments: object) -> DetectorReadout:
    return simulate_detector(camera, MIDDLE[camera], **({"seeing": 1.0, "sky": 300.0} | arguments))  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def known(camera: str) -> Known:
    return true_catalogue(exposed(camera, stars=ONE_STAR).truth())


def framed(readout: DetectorReadout) -> Frame:
    raw = readout.raw()
    return calibrate(raw, translate(raw.header, name=raw.name), readout.camera.detector)


def everywhere(value: float, camera: str) -> Frame:
    frame = plain(camera)
    return replace(frame, image=np.full(frame.detector.shape, value, np.float32))


@lru_cache(maxsize=1)  # of 100 MB
def plain(camera: str) -> Frame:
    """Take a frame of the sky without its image; that one is put in."""
    raw = exposed(camera, stars=NO_STARS).raw()
    frame = calibrate(raw, translate(raw.header, name=raw.name), detectors(camera)[MIDDLE[camera]], repair=False)
    return replace(frame, mask=np.zeros(frame.detector.shape, np.uint16))


# --- what comes of them --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=CAMERAS)
def camera(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=IMAGES, ids=lambda image: image.__name__)
def walked(request: pytest.FixtureRequest, camera: str) -> tuple[Study, str, list[Result]]:
    study = measure(request.param(camera), catalogue=known(camera))
    return study, IMAGES[request.param], [one.run(study) for one in analyses() if one.applies(study.frame.info)]


def test_what_is_missing_has_its_reason(walked: tuple[Study, str, list[Result]]) -> None:
    study, reason, results = walked
    assert re.search(reason, study.why_not)
    assert bool(reason) == bool(study.why_not)
    if study.psf is None or math.isnan(study.psf.fwhm):
        assert study.why_not
    assert results, "somebody has to look at it"


def test_no_finding_is_no_number(walked: tuple[Study, str, list[Result]]) -> None:
    study, _, results = walked
    findings = [*describe(study.frame.info), *(finding for result in results for finding in result.findings)]
    assert findings
    for finding in findings:
        assert finding.uncertainty is None or math.isfinite(finding.uncertainty), finding
        assert finding.quality is not Quality.MISSING or finding.reason, finding


def test_no_panel_or_sidecar_has_a_number_that_is_none(walked: tuple[Study, str, list[Result]]) -> None:
    for result in walked[2]:
        for picture in result.pictures:
            for place, number in numbers(picture, picture.channel):
                assert math.isfinite(number), place
        for name, value in result.sidecar.items():
            for place, number in numbers(value, name):
                assert math.isfinite(number), place


def numbers(value: object, place: str) -> Iterator[tuple[str, float]]:
    """Walk through a value and give the numbers in it; of images the pixels are whole numbers and are left out."""
    if isinstance(value, (bool, str, Finding)) or value is None:
        return
    if isinstance(value, (int, float, np.number)):
        yield place, float(value)
    elif isinstance(value, np.ndarray):
        yield from () if value.ndim == 2 else ((place, float(number)) for number in value)
    elif is_dataclass(value):
        for field in fields(value):
            yield from numbers(getattr(value, field.name), f"{place}.{field.name}")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from numbers(inner, f"{place}.{name}")
    else:
        for index, inner in enumerate(value):  # type: ignore[call-overload]
            yield from numbers(inner, f"{place}[{index}]")
