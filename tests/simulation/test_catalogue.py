from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.errors import ConfigError
from rapid.simulation.catalogue import Stars, SyntheticCatalogue
from rapid.simulation.passbands import PASSBANDS, magnitudes
from rapid.simulation.reference_file import load_catalogue

WHEN = datetime(2024, 6, 25)  # noqa: DTZ001
SKY = SyntheticCatalogue()


def separations(stars: Stars, ra: float, dec: float) -> np.ndarray:
    """Angles [deg] from unit vectors."""
    vectors = np.stack(
        [
            np.cos(np.radians(stars.dec)) * np.cos(np.radians(stars.ra)),
            np.cos(np.radians(stars.dec)) * np.sin(np.radians(stars.ra)),
            np.sin(np.radians(stars.dec)),
        ]
    )
    centre = [
        np.cos(np.radians(dec)) * np.cos(np.radians(ra)),
        np.cos(np.radians(dec)) * np.sin(np.radians(ra)),
        np.sin(np.radians(dec)),
    ]
    return np.degrees(np.arccos(np.clip(centre @ vectors, -1, 1)))


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 360, exclude_max=True), st.floats(-90, 90))
def test_the_sky_is_covered_everywhere_and_once(ra: float, dec: float) -> None:
    """A circle within a larger one has the same stars, whichever is asked for."""
    large = SKY.around(ra, dec, 0.15, WHEN)
    small = SKY.around(ra, (dec + 0.05) if dec < 0 else dec - 0.05, 0.08, WHEN)
    assert len(small) > 0
    assert len(np.unique(large.ra)) == len(large)
    assert (separations(large, ra, dec) <= 0.1501).all()
    assert set(small.ra) <= set(large.ra)


def test_a_field_has_stars_as_the_sky_has() -> None:
    """At 25 degrees from the galactic plane: 950 stars a square degree brighter than G = 16, 3000 brighter than 18."""
    stars = SKY.around(192.86 - 180.0, -27.13 + 65.0, 1.0, WHEN)
    area = np.pi
    assert (stars.magnitude < 16).sum() / area == pytest.approx(950, rel=0.15)
    assert (stars.magnitude < 18).sum() / area == pytest.approx(3000, rel=0.12)
    assert 0.4 < np.median(stars.colour) < 1.3


def test_the_plane_is_more_crowded_than_the_pole() -> None:
    pole, plane = SKY.around(192.86, 27.13, 0.4, WHEN), SKY.around(266.4, -28.94, 0.4, WHEN)
    assert len(plane) > 3 * len(pole)


def test_stars_move() -> None:
    later = datetime(2034, 6, 25)  # noqa: DTZ001
    now, then = SKY.around(210.0, -40.0, 0.2, WHEN), SKY.around(210.0, -40.0, 0.2, later)
    common = np.intersect1d(now.magnitude, then.magnitude, return_indices=True)
    moved = np.hypot(
        (then.ra[common[2]] - now.ra[common[1]]) * np.cos(np.radians(40)), then.dec[common[2]] - now.dec[common[1]]
    )
    per_year = np.median(moved) * 3.6e6 / 10.0
    assert 3.0 < per_year < 60.0  # mas


def test_another_seed_is_another_sky() -> None:
    assert set(SKY.around(100, 0, 0.2, WHEN).ra).isdisjoint(SyntheticCatalogue(seed=5).around(100, 0, 0.2, WHEN).ra)


def test_colours_of_a_solar_star() -> None:
    """BP - RP = 0.82, G = 4.67 for the Sun (Casagrande & VandenBerg 2018); SDSS g - r = 0.45, r - i = 0.12."""
    g, r, i = (float(magnitudes(PASSBANDS[f"SDSS{band}_65mm"], np.array([0.0]), np.array([0.82]))[0]) for band in "gri")
    assert g - r == pytest.approx(0.45, abs=0.05)
    assert r - i == pytest.approx(0.12, abs=0.05)


# --- files ---------------------------------------------------------------------------------------------------------


def written(tmp_path: Path, name: str, **columns: list[float]) -> Path:
    path = tmp_path / name
    Table(columns).write(path)
    return path


@pytest.mark.parametrize("name", ["stars.csv", "stars.ecsv", "stars.fits"])
def test_a_table_of_positions_and_magnitudes(tmp_path: Path, name: str) -> None:
    path = written(
        tmp_path,
        name,
        ra=[10.0, 10.01, 50.0],
        dec=[-30.0, -30.01, 0.0],
        mag=[12.0, 13.0, 14.0],
        bp_rp=[0.5, float("nan"), 1.0],
    )
    stars = load_catalogue(path).around(10.0, -30.0, 0.1, WHEN)
    np.testing.assert_allclose(stars.ra, [10.0, 10.01])
    np.testing.assert_allclose(stars.magnitude, [12.0, 13.0])
    np.testing.assert_allclose(stars.colour, [0.5, 0.8])


def test_a_reference_catalogue_in_radians_and_nanojansky(tmp_path: Path) -> None:
    flux = [3.631e12 * 10 ** (-0.4 * 15.0), 3.631e12 * 10 ** (-0.4 * 17.0)]
    path = written(
        tmp_path,
        "ref.fits",
        coord_ra=[np.radians(53.4), np.radians(53.41)],
        coord_dec=[np.radians(-28.2)] * 2,
        phot_g_mean_flux=flux,
        monster_LATISS_r_flux=[flux[1], float("nan")],
        pm_ra=[np.radians(3.6e-3 / 3600), 0.0],
        pm_dec=[0.0, np.radians(-1.0 / 3600)],
        epoch=[60000.0, 60000.0],
    )
    stars = load_catalogue(path).around(53.4, -28.2, 0.1, datetime(2033, 2, 24))  # noqa: DTZ001 - ten years later
    assert stars.magnitude[0] == pytest.approx(15.0 - 0.1136, abs=1e-3)
    assert stars.dec[1] == pytest.approx(-28.2 - 10.0 / 3600, abs=1e-6)
    assert stars.ra[0] == pytest.approx(53.4 + 0.036 / 3600 / np.cos(np.radians(28.2)), abs=1e-7)
    in_r = stars.in_band("SDSSr_65mm", PASSBANDS["SDSSr_65mm"])
    assert in_r[0] == pytest.approx(17.0, abs=1e-3)
    assert in_r[1] == pytest.approx(17.0 - 0.11, abs=0.2)  # from its colour, as the flux is not known


def test_the_monster(shared_data: Path) -> None:
    catalogue = load_catalogue(shared_data / "refcats" / "the_monster" / "the_monster_20240904_147175.fits")
    stars = catalogue.around(53.40, -28.25, 6.5 / 60 / 2, WHEN)
    assert 30 < len(stars) < 60
    assert set(stars.bands) == set("ugrizy")
    from_colour = magnitudes(PASSBANDS["SDSSr_65mm"], stars.magnitude, stars.colour)
    known = stars.in_band("SDSSr_65mm", PASSBANDS["SDSSr_65mm"])
    assert abs(np.median(from_colour - known)) < 0.15


@pytest.mark.parametrize(
    ("name", "columns", "complaint"),
    [
        (
            "a.fits",
            {"x": [1.0], "mag": [1.0]},
            "lacks columns: expected ra, dec .deg. or coord_ra, coord_dec .rad.; found mag, x",
        ),
        ("a.csv", {"ra": [1.0], "dec": [1.0]}, "lacks columns: expected one of mag, magnitude, phot_g_mean_mag"),
        (
            "a.ecsv",
            {"ra": [1.0], "dec": [float("nan")], "mag": [3.0]},
            "has no star with a finite position and brightness .of 1 rows.",
        ),
    ],
)
def test_a_table_without_stars_is_refused(
    tmp_path: Path, name: str, columns: dict[str, list[float]], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_catalogue(written(tmp_path, name, **columns))


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"is of no kind that is known; expected a name that ends in \.fits, \.fit, \.csv, \.ecsv"
    ):
        load_catalogue(tmp_path / "stars.parquet")
    for name in ("missing.csv", "missing.fits"):
        with pytest.raises(ConfigError, match="cannot be read"):
            load_catalogue(tmp_path / name)
    (tmp_path / "wrong.fits").write_text("these are not the stars you look for")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_catalogue(tmp_path / "wrong.fits")
