"""The zero point of simulated stars is found again, and its error is the true one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rapid.errors import InputError
from rapid.processing.photometry import ZeroPoint, fit_zero_point
from rapid.processing.photometry.robust import robust_mean

TRUE = 28.5
SECONDS = 30.0
SKY_NOISE = 200.0  # electron in the aperture

Stars = tuple[NDArray[np.float64], ...]


def stars(seed: int, n: int, *, scatter: float = 0.0, wrong: float = 0.0, zero_point: float = TRUE) -> Stars:
    """Draw stars of 16 to 21 mag as a frame and a catalogue have them; a part of them is matched wrongly."""
    rng = np.random.default_rng(seed)
    true, error = rng.uniform(16, 21, n), rng.uniform(0.002, 0.02, n)
    flux = SECONDS * 10 ** (0.4 * (zero_point - true - rng.normal(0, scatter, n)))
    flux *= np.where(rng.random(n) < wrong, 10 ** (0.4 * rng.normal(0, 1, n)), 1)
    flux_error = np.sqrt(flux + SKY_NOISE**2)
    return flux + rng.normal(0, flux_error), flux_error, true + rng.normal(0, error), error


def fitted(columns: Stars, **options: object) -> ZeroPoint:
    return fit_zero_point(*columns, exposure_time=SECONDS, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("scatter", [0.0, 0.02])
@pytest.mark.parametrize("wrong", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("n", [15, 50, 200])
def test_it_is_right_to_its_error(n: int, wrong: float, scatter: float) -> None:
    found = [fitted(stars(seed, n, scatter=scatter, wrong=wrong)) for seed in range(60)]
    solved = [one for one in found if not one.reason]
    assert len(solved) >= (60 if n >= 50 or wrong < 0.3 else 55)
    offsets = np.array([one.value - TRUE for one in solved])
    pulls = offsets / [one.error for one in solved]
    assert abs(np.mean(offsets)) < 3 * np.std(offsets) / np.sqrt(len(offsets)) + 2e-4
    # 60 pulls tell their width to 9 %, and with few stars and many wrong ones the scatter is not quite known
    assert 0.68 < np.std(pulls) < 1.35
    if n >= 50:
        assert np.abs(offsets).max() < 0.015
        assert np.sqrt(np.mean(offsets**2)) < 0.005


def test_the_scatter_is_that_of_the_stars_beyond_their_errors() -> None:
    found = [fitted(stars(seed, 200, scatter=0.03, wrong=0.1)).scatter for seed in range(20)]
    assert np.mean(found) == pytest.approx(0.03, rel=0.05)
    assert fitted(stars(1, 200)).scatter < 0.006


def test_what_all_fluxes_have_in_common_is_not_averaged_out() -> None:
    alone, together = fitted(stars(2, 200)), fitted(stars(2, 200), common_error=0.01)
    assert together.error == pytest.approx(np.hypot(alone.error, 0.010857), rel=1e-4)
    assert (together.value, together.scatter, together.n_stars) == (alone.value, alone.scatter, alone.n_stars)


def test_wrong_matches_are_counted() -> None:
    found = fitted(stars(3, 300, wrong=0.2))
    assert found.n_stars + found.n_rejected == pytest.approx(300, abs=5)  # the faintest few are below 10 sigma
    assert 0.15 < found.n_rejected / 300 < 0.22  # some wrong ones are right by chance


def test_stars_that_are_not_usable_do_not_count() -> None:
    flux, *others = stars(4, 100)
    saturated = np.arange(100) < 30
    spoilt = np.where(saturated, 0.5 * flux, flux)
    found = fitted((spoilt, *others), usable=~saturated)
    assert (found.n_stars, found.n_rejected) == (70, 0)
    assert found.value == pytest.approx(TRUE, abs=0.01)


def test_faint_stars_do_not_make_it_bright() -> None:
    """Stars near the limit of detection, of which those that chance made brighter are the ones that are seen."""
    rng = np.random.default_rng(5)
    values = []
    for _ in range(40):
        true = rng.uniform(20, 24, 2000)
        flux = SECONDS * 10 ** (0.4 * (TRUE - true))
        error = np.sqrt(flux + SKY_NOISE**2)
        flux = flux + rng.normal(0, error)
        seen = flux > 5 * error
        columns = flux[seen], error[seen], true[seen], np.full(seen.sum(), 0.001)
        values.append(fitted(columns).value)
    assert abs(np.mean(values) - TRUE) < 0.002


@given(shift=st.floats(-5, 5), scale=st.floats(0.1, 10), seed=st.integers(0, 10))
def test_it_follows_magnitudes_and_exposure_times(shift: float, scale: float, seed: int) -> None:
    flux, flux_error, magnitude, error = stars(seed, 40, wrong=0.1)
    here = fitted((flux, flux_error, magnitude, error))
    there = fit_zero_point(flux * scale, flux_error * scale, magnitude + shift, error, exposure_time=SECONDS * scale)
    assert there.value == pytest.approx(here.value + shift, abs=1e-6)
    assert there.error == pytest.approx(here.error, rel=1e-4)


@given(seed=st.integers(0, 1000))
def test_the_order_of_stars_does_not_matter(seed: int) -> None:
    columns = stars(seed % 7, 40, wrong=0.2, scatter=0.01)
    order = np.random.default_rng(seed).permutation(40)
    here, there = fitted(columns), fitted(tuple(column[order] for column in columns))
    assert there.value == pytest.approx(here.value, abs=1e-9)
    assert there.n_stars == here.n_stars


def test_numbers_that_are_none_are_left_out() -> None:
    columns = [column.copy() for column in stars(6, 60)]
    columns[0][:5] = np.nan, -1.0, 0.0, np.inf, np.nan
    columns[1][5:8] = np.nan, 0.0, -3.0
    columns[2][8:10] = np.nan, np.inf
    columns[3][10:12] = np.nan, -0.1
    found = fitted(tuple(columns))
    assert found.n_stars + found.n_rejected == 48
    assert found.value == pytest.approx(TRUE, abs=0.01)


@pytest.mark.parametrize(
    ("n", "reason"),
    [
        (0, "0 matched stars can be used, 5 are needed"),
        (1, "1 matched star can be used, 5 are needed"),
        (4, "4 matched stars can be used, 5 are needed"),
    ],
)
def test_few_stars_have_no_zero_point(n: int, reason: str) -> None:
    found = fitted(stars(1, n))
    assert found.reason == reason
    assert np.isnan([found.value, found.error, found.scatter]).all()
    assert not found.estimate.known


def test_faint_stars_have_no_zero_point() -> None:
    flux, error, *others = stars(1, 30)
    assert fitted((flux, error * 1e5, *others)).reason == "0 matched stars are bright enough, 5 are needed"


def test_stars_matched_by_chance_have_no_zero_point() -> None:
    for seed in range(30):
        flux, error, magnitude, magnitude_error = stars(seed, 60)
        shuffled = np.random.default_rng(seed).permutation(magnitude)
        found = fitted((flux, error, shuffled, magnitude_error))
        assert found.reason.startswith(("the stars scatter by", "only ")), found


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_an_exposure_without_time_has_no_zero_point(seconds: float) -> None:
    found = fit_zero_point(*stars(1, 30), exposure_time=seconds)
    assert found.reason == f"an exposure of {seconds:g} s has no zero point"


def test_columns_of_different_length_are_refused() -> None:
    flux, error, magnitude, _ = stars(1, 30)
    with pytest.raises(InputError, match=r"differ in shape; expected \(30,\) in one dimension; found .*\(29,\)"):
        fitted((flux, error, magnitude, error[1:]))


def test_a_mean_of_equal_values_is_that_value() -> None:
    found = robust_mean(np.full(6, 3.0), np.full(6, 0.1), outlier_scatter=1.0)
    assert (found.mean, found.scatter) == pytest.approx((3.0, 0.0), abs=1e-12)
    assert found.error == pytest.approx(0.1 / np.sqrt(found.n))
    assert 5.9 < found.n <= 6
