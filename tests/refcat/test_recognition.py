"""Columns of other people's catalogues become stars with our names and units."""

from __future__ import annotations

import gzip
import io
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from astropy import units as u
from astropy.table import Table

from rapid.errors import BadFile
from rapid.refcat import StarTable, read_table, recognise

RUBIN = {
    "id": np.array([7, 8, 9]),
    "coord_ra": np.radians([10.0, 359.9, 20.0]),
    "coord_dec": np.radians([-30.0, 89.0, 5.0]),
    "coord_raErr": np.radians([1.0, 2.0, np.nan]) / 3.6e6,
    "coord_decErr": np.radians([3.0, 4.0, np.nan]) / 3.6e6,
    "epoch": np.array([57388.5] * 3),
    "pm_ra": np.radians([100.0, -5.0, np.nan]) / 3.6e6,
    "pm_dec": np.radians([50.0, 5.0, np.nan]) / 3.6e6,
    "parallax": np.ones(3),
    "phot_g_mean_flux": np.array([3631e9, 3631e7, -1.0]),
    "phot_g_mean_fluxErr": np.array([3631e7, np.nan, 1.0]),
    "monster_LATISS_r_flux": np.array([1.0, np.nan, 100.0]),
    "monster_SynthLSST_i_flux": np.array([1.0, 1.0, 1.0]),
    "r_flux": np.array([10.0, 0.0, 1e4]),
}
GAIA = {
    "source_id": np.array([5, 6]),
    "ra": np.array([10.0, -1.0]),
    "dec": np.array([1.0, 2.0]),
    "ref_epoch": np.array([2016.0, 2016.0]),
    "pmra": np.array([3.0, np.nan]),
    "pmdec": np.array([4.0, np.nan]),
    "ra_error": np.array([0.1, 0.2]),
    "dec_error": np.array([0.3, 0.4]),
    "parallax": np.array([1.0, 2.0]),
    "radial_velocity": np.array([np.nan, 20.0]),
    "phot_g_mean_mag": np.array([15.0, np.nan]),
    "phot_g_mean_flux_over_error": np.array([1000.0, np.nan]),
    "phot_bp_mean_mag": np.array([15.5, 16.5]),
    "phot_bp_mean_flux": np.array([100.0, 100.0]),
    "phot_bp_mean_flux_error": np.array([10.0, 0.0]),
}
UNIT_OF_A_PERCENT = 2.5 / math.log(10.0) * 0.01


def table(columns: dict[str, Any], **units: str) -> StarTable:
    return StarTable("stars", "test", columns, units)


def test_rubin_columns() -> None:
    stars = recognise(table(RUBIN))
    np.testing.assert_array_equal(stars.id, [7, 8, 9])
    np.testing.assert_allclose(stars.ra, [10.0, 359.9, 20.0], rtol=1e-12)
    np.testing.assert_allclose(stars.dec, [-30.0, 89.0, 5.0], rtol=1e-12)
    np.testing.assert_array_equal(stars.epoch, [2016.0] * 3)
    np.testing.assert_allclose(stars.pm_ra, [100.0, -5.0, np.nan], rtol=1e-6)
    np.testing.assert_allclose(stars.ra_error, [1.0, 2.0, np.nan], rtol=1e-6)
    np.testing.assert_allclose(stars.dec_error, [3.0, 4.0, np.nan], rtol=1e-6)
    assert list(stars.magnitudes) == ["gaia_g", "latiss_r", "lsst_i", "r"]
    np.testing.assert_allclose(stars.magnitudes["gaia_g"], [0.0, 5.0, np.nan], atol=1e-4)
    np.testing.assert_allclose(stars.magnitude_errors["gaia_g"], [UNIT_OF_A_PERCENT, np.nan, np.nan], rtol=1e-5)
    np.testing.assert_allclose(stars.magnitudes["latiss_r"], [31.4, np.nan, 26.4], rtol=1e-6)
    np.testing.assert_allclose(stars.magnitudes["r"], [28.9, np.nan, 21.4], rtol=1e-6)


def test_zero_of_nanojansky_is_that_of_astropy() -> None:
    stars = recognise(table(RUBIN))
    assert stars.magnitudes["lsst_i"][0] == pytest.approx((1.0 * u.nJy).to_value(u.ABmag), abs=5e-4)


def test_gaia_columns() -> None:
    stars = recognise(table(GAIA))
    np.testing.assert_array_equal(stars.id, [5, 6])
    np.testing.assert_array_equal(stars.ra, [10.0, 359.0])
    np.testing.assert_allclose(stars.pm_ra, [3.0, np.nan])
    np.testing.assert_allclose(stars.ra_error, [0.1, 0.2], rtol=1e-6)
    assert list(stars.magnitudes) == ["gaia_bp", "gaia_g"]
    np.testing.assert_allclose(stars.magnitudes["gaia_g"], [15.1136, np.nan], rtol=1e-6)
    np.testing.assert_allclose(stars.magnitudes["gaia_bp"], [15.5155, 16.5155], rtol=1e-6)
    np.testing.assert_allclose(stars.magnitude_errors["gaia_g"], [UNIT_OF_A_PERCENT / 10.0, np.nan], rtol=1e-5)
    np.testing.assert_allclose(stars.magnitude_errors["gaia_bp"], [UNIT_OF_A_PERCENT * 10.0, np.nan], rtol=1e-5)


def test_our_own_columns() -> None:
    stars = recognise(
        table({"ra": np.ones(2), "dec": np.ones(2), "mag_g": np.ones(2), "mag_error_g": np.ones(2), "mag": np.zeros(2)})
    )
    assert list(stars.magnitudes) == ["g", "mag"]
    np.testing.assert_array_equal(stars.magnitude_errors["g"], [1.0, 1.0])
    np.testing.assert_array_equal(stars.id, [0, 1])
    np.testing.assert_array_equal(stars.epoch, [2000.0, 2000.0])
    assert np.isnan(stars.pm_ra).all()


def test_an_epoch_that_is_said() -> None:
    moving = {name: values for name, values in GAIA.items() if name != "ref_epoch"}
    with pytest.raises(BadFile, match="stars: stars that move, and no epoch of their places; expected a column epoch"):
        recognise(table(moving))
    np.testing.assert_array_equal(recognise(table(moving), epoch=2015.5).epoch, [2015.5] * 2)
    np.testing.assert_array_equal(recognise(table(GAIA), epoch=2015.5).epoch, [2016.0] * 2)


def test_rows_without_a_place_are_left_out() -> None:
    columns = GAIA | {"ra": np.array([np.nan, 3.0]), "dec": np.array([1.0, 2.0])}
    assert recognise(table(columns)).id.tolist() == [6]
    with pytest.raises(BadFile, match="no star with a place; expected finite ra, dec; found 2 rows"):
        recognise(table(GAIA | {"dec": np.array([99.0, np.nan])}))


@pytest.mark.parametrize(
    ("columns", "units", "words"),
    [
        ({"x": np.ones(2)}, {}, "not the columns of a star catalogue; expected coord_ra"),
        ({}, {}, "found no numbers"),
        (RUBIN, {"r_flux": "Jy"}, "r_flux is in another unit; expected nJy; found Jy"),
    ],
)
def test_columns_that_are_not_known(columns: dict[str, Any], units: dict[str, str], words: str) -> None:
    with pytest.raises(BadFile) as error:
        recognise(table(columns, **units))
    assert words in str(error.value)


# --- the files they stand in -----------------------------------------------------------------------------------------


def as_fits(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    Table(columns | {"name": ["a"] * len(next(iter(columns.values())))}).write(out, format="fits")
    return out.getvalue()


def as_parquet(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns | {"name": ["a"] * len(next(iter(columns.values())))}), out)
    return out.getvalue()


def as_csv(columns: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    pa_csv.write_csv(pa.table(columns), out)
    return out.getvalue().replace(b"nan", b"null")


def as_ecsv(columns: dict[str, Any]) -> bytes:
    out = io.StringIO()
    Table(columns).write(out, format="ascii.ecsv")
    return out.getvalue().encode()


@pytest.mark.parametrize("write", [as_fits, as_parquet, as_csv, as_ecsv])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("columns", [RUBIN, GAIA], ids=["rubin", "gaia"])
def test_the_same_stars_from_every_kind_of_file(write: Any, pack: Any, columns: dict[str, Any]) -> None:
    found = recognise(read_table(pack(write(columns)), name="stars.dat")).columns()
    expected = recognise(table(columns)).columns()
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12, err_msg=name)


def test_missing_integers_are_missing() -> None:
    found = read_table(b"ra,dec,mag\n1,2,\n3,4,15\n", name="x.csv")
    np.testing.assert_array_equal(np.isnan(found.columns["mag"]), [True, False])
    assert found.kind == "CSV"


def test_the_truth_of_a_simulated_exposure() -> None:
    truth = {
        "begin_tai": "2026-03-15T03:00:00.000",
        "filter": "SDSSg_65mm",
        "stars": [
            {"ra": 10.0, "dec": -20.0, "magnitude": 15.5, "x": 1.0},
            {"ra": 11.0, "dec": -21.0, "magnitude": 16.5},
        ],
    }
    stars = recognise(read_table(json.dumps(truth).encode(), name="truth.json"))
    assert stars.epoch[0] == pytest.approx(2026.2, abs=0.01)
    np.testing.assert_allclose(stars.magnitudes["latiss_g"], [15.5, 16.5])
    bias = read_table(json.dumps(truth | {"stars": [], "filter": "BG40_65mm_1"}).encode(), name="truth.json")
    assert len(recognise(bias)) == 0
    assert bias.kind == "simulated truth"
    lsst = read_table(json.dumps(truth | {"filter": "r_57"}).encode(), name="truth.json")
    assert list(recognise(lsst).magnitudes) == ["lsst_r"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the table cannot be read"),
        (b"SIMPLE  =                    T", "the table cannot be read"),
        (as_fits(GAIA)[:-2700], "the table cannot be read; expected FITS, Parquet, CSV"),
        (as_fits(GAIA)[:-3000], "there is no table in it"),
        (as_fits(GAIA)[:2880], "there is no table in it; expected a table extension; found 1 HDUs"),
        (as_parquet(GAIA)[:-9], "the table cannot be read"),
        (gzip.compress(as_csv(GAIA), mtime=0)[:-30], "the gzip stream is damaged"),
        (gzip.compress(as_csv(GAIA), mtime=0)[:30] + b"zzzzzzzzzzzzzzzzzz", "the gzip stream is damaged"),
        (b"ra,dec\n1,2,3\n", "the table cannot be read"),
        (b'{"stars": 3}', "JSON, and not the truth of an exposure; expected stars, begin_tai"),
        (b'{"stars": [{"ra": 1}], "begin_tai": "2026-01-01"}', "the table cannot be read"),
        (b'{"stars": [], "begin_tai": "yesterday"}', "the table cannot be read"),
        (b'{"stars": [', "the table cannot be read"),
    ],
)
def test_files_that_cannot_be_read(content: bytes, words: str) -> None:
    with pytest.raises(BadFile) as error:
        read_table(content, name="stars.dat")
    assert str(error.value).startswith("stars.dat: ")
    assert words in str(error.value)
