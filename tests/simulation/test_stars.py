"""Light that is drawn is where it should be, and all of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from rapid.processing.geometry import detectors
from rapid.simulation.camera import full_well
from rapid.simulation.cosmic_rays import draw_cosmic_rays
from rapid.simulation.passbands import PASSBANDS
from rapid.simulation.saturation import bloom
from rapid.simulation.spectrum import LINES, Disperser, draw_spectra
from rapid.simulation.stars import Psf, _defocused, draw_stars


def drawn(psf: Psf, x: float, y: float, flux: float, size: int = 401) -> np.ndarray:
    image = np.zeros((size, size), dtype=np.float32)
    draw_stars(image, np.array([x]), np.array([y]), np.array([flux]), psf)
    return image.astype(np.float64)


def moments(image: np.ndarray, x: float, y: float, radius: float) -> tuple[float, float, float, float, float]:
    j, i = np.indices(image.shape)
    weight = image * np.exp(-((i - x) ** 2 + (j - y) ** 2) / (2 * radius**2))
    total = weight.sum()
    dx, dy = i - x, j - y
    return tuple(float((weight * m).sum() / total) for m in (dx, dy, dx * dx, dy * dy, dx * dy))  # type: ignore[return-value]


def over_a_pixel(psf: Psf, radius: float) -> float:
    """Mean of a round profile of amplitude 1 over a pixel beside its centre."""
    v, u = (np.mgrid[:21, :21] + 0.5) / 21 - 0.5
    return float(np.mean((1 + ((u + radius) ** 2 + v**2) / psf.scale**2) ** -psf.beta))


@settings(max_examples=25, deadline=None)
@given(st.floats(195, 205), st.floats(195, 205), st.floats(5, 15), st.floats(2.8, 5.0))
def test_a_star_has_its_flux_place_and_width(x: float, y: float, fwhm: float, beta: float) -> None:
    flux = 1e6
    psf = Psf(fwhm, beta)
    image = drawn(psf, x, y, flux)
    outside = (1.0 + (200.0 / psf.scale) ** 2) ** (1.0 - beta)
    assert image.sum() == pytest.approx(flux, rel=2 * outside + 2e-3)
    dx, dy, *_ = moments(image, x, y, fwhm)
    assert (dx, dy) == pytest.approx((0.0, 0.0), abs=1e-3)
    j, i = np.indices(image.shape)
    columns = [x, x - fwhm / 2, x + fwhm / 2]
    centre, left, right = map_coordinates(image, [[y, y, y], columns], order=5)
    at_half = over_a_pixel(psf, fwhm / 2) / over_a_pixel(psf, 0.0)
    assert at_half == pytest.approx(0.5, abs=0.25 / fwhm)
    assert (left / centre, right / centre) == pytest.approx((at_half, at_half), rel=0.002)
    # Encircled energy, Trujillo et al. (2001): 1 - (1 + r^2/alpha^2)^(1 - beta).
    inside = image[np.hypot(i - x, j - y) < 20].sum() / flux
    assert inside == pytest.approx(1 - (1 + (20 / psf.scale) ** 2) ** (1 - beta), abs=0.005)
    assert centre == pytest.approx(flux * psf.peak * over_a_pixel(psf, 0.0), rel=0.002)


@pytest.mark.parametrize(("e1", "e2"), [(0.1, 0.0), (0.0, -0.15), (-0.2, 0.1)])
def test_ellipticity_is_that_of_the_moments(e1: float, e2: float) -> None:
    """With a round weight the measured one is smaller; the ratio of the two components and the sign stay."""
    image = drawn(Psf(10.0, 3.5, e1, e2), 200.0, 200.0, 1e6)
    *_, xx, yy, xy = moments(image, 200.0, 200.0, 60.0)
    size = xx + yy
    assert ((xx - yy) / size, 2 * xy / size) == pytest.approx((e1, e2), abs=0.25 * np.hypot(e1, e2))
    assert np.sign((xx - yy) / size) == np.sign(e1) or e1 == 0.0


def test_stars_at_and_beyond_the_edges_are_cut() -> None:
    psf = Psf(8.0, 3.5)
    middle = drawn(psf, 200.0, 200.0, 1e6).sum()
    assert drawn(psf, -0.5, 200.0, 1e6).sum() == pytest.approx(middle / 2, rel=0.01)
    assert drawn(psf, 400.5, 400.5, 1e6).sum() == pytest.approx(middle / 4, rel=0.01)
    assert drawn(psf, -3000.0, 200.0, 1e4).sum() == 0.0
    ring = Psf(8.0, 3.5, donut=40.0)
    assert drawn(ring, -0.5, 200.0, 1e6).sum() == pytest.approx(5e5, rel=0.02)
    assert drawn(ring, -5000.0, 9000.0, 1e6).sum() == 0.0


@pytest.mark.parametrize("donut", [5.0, 20.0, 90.0])
@pytest.mark.parametrize("place", [(200.0, 200.0), (200.37, 199.81)])
def test_a_defocused_star_keeps_its_flux_and_place(donut: float, place: tuple[float, float]) -> None:
    image = drawn(Psf(8.0, 3.5, donut=donut), *place, 1e6)
    assert image.sum() == pytest.approx(1e6, rel=0.01)
    dx, dy, *_ = moments(image, *place, 100.0)
    assert (dx, dy) == pytest.approx((0.0, 0.0), abs=0.02)


def test_the_pixels_of_a_defocused_star_integrate_its_light() -> None:
    """A pixel adds 1/12 to each second moment; reading between samples half a pixel apart up to as much again."""
    psf = Psf(8.0, 3.5, donut=24.0)
    light = _defocused(psf)
    v, u = (np.indices(light.shape) - light.shape[0] // 2) / 2
    image = drawn(psf, 200.0, 200.0, 1e6)
    j, i = np.indices(image.shape) - 200.0
    for along, drawn_along in ((u, i), (v, j)):
        added = (image * drawn_along**2).sum() / image.sum() - (light * along**2).sum() / light.sum()
        assert 0.9 / 12 < added < 2.1 / 12


def test_defocus_widens_and_then_makes_a_ring() -> None:
    widths = [Psf(8.0, 3.5, donut=donut).full_width() for donut in (0.0, 6.0, 12.0)]
    assert None not in widths
    assert widths[0] == 8.0
    assert widths[0] < widths[1] < widths[2]  # type: ignore[operator]
    assert Psf(8.0, 3.5, donut=80.0).full_width() is None
    ring = drawn(Psf(8.0, 3.5, donut=80.0), 200.0, 200.0, 1e6)
    assert ring[200, 200] < 0.3 * ring[200, 200 + 28]  # a shadow in the middle of the pupil
    assert ring[200, 200 + 60] < 0.05 * ring[200, 200 + 28]


def test_defocus_that_does_not_show_is_none() -> None:
    just, barely = drawn(Psf(10.0, 3.5), 200.3, 200.1, 1e6), drawn(Psf(10.0, 3.5, donut=2.01), 200.3, 200.1, 1e6)
    assert barely.max() == pytest.approx(just.max(), rel=0.05)


# --- saturation and cosmic rays ------------------------------------------------------------------------------------

DETECTOR = detectors("LATISS")["R00_S00"]


def test_charge_blooms_along_the_column_and_is_kept() -> None:
    charge = np.zeros(DETECTOR.shape, dtype=np.float32)
    well = full_well(next(a for a in DETECTOR.amplifiers if a.name == "C10"))
    charge[3000, 100:103] = 10.5 * well
    bloom(charge, DETECTOR)
    assert charge.max() <= well * 1.0001
    assert charge.sum(dtype=np.float64) == pytest.approx(3 * 10.5 * well, rel=1e-6)
    full = np.flatnonzero(charge[:, 101] > 0.99 * well)
    assert full.min() == 3000 - 4
    assert full.max() == 3000 + 4
    assert charge[:, 99].sum() == charge[:, 103].sum() == 0.0


def test_charge_does_not_cross_into_the_other_half() -> None:
    charge = np.zeros(DETECTOR.shape, dtype=np.float32)
    charge[2003, 100] = 5e6
    bloom(charge, DETECTOR)
    assert charge[:2000].sum() == 0.0
    assert charge[2000:2004, 100].min() > 1e5


def test_nothing_blooms_below_full_well() -> None:
    charge = np.random.default_rng(1).uniform(0, 1.2e5, DETECTOR.shape).astype(np.float32)
    before = charge.copy()
    bloom(charge, DETECTOR)
    np.testing.assert_array_equal(charge, before)


def test_cosmic_rays_come_with_time_and_area() -> None:
    image = np.zeros((1000, 1000), dtype=np.float32)
    counts = [draw_cosmic_rays(image, 300.0, np.random.default_rng(seed)) for seed in range(40)]
    assert np.mean(counts) == pytest.approx(10.0, abs=4 * np.sqrt(10 / 40))  # 2 a minute and cm2
    per_track = image.sum() / sum(counts)
    assert 8000 < per_track < 40000  # 80 electron a micron, 100 um at least


def test_no_time_no_cosmic_rays() -> None:
    image = np.zeros((100, 100), dtype=np.float32)
    assert draw_cosmic_rays(image, 0.0, np.random.default_rng(1)) == 0
    assert not image.any()


# --- spectra -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def holo() -> Disperser:
    disperser = Disperser.named("holo4_003")
    assert disperser is not None
    return disperser


@pytest.fixture(scope="module")
def spectrum(holo: Disperser) -> np.ndarray:
    """Image of 4000 x 400 pixels with a star of 1e8 electron at x = 200, y = 500."""
    image = np.zeros((4000, 400), dtype=np.float32)
    draw_spectra(
        image,
        np.array([200.0]),
        np.array([500.0]),
        np.array([1e8]),
        colour=np.array([0.6]),
        psf=Psf(10.0, 3.5),
        disperser=holo,
        passband=PASSBANDS["empty_1"],
    )
    return image.astype(np.float64)


def test_an_empty_slot_disperses_nothing() -> None:
    assert Disperser.named("empty_1") is None


@given(st.floats(300, 1100), st.sampled_from([1, 2]))
def test_dispersion_goes_there_and_back(wavelength: float, order: int) -> None:
    disperser = Disperser.named("holo4_003")
    assert disperser is not None
    assert float(disperser.wavelength(disperser.offset(np.array(wavelength), order), order)) == pytest.approx(
        wavelength
    )


def test_orders_have_their_share_of_the_light(spectrum: np.ndarray, holo: Disperser) -> None:
    assert spectrum[300:700].sum() == pytest.approx(holo.zeroth * 1e8, rel=0.01)
    # From 400 to 640 nm there is first order alone: the second begins behind it (300 nm of second order lie at 600 of first).
    assert holo.offset(300.0, 2) > holo.offset(599.0)
    assert spectrum[1000:].sum() == pytest.approx((holo.first + holo.second) * 1e8, rel=0.12)
    assert spectrum[1000:].sum() > holo.first * 1e8 * 0.97


def test_the_trace_is_tilted_and_as_wide_as_a_star(spectrum: np.ndarray, holo: Disperser) -> None:
    for row in (1700, 2200, 2700):
        profile = spectrum[row]
        centre = (profile * np.arange(400))[100:300].sum() / profile[100:300].sum()
        assert centre == pytest.approx(200 + np.tan(np.radians(holo.tilt)) * (row - 500), abs=0.05)
        above = np.flatnonzero(profile > profile.max() / 2)
        # The profile summed along the dispersion is a Moffat of exponent beta - 1/2 and the same radius.
        expected = 2 * Psf(10.0, 3.5).scale * np.sqrt(2 ** (1 / 3.0) - 1)
        assert above.max() - above.min() + 1 == pytest.approx(expected, abs=1.5)


@pytest.mark.parametrize("line", ["H_beta", "H_alpha", "O2_A"])
def test_lines_are_where_they_belong(spectrum: np.ndarray, holo: Disperser, line: str) -> None:
    flux = spectrum[:, 100:320].sum(axis=1)
    expected = 500 + float(holo.offset(LINES[line][0]))
    rows = np.arange(int(expected) - 40, int(expected) + 41)
    ends = np.r_[flux[rows[:8]], flux[rows[-8:]]]
    continuum = np.polyval(np.polyfit(np.r_[rows[:8], rows[-8:]], ends, 1), rows)
    depth = 1 - flux[rows] / continuum
    assert depth.max() > 0.08
    assert (rows * depth).sum() / depth.sum() == pytest.approx(expected, abs=2.0)


def test_a_red_star_is_red(holo: Disperser) -> None:
    images = []
    for colour in (0.0, 2.0):
        image = np.zeros((4000, 100), dtype=np.float32)
        draw_spectra(
            image,
            np.array([50.0]),
            np.array([500.0]),
            np.array([1e8]),
            colour=np.array([colour]),
            psf=Psf(8.0, 3.5),
            disperser=holo,
            passband=PASSBANDS["empty_1"],
        )
        images.append(image)
    blue, red = (int(500 + holo.offset(nm)) for nm in (430.0, 560.0))
    ratios = [float(image[blue].sum() / image[red].sum()) for image in images]
    assert ratios[0] > 2 * ratios[1]


def test_a_filter_cuts_the_spectrum(holo: Disperser) -> None:
    image = np.zeros((4000, 100), dtype=np.float32)
    draw_spectra(
        image,
        np.array([50.0]),
        np.array([500.0]),
        np.array([1e8]),
        colour=np.array([0.6]),
        psf=Psf(8.0, 3.5),
        disperser=holo,
        passband=PASSBANDS["FELH0600"],
    )
    rows = image.sum(axis=1)
    below, above = (int(500 + holo.offset(nm)) for nm in (550.0, 650.0))
    assert rows[below] < 0.01 * rows[above]
