"""Colour terms give the magnitudes of a band, with errors, where they hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from rapid.errors import InputError
from rapid.processing.photometry import ColourTerm, choose_colour_term
from rapid.processing.photometry.colour import colour_terms

GAIA = ("gaia_g", "gaia_bp", "gaia_rp")
TERM = ColourTerm("r", "g", "a test", blue="g", red="i", coefficients=(0.1, -0.5, 0.05), low=0.0, high=2.0)


def test_errors_are_those_of_draws() -> None:
    rng = np.random.default_rng(1)
    true, error = {"g": 17.0, "i": 16.2}, {"g": 0.02, "i": 0.03}
    drawn = {name: true[name] + rng.normal(0, error[name], 200_000) for name in true}
    magnitudes, errors = TERM.apply(drawn, {name: np.full(200_000, error[name]) for name in error})
    exact, predicted = TERM.apply(
        {name: np.array([true[name]]) for name in true}, {name: np.array([error[name]]) for name in error}
    )
    assert exact[0] == pytest.approx(17.0 + 0.1 - 0.5 * 0.8 + 0.05 * 0.64)
    assert magnitudes.std() == pytest.approx(predicted[0], rel=0.01)
    assert errors.mean() == pytest.approx(predicted[0], rel=0.01)


def test_colours_outside_its_range_have_no_magnitude() -> None:
    magnitudes, errors = TERM.apply(
        {"g": np.array([17.0, 17.0, 17.0, np.nan]), "i": np.array([17.1, 16.0, 14.9, 16.0])},
        {"g": np.full(4, 0.01), "i": np.full(4, 0.01)},
    )
    assert np.isfinite(magnitudes).tolist() == [False, True, False, False]
    assert np.isfinite(errors).tolist() == [False, True, False, False]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="no magnitudes for band r; expected columns g, i; found no i"):
        TERM.apply({"g": np.ones(2)}, {"g": np.ones(2)})


def test_the_nearest_column_is_chosen() -> None:
    own = choose_colour_term("LATISS", "r", {"r", "latiss_r", *GAIA})
    synthetic = choose_colour_term("LSSTCam", "z", {"lsst_z", "latiss_z", *GAIA})
    gaia = choose_colour_term("LATISS", "i", GAIA)
    assert (own.base, own.coefficients) == ("r", ())
    assert synthetic.base == "lsst_z"
    assert (gaia.base, len(gaia.coefficients)) == ("gaia_g", 4)
    assert choose_colour_term("LATISS", "u", GAIA) is None
    assert choose_colour_term("LATISS", "r", {"gaia_g"}) is None


def test_a_catalogue_s_own_band_is_taken_as_it_is() -> None:
    magnitudes, errors = choose_colour_term("LATISS", "r", {"r"}).apply(
        {"r": np.array([15.0, np.nan])}, {"r": np.array([0.01, 0.02])}
    )
    np.testing.assert_array_equal(magnitudes, [15.0, np.nan])
    np.testing.assert_array_equal(errors, [0.01, 0.02])


def test_every_term_says_where_it_comes_from() -> None:
    assert len(colour_terms()) > 10
    for term in colour_terms():
        assert term.source
        assert term.base
        assert not term.coefficients or term.low < term.high


@pytest.mark.parametrize("band", ["g", "r", "i"])
def test_gaia_gives_the_synthetic_magnitudes_of_real_stars(shared_data: Path, band: str) -> None:
    """Relations for SDSS against synthetic LATISS magnitudes: other filters of the same name, to 0.1 mag."""
    table = fits.getdata(shared_data / "refcats/the_monster/the_monster_20240904_147175.fits")
    gaia = fits.getdata(shared_data / "refcats/the_monster/gaia_dr3_147175.fits")
    order = {number: row for row, number in enumerate(gaia["id"])}
    rows = [order[number] for number in table["id"] if number in order]
    here = [number in order for number in table["id"]]
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            f"gaia_{name}": 31.4 - 2.5 * np.log10(gaia[f"phot_{name}_mean_flux"][rows]) for name in ("g", "bp", "rp")
        }
        true = 31.4 - 2.5 * np.log10(table[f"monster_LATISS_{band}_flux"][here])  # nJy
    errors = {name: np.full(len(rows), 0.01) for name in columns}
    found, _ = choose_colour_term("LATISS", band, GAIA).apply(columns, errors)
    good = np.isfinite(found) & np.isfinite(true) & (true < 20)
    low, middle, high = np.percentile((found - true)[good], [16, 50, 84])
    assert good.sum() > 300
    assert abs(middle) < 0.1
    assert high - low < 0.08  # a tenth of the synthetic magnitudes are off by more than a magnitude
