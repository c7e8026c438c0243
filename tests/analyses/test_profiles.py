"""Profiles are fitted back from a known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rapid.analyses.profiles import Profile, fit_center, fit_gaussian, fit_moffat, gaussian, moffat


def scene(fwhm: float, beta: float, *, flux: float = 1e6, seed: int = 1, x: float = 0.3, y: float = -0.2) -> tuple:
    rows, columns = np.mgrid[-40:41, -40:41].astype(np.float64)
    r = np.hypot(columns - x, rows - y).ravel()
    if math.isinf(beta):
        light = gaussian(r, flux * 4 * math.log(2) / (math.pi * fwhm**2), 200.0, fwhm)
    else:
        alpha = fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1))
        light = moffat(r, flux * (beta - 1) / (math.pi * alpha**2), 200.0, fwhm, beta)
    noise = np.random.default_rng(seed).standard_normal(r.shape) * np.sqrt(light + 50.0)
    return rows.ravel(), columns.ravel(), r, light + noise


NOISE = math.sqrt(250.0)


@pytest.mark.parametrize("profile", [gaussian, lambda r, a, b, f: moffat(r, a, b, f, 2.7)])
def test_half_of_the_amplitude_is_left_at_half_of_the_fwhm(profile) -> None:
    r = np.array([0.0, 3.5, 1e9])
    np.testing.assert_allclose(profile(r, 100.0, 7.0, 7.0), [107.0, 57.0, 7.0])


@pytest.mark.parametrize("fwhm", [3.0, 8.0, 15.0])
@pytest.mark.parametrize("beta", [2.5, 3.0, 4.765])
def test_a_moffat_star_is_recovered_within_its_error(fwhm: float, beta: float) -> None:
    _, _, r, light = scene(fwhm, beta)
    fit = fit_moffat(r, light, sky=200.0, noise=NOISE, fwhm=0.8 * fwhm)
    assert isinstance(fit, Profile)
    assert abs(fit.fwhm - fwhm) < 4 * fit.fwhm_error
    assert fit.fwhm == pytest.approx(fwhm, rel=0.01)
    assert fit.beta == pytest.approx(beta, rel=0.05)
    assert fit.chi2 == pytest.approx(1.0, abs=0.1)
    np.testing.assert_allclose(fit.at(np.array([fit.fwhm / 2])) - fit.background, fit.amplitude / 2)


def test_the_error_is_the_scatter_of_many_fits() -> None:
    fits = [
        fit_moffat(*scene(8.0, 3.0, flux=1e5, seed=seed)[2:], sky=200.0, noise=NOISE, fwhm=7.0) for seed in range(40)
    ]
    assert all(isinstance(fit, Profile) for fit in fits)
    pulls = [(fit.fwhm - 8.0) / fit.fwhm_error for fit in fits]
    assert 0.7 < np.std(pulls) < 1.35
    assert abs(np.mean(pulls)) < 0.6


def test_a_gaussian_is_recovered_by_both() -> None:
    _, _, r, light = scene(8.0, math.inf)
    core = fit_gaussian(r, light, sky=200.0, noise=NOISE, fwhm=8.0)
    wings = fit_moffat(r, light, sky=200.0, noise=NOISE, fwhm=8.0)
    assert isinstance(core, Profile)
    assert isinstance(wings, Profile)
    assert core.fwhm == pytest.approx(8.0, rel=0.005)
    assert wings.fwhm == pytest.approx(8.0, rel=0.01)
    assert wings.beta > 30
    assert math.isinf(core.beta)


def test_the_gaussian_core_of_a_moffat_star_is_at_most_a_tenth_too_wide() -> None:
    fit = fit_gaussian(*scene(8.0, 3.0)[2:], sky=200.0, noise=NOISE, fwhm=8.0)
    assert isinstance(fit, Profile)
    assert 8.0 < fit.fwhm < 8.8


def test_the_centre_is_found_without_the_core() -> None:
    rows, columns, r, light = scene(8.0, 3.0, x=1.3, y=-0.7)
    left = (r > 5) & (columns > -25)
    center = fit_center(columns[left], rows[left], light[left], sky=200.0, noise=NOISE, fwhm=7.0)
    assert not isinstance(center, str)
    assert center == pytest.approx((1.3, -0.7), abs=0.05)


@pytest.mark.parametrize("fit", [fit_gaussian, fit_moffat])
def test_why_there_is_no_fit(fit) -> None:
    r = np.linspace(0, 6, 400)
    assert "only 5 pixels" in fit(r[:5], r[:5], sky=0.0, noise=1.0, fwhm=6.0)
    assert "does not stand out" in fit(r, np.full_like(r, 3.0), sky=3.0, noise=1.0, fwhm=6.0)
    assert "does not stand out" in fit(r, np.zeros_like(r), sky=0.0, noise=0.0, fwhm=6.0)


@pytest.mark.parametrize("beta", [1.5, 3.0, 500.0, math.inf])
def test_the_energy_of_a_profile_is_its_integral(beta: float) -> None:
    profile = Profile(100.0, 7.0, 6.0, 0.0, beta, 1.0)
    r = np.linspace(0, 20, 20_001)
    middle = (r[1:] + r[:-1]) / 2
    integral = np.cumsum((profile.at(middle) - 7.0) * math.pi * np.diff(r**2))
    np.testing.assert_allclose(profile.energy(r)[1:], integral, rtol=1e-5, atol=1e-5)
