"""The simulated sky as a reference catalogue."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from rapid.errors import ConfigError, NotAvailable
from rapid.simulation.catalogue import EPOCH_YEAR, SyntheticCatalogue
from rapid.simulation.night import simulate
from rapid.simulation.plan import NightPlan
from rapid.simulation.reference_table import reference_bytes, reference_table
from rapid.simulation.schedule import make_schedule

CATALOGUE = SyntheticCatalogue(deep=True)


def plan_of(camera: str, filter_name: str, **target: object) -> NightPlan:
    science = {
        "kind": "science",
        "count": 2,
        "exposure_time": 10,
        "filter": filter_name,
        "dither": 20,
        "target": {"name": "a", "hour_angle": -0.5, "dec": -35, "rotator": 40} | target,
    }
    content = {"name": "x", "instrument": camera, "begins": "2026-02-18T00:30:00", "sequences": [science]}
    return NightPlan.model_validate(content)


def test_it_has_the_stars_of_the_truth(tmp_path: Path) -> None:
    """Moved to the time of the exposure they are where they were drawn, and as bright in the band."""
    path = tmp_path / "deep" / "reference.fits"
    (one, _) = simulate(plan_of("LSSTCam", "r_57"), tmp_path, seed=1, detectors=("R01_S00",), reference=path)
    table, truth = Table.read(path), json.loads(one.truth.read_text())
    assert len(set(table["id"])) == len(table)
    years = (datetime.fromisoformat(truth["begin_tai"]) - datetime(2016, 1, 1)).days / 365.25  # noqa: DTZ001
    ra = np.asarray(table["ra"] + table["pm_ra"] / 3.6e6 * years / np.cos(np.radians(table["dec"])))
    dec = np.asarray(table["dec"] + table["pm_dec"] / 3.6e6 * years)
    stars = [star for star in truth["stars"] if star["magnitude"] < 21.5]
    assert len(stars) > 150
    for star in stars:
        apart = np.hypot((ra - star["ra"]) * np.cos(np.radians(star["dec"])), dec - star["dec"]) * 3.6e6
        nearest = int(np.argmin(apart))
        assert apart[nearest] < 0.5  # mas
        assert table["mag_lsst_r"][nearest] == pytest.approx(star["magnitude"], abs=1e-3)


def test_its_columns_say_what_they_are() -> None:
    night = make_schedule(
        plan_of("LSSTCam", "r_57").exposures(), datetime(2026, 2, 18, 2, tzinfo=UTC), camera="LSSTCam"
    )
    table = reference_table(night, ["R22_S11"], catalogue=CATALOGUE, faintest=20.0)
    assert table.colnames[:6] == ["id", "ra", "dec", "pm_ra", "pm_dec", "epoch"]
    assert table.colnames[6:] == [f"mag_lsst_{band}" for band in "ugrizy"]
    assert [str(table[name].unit) for name in table.colnames[1:6]] == ["deg", "deg", "mas / yr", "mas / yr", "yr"]
    assert set(table["epoch"]) == {EPOCH_YEAR}
    assert np.std(table["pm_ra"]) > 3.0
    colour = np.asarray(table["mag_lsst_g"] - table["mag_lsst_i"])
    assert np.std(colour) > 0.2
    assert all(np.isfinite(np.asarray(table[name], dtype=float)).all() for name in table.colnames)


def test_fainter_stars_are_left_out_and_the_others_keep_their_names() -> None:
    night = make_schedule(
        plan_of("LSSTCam", "r_57").exposures(), datetime(2026, 2, 18, 2, tzinfo=UTC), camera="LSSTCam"
    )
    few, many = (reference_table(night, ["R22_S11"], catalogue=CATALOGUE, faintest=limit) for limit in (19.0, 22.0))
    assert 0 < len(few) < len(many)
    places = {int(row["id"]): (row["ra"], row["dec"]) for row in many}
    assert all(places[int(row["id"])] == (row["ra"], row["dec"]) for row in few)


def test_stars_that_the_plan_puts_somewhere_are_there() -> None:
    plan = plan_of("LATISS", "SDSSr_65mm", magnitude=9.0)
    night = make_schedule(plan.exposures(), datetime(2024, 6, 24, 22, 30, tzinfo=UTC))
    table = reference_table(night, ["R00_S00"], catalogue=SyntheticCatalogue())
    (row,) = table[table["id"] >= 1 << 62]
    assert (row["ra"], row["dec"]) == night[0].centre
    assert row["mag_latiss_r"] == pytest.approx(9.0, abs=0.3)
    assert (row["pm_ra"], row["pm_dec"]) == (0.0, 0.0)


def test_a_night_without_sky_has_no_stars() -> None:
    plan = NightPlan.model_validate(
        {"name": "x", "begins": "2024-06-24T22:30:00", "sequences": [{"kind": "bias", "count": 1}]}
    )
    table = reference_table(make_schedule(plan.exposures(), plan.begins), ["R00_S00"], catalogue=CATALOGUE)
    assert len(Table.read(io.BytesIO(reference_bytes(table)))) == 0


def test_ingest_takes_it(tmp_path: Path) -> None:
    from rapid.refcat.recognition import recognise
    from rapid.refcat.tables import read_table

    night = make_schedule(
        plan_of("LSSTCam", "r_57").exposures(), datetime(2026, 2, 18, 2, tzinfo=UTC), camera="LSSTCam"
    )
    table = reference_table(night, ["R22_S11"], catalogue=CATALOGUE, faintest=18.0)
    stars = recognise(read_table(reference_bytes(table), name="reference.fits"))
    assert len(stars) == len(table)
    np.testing.assert_allclose(stars.epoch, EPOCH_YEAR)
    np.testing.assert_allclose(stars.pm_ra, table["pm_ra"])


def test_stars_of_your_own_are_not_written_again(tmp_path: Path) -> None:
    stars = tmp_path / "stars.csv"
    stars.write_text("ra,dec,mag\n10.0,-30.0,12.0\n")
    plan = NightPlan.model_validate(
        {"name": "x", "begins": "2024-06-24T22:30:00", "sequences": [{"kind": "bias", "count": 1}]}
    )
    with pytest.raises(ConfigError, match="of the synthetic sky only"):
        simulate(plan, tmp_path / "out", seed=1, catalogue=stars, reference=tmp_path / "r.fits")
    with pytest.raises(NotAvailable, match="the reference catalogue cannot be written"):
        simulate(plan, tmp_path / "out", seed=1, reference=stars / "r.fits")
