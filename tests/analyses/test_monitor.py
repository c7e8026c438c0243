"""The picture of the whole frame."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from rapid.analyses.monitor import analysis
from rapid.processing.analysis import Analysis
from rapid.processing.findings import ImagePanel
from rapid.processing.frame import Step
from tests.support.studies import Star, make_info, make_study, with_image

KINDS = ["bias", "dark", "flat", "science", "cwfs", "focus", "acq", "engtest", "unknown"]


def test_it_is_an_analysis() -> None:
    assert isinstance(analysis, Analysis)
    assert analysis.name == "monitor"
    assert all(analysis.applies(make_info(kind)) for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_exposure_has_one_picture(kind: str) -> None:
    result = analysis.run(make_study([Star(50, 50)], observation_type=kind))
    (picture,) = result.pictures
    (panel,) = picture.panels
    assert picture.channel == "monitor"
    assert isinstance(panel, ImagePanel)
    assert panel.title == "R00_S00 · ITL-3800C-068 · without flat"
    assert panel.pixels.dtype == np.uint16
    assert panel.blank == 0
    assert result.findings == ()


def test_the_title_names_the_images_that_are_wanted_and_missing_and_no_other_step() -> None:
    study = make_study([Star(50, 50)])
    recipe = (
        Step("bias", done=False, detail="no bias"),
        Step("dark", done=False, detail="not wanted of a bias", wanted=False),
        Step("linearity", done=False, detail="no linearity"),
        Step("flat", done=True),
    )
    (picture,) = analysis.run(replace(study, frame=replace(study.frame, recipe=recipe))).pictures
    assert picture.panels[0].title == "R00_S00 · ITL-3800C-068 · without bias"


def test_the_sidecar_says_how_it_was_stretched() -> None:
    result = analysis.run(make_study([Star(50, 50)], dead=["C11"]))
    panel = result.pictures[0].panels[0]
    assert isinstance(panel, ImagePanel)
    assert result.sidecar["dead_amplifiers"] == ["C11"]
    assert result.sidecar["stretch"] == panel.stretch == "asinh"
    assert (result.sidecar["low_electron"], result.sidecar["high_electron"]) == (panel.low, panel.high)
    assert result.sidecar["binning"] == panel.binning
    json.dumps(result.sidecar, allow_nan=False)


def test_a_frame_without_data_is_drawn_blank() -> None:
    result = analysis.run(with_image(make_study(), np.full((240, 320), np.nan, np.float32)))
    panel = result.pictures[0].panels[0]
    assert isinstance(panel, ImagePanel)
    assert not panel.pixels.any()
    json.dumps(result.sidecar, allow_nan=False)
