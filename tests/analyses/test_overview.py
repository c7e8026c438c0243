"""The whole frame made small: means that honour the mask, and limits worth seeing."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rapid.analyses.overview import binned, dead_amplifiers, frame_panel, quantised
from rapid.processing.frame import Mask
from tests.support.studies import Star, make_study, with_image


def reference(image: np.ndarray, mask: np.ndarray, factor: int) -> np.ndarray:
    usable = np.isfinite(image) & ((mask & int(Mask.BAD | Mask.NO_DATA)) == 0)
    values = np.where(usable, image.astype(float), np.nan)
    rows = [values[y : y + factor] for y in range(0, image.shape[0], factor)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.array(
            [[np.nanmean(row[:, x : x + factor]) for x in range(0, image.shape[1], factor)] for row in rows]
        )


@settings(deadline=None)
@given(
    image=arrays(np.float32, (7, 11), elements=st.floats(-1e4, 1e5, width=32) | st.just(np.nan) | st.just(np.inf)),
    mask=arrays(np.uint16, (7, 11), elements=st.sampled_from([0, 0, 0, 1, 2, 8, 9])),
    factor=st.integers(1, 12),
)
def test_binning_is_the_mean_of_usable_pixels(image: np.ndarray, mask: np.ndarray, factor: int) -> None:
    np.testing.assert_allclose(binned(image, mask, factor), reference(image, mask, factor), rtol=2e-5, atol=2e-2)


def test_binning_takes_read_only_arrays_and_leaves_them() -> None:
    frame = make_study([Star(50, 60)]).frame
    before = frame.image.copy()
    assert binned(frame.image, frame.mask, 4).shape == (60, 80)
    np.testing.assert_array_equal(frame.image, before)


@given(arrays(np.float32, (5, 6), elements=st.floats(-1e5, 1e6, width=32) | st.just(np.nan)), st.floats(0.0, 1e4))
def test_quantising_loses_no_more_than_half_a_step(values: np.ndarray, noise: float) -> None:
    pixels, offset, step = quantised(values, noise)
    known = np.isfinite(values)
    np.testing.assert_array_equal(pixels == 0, ~known)
    restored = offset + step * pixels.astype(float)
    assert np.all(np.abs(restored - values)[known] <= 0.5001 * step + 1e-6)


def test_quantising_is_finer_than_the_noise() -> None:
    _, _, step = quantised(np.array([0.0, 1000.0]), 8.0)
    assert step == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
def test_calibrations_are_linear_and_never_only_black_and_white(kind: str) -> None:
    study = make_study(observation_type=kind, sky=0.0 if kind != "flat" else 30_000.0)
    panel, limits = frame_panel(study.frame, title="t", longest_side=80)
    assert limits.stretch == panel.stretch == "linear"
    level = 0.0 if kind != "flat" else 30_000.0
    assert limits.low < level < limits.high
    assert limits.high - limits.low >= 8 * limits.noise * 0.999
    values = panel.offset + panel.step * panel.pixels
    assert np.mean((values > limits.low) & (values < limits.high)) > 0.98


@pytest.mark.parametrize("count", [0, 3, 300])
def test_the_sky_is_a_dark_grey_with_few_stars_and_with_many(count: int) -> None:
    rng = np.random.default_rng(5)
    stars = [Star(rng.uniform(0, 320), rng.uniform(0, 240), 10 ** rng.uniform(3, 5.5), 4.0) for _ in range(count)]
    _, limits = frame_panel(make_study(stars, noise=True).frame, title="t", longest_side=80)
    assert limits.stretch == "asinh"
    level = np.arcsinh((300.0 - limits.low) / (limits.high - limits.low) / 0.02) / np.arcsinh(50.0)
    assert 0.02 < level < 0.45
    assert limits.high > 300.0 + 100 * limits.noise


def test_a_dead_amplifier_is_hatched_and_does_not_set_the_limits() -> None:
    study = make_study(observation_type="flat", sky=30_000.0, dead=["C01"])
    frame = study.frame
    lively = with_image(study, frame.image, np.zeros_like(frame.mask)).frame  # dead, and not masked by anybody
    panel, limits = frame_panel(lively, title="t", longest_side=80)
    assert limits.low > 29_000
    assert [amplifier.name for amplifier in dead_amplifiers(frame)] == ["C01"]
    (mark,) = panel.marks
    assert (mark.kind, mark.label) == ("hatch", "C01 dead")
    assert (mark.x, mark.y, mark.size, mark.height) == (160 + 79.5, 59.5, 160, 120)


def test_the_panel_knows_where_its_pixels_are() -> None:
    study = make_study([Star(101.5, 61.5, 1e6, 4.0)], noise=False)
    panel, _ = frame_panel(study.frame, title="t", longest_side=80)
    row, column = np.unravel_index(np.argmax(panel.pixels), panel.pixels.shape)
    assert panel.binning == 4
    assert (panel.x0 + 4 * column, panel.y0 + 4 * row) == (101.5, 61.5)


@pytest.mark.parametrize("value", [np.nan, 0.0, 5.0, 1e30])
def test_a_frame_of_one_value_has_a_picture(value: float) -> None:
    study = make_study()
    frame = with_image(study, np.full((240, 320), value, np.float32)).frame
    panel, limits = frame_panel(frame, title="t", longest_side=80)
    assert np.isfinite([panel.offset, panel.step, panel.low, panel.high, limits.noise]).all()
    assert limits.high > limits.low
    assert np.unique(panel.pixels).size == 1
