"""The core on a simulated night: what the simulation put in is what the core finds.

The short night has one exposure or more of each kind, and what goes wrong: clouds, a dead amplifier, a truncated file.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from rapid.errors import TruncatedFile
from rapid.processing.fits import is_complete
from rapid.processing.frame import Psf, Study
from rapid.processing.measure import study
from rapid.simulation.night import SimulatedExposure
from tests.support.nights import simulated_night


@dataclass(frozen=True)
class Seen:
    """One exposure, as it was made and as it was found."""

    exposure: SimulatedExposure
    truth: dict[str, Any]
    found: Study


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> tuple[SimulatedExposure, ...]:
    return simulated_night(tmp_path_factory.getbasetemp() / "short_night")


@pytest.fixture(scope="module")
def seen(night: tuple[SimulatedExposure, ...]) -> list[Seen]:
    whole = [exposure for exposure in night if "truncated_file" not in exposure.incidents]
    return [
        Seen(exposure, json.loads(exposure.truth.read_text()), study(exposure.path, name=exposure.path.name))
        for exposure in whole
    ]


def test_every_exposure_is_what_its_header_says(seen: list[Seen]) -> None:
    for one in seen:
        info = one.found.frame.info
        assert (info.obs_id, info.day_obs, info.seq_num) == tuple(
            one.truth[name] for name in ("obs_id", "day_obs", "seq_num")
        )
        assert info.exposure_time == one.truth["exposure_time"]
        assert info.begin_tai == one.truth["begin_tai"]
        assert info.physical_filter.startswith(one.truth["filter"].removesuffix("_1"))


def test_seeing_shape_and_sky_of_what_is_in_focus(seen: list[Seen]) -> None:
    sharp = [one for one in seen if one.truth["sky"] and one.truth["sky"]["donut_px"] < 1]
    assert len(sharp) >= 4
    for one in sharp:
        sky, psf, background = one.truth["sky"], one.found.psf, one.found.background
        assert psf is not None
        assert background is not None
        assert psf.fwhm == pytest.approx(sky["fwhm_px"], rel=0.02), one.exposure.obs_id
        assert (psf.e1, psf.e2) == pytest.approx((sky["e1"], sky["e2"]), abs=0.02), one.exposure.obs_id
        if one.exposure.kind != "spectrum":
            dark = 0.03 * one.truth["dark_time"]
            assert background.level == pytest.approx(sky["sky_electron_per_px"] + dark, rel=0.005, abs=0.3)


def test_seeing_follows_the_focus(seen: list[Seen]) -> None:
    sweep = [one for one in seen if one.exposure.kind == "focus"]
    widths = [one.found.psf.fwhm for one in sweep if isinstance(one.found.psf, Psf)]
    assert len(widths) == 3
    assert widths[1] < 0.95 * min(widths[0], widths[2])


def test_levels_and_noise_of_every_living_amplifier(seen: list[Seen]) -> None:
    for one in seen:
        for amplifier in one.found.frame.amplifiers:
            true = one.truth["amplifiers"][amplifier.name]
            if not amplifier.dead:
                assert amplifier.bias_level == pytest.approx(true["bias_level"], abs=10)
                noise = math.hypot(true["read_noise"], true["gain"] / math.sqrt(12))
                assert amplifier.read_noise == pytest.approx(noise, rel=0.015)


def test_flats_have_their_level_and_biases_none(seen: list[Seen]) -> None:
    for one in seen:
        if one.exposure.kind == "flat":
            assert np.nanmean(one.found.frame.image) == pytest.approx(one.truth["flat_level"], rel=0.005)
        if one.exposure.kind == "bias":
            assert one.found.background is not None
            assert one.found.background.level == pytest.approx(0, abs=0.3)


def test_the_dead_amplifier_is_found_and_no_other(seen: list[Seen]) -> None:
    for one in seen:
        dead = [amplifier.name for amplifier in one.found.frame.amplifiers if amplifier.dead]
        assert dead == (["C13"] if "dead_amplifier" in one.exposure.incidents else [])


def test_bright_stars_are_found_where_they_are(seen: list[Seen]) -> None:
    for one in seen:
        if one.exposure.kind != "science":
            continue
        sources = one.found.sources
        assert sources is not None
        ny, nx = one.found.frame.image.shape
        inside = [star for star in one.truth["stars"] if 40 < star["x"] < nx - 40 and 40 < star["y"] < ny - 40]
        bright = [star for star in inside if star["flux"] > 1e4 and np.isfinite(pixel(one.found, star))]
        assert len(bright) > 3
        distance, _ = cKDTree(np.column_stack([sources.x, sources.y])).query(
            [(star["x"], star["y"]) for star in bright]
        )
        assert (distance < 2).mean() > 0.95
        assert np.median(distance) < 0.25


def pixel(found: Study, star: dict[str, float]) -> float:
    return float(found.frame.image[round(star["y"]), round(star["x"])])


def test_the_truncated_file_is_refused(night: tuple[SimulatedExposure, ...]) -> None:
    cut = [exposure for exposure in night if "truncated_file" in exposure.incidents]
    assert len(cut) == 1
    with pytest.raises(TruncatedFile, match=cut[0].obs_id):
        study(cut[0].path, name=cut[0].path.name)


def test_complete_files_are_told_from_the_others(night: tuple[SimulatedExposure, ...]) -> None:
    for exposure in night:
        assert is_complete(exposure.path) == ("truncated_file" not in exposure.incidents)
