"""The sky of corner sensors out of focus, under donuts of which nine in ten are too faint to be seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rapid.processing.background import measure_background
from rapid.processing.donut_sky import sky_between_donuts
from rapid.processing.frame import Background, Frame
from rapid.processing.measure import measure
from rapid.processing.sources import detect, no_sources, refined
from rapid.simulation.exposure import DetectorReadout
from rapid.simulation.single import simulate_detector
from tests.support.truth import Conditions, expected_noise, expose, frame_of


def corner(name: str, sky: float, density: float, seed: int) -> DetectorReadout:
    return expose(Conditions("LSSTCam", 0.8, sky, density=density, seed=seed, detector=name))


@pytest.mark.parametrize(
    "readout",
    [
        lambda: corner("R44_SW0", 300, 5, 3),
        lambda: corner("R44_SW0", 300, 10, 4),
        lambda: corner("R04_SW1", 60, 4, 3),
        lambda: simulate_detector("LSSTCam", "R44_SW0", seeing=0.8, seed=3),
    ],
    ids=["few", "many", "dark", "sky of the catalogue"],
)
def test_the_sky_under_donuts_is_right_and_its_error_covers_it(readout) -> None:
    exposed = readout()
    study = measure(frame_of(exposed))
    assert study.background is not None
    true = exposed.scene.sky
    assert study.background.level == pytest.approx(true, rel=0.005)
    assert abs(study.background.level - true) < 2.5 * study.background.level_error
    assert study.background.level_error < 0.006 * true
    assert study.background.noise == pytest.approx(expected_noise(exposed), rel=0.04)


@pytest.fixture(scope="module")
def in_focus() -> tuple[Frame, Background]:
    frame = frame_of(expose(Conditions("LSSTCam", 2.5, 300, density=10, seed=1)))
    return frame, measure_background(frame)


def test_stars_in_a_bad_seeing_are_no_donuts(in_focus: tuple[Frame, Background]) -> None:
    frame, sky = in_focus
    sources = detect(frame, sky)
    background = refined(sky, sources)
    assert sky_between_donuts(frame, background, sources) is background
    assert sky_between_donuts(frame, background, no_sources("none")) is background


def test_where_donuts_hide_everything_the_sky_stays_what_it_was(in_focus: tuple[Frame, Background]) -> None:
    frame, sky = in_focus
    sources = detect(frame, sky)
    large = np.full(len(sources), 200.0**2)
    assert sky_between_donuts(frame, sky, replace(sources, xx=large, yy=large)) is sky
