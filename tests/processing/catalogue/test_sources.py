"""Sources come back from a table as they went in."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest
from astropy import units

from rapid.errors import BadFile, InputError
from rapid.processing.catalogue import SOURCES, read_parquet, source_table, sources_of, write_parquet
from rapid.processing.frame import Apertures, Sources
from rapid.processing.photometry import ZeroPoint

FLOATS = ("x", "y", "flux", "flux_error", "peak", "xx", "yy", "xy")
ERRORS = ("x_error", "y_error", "xx_error", "yy_error", "xy_error", "signal_to_noise")
ID = {"exposure_id": 2026031500051, "detector": 94}


def some(n: int, *, whole: bool = False, seed: int = 1) -> Sources:
    """Draw sources with everything that can be measured, or with the least; some numbers are none."""
    rng = np.random.default_rng(seed)

    def column() -> np.ndarray:
        return np.where(rng.random(n) < 0.1, np.nan, rng.normal(1000, 300, n))

    values = {name: column() for name in FLOATS + (ERRORS if whole else ())}
    if whole:
        shape = (n, 4)
        flux = np.where(rng.random(shape) < 0.2, np.nan, rng.normal(size=shape))
        values["apertures"] = Apertures(np.array([2.0, 3.5, 5.0, 8.0]), flux, flux + 1, 6.0, column(), column())
        values["blended"], values["reserved"] = rng.random(n) < 0.3, rng.random(n) < 0.1
        values |= {"sky_offset": 0.25, "sky_noise": 31.5}
    return Sources(**values, saturated=rng.random(n) < 0.2, star=rng.random(n) < 0.5, reason="many" if whole else "")


def assert_same(one: object, other: object) -> None:
    for field in dataclasses.fields(one):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if dataclasses.is_dataclass(a):
            assert_same(a, b)
        else:
            np.testing.assert_array_equal(a, b)
            assert np.asarray(a).dtype == np.asarray(b).dtype


@pytest.mark.parametrize("n", [0, 1, 300])
@pytest.mark.parametrize("whole", [False, True])
def test_they_come_back_as_they_were(n: int, whole: bool) -> None:
    sources = some(n, whole=whole)
    again = sources_of(read_parquet(write_parquet(source_table(sources, **ID)), SOURCES))
    assert_same(sources, again)
    assert not again.x.flags.writeable
    assert not again.star.flags.writeable


def test_everything_that_is_measured_has_a_column() -> None:
    """A column that `Sources` gets has to be given its unit and description here."""
    here = {column.name for column in SOURCES.columns}
    scalars = {"reason", "sky_offset", "sky_noise"}  # in the metadata
    assert {field.name for field in dataclasses.fields(Sources)} - scalars - {"apertures"} <= here
    kept = {"radii", "tophat_radius"}  # there too
    flat = {name.rstrip("_0123456789") for name in here}
    assert {field.name for field in dataclasses.fields(Apertures)} - kept <= flat | {"flux"}
    assert {"aperture_flux", "aperture_flux_error"} <= flat


def test_every_column_says_what_it_is() -> None:
    for column in SOURCES.columns:
        assert column.description
        units.Unit(column.unit)
    field = source_table(some(3), **ID).schema.field("flux")
    assert field.metadata == {b"unit": b"electron", b"description": b"Flux above the sky"}
    assert field.nullable
    assert not source_table(some(3), **ID).schema.field("star").nullable


def test_what_is_no_number_is_null() -> None:
    sources = dataclasses.replace(some(4), flux=np.array([1.0, np.nan, np.inf, -np.inf]))
    assert source_table(sources, **ID)["flux"].to_pylist() == [1.0, None, None, None]
    for column in source_table(some(50, whole=True), **ID).columns:
        assert not pa.types.is_floating(column.type) or not np.isnan(column.drop_null().to_numpy()).any()


def test_places_and_magnitudes_of_a_calibrated_frame() -> None:
    sources, light = some(3), (np.array([3000.0, -5.0, np.nan]), np.array([30.0, 30.0, 30.0]))
    places = np.array([53.0, 53.1, np.nan]), np.array([-28.0, -28.1, np.nan])
    zero_point = ZeroPoint(28.5, 0.003, 0.01, 100, 2)
    table = source_table(
        sources, **ID, positions=places, point_flux=light, zero_point=zero_point, exposure_time=30.0, obs_id="a"
    )
    assert table["ra"].to_pylist() == [53.0, 53.1, None]
    assert table["magnitude"].to_pylist() == [pytest.approx(23.5), None, None]
    assert table["magnitude_error"].to_pylist() == [pytest.approx(0.010857, rel=1e-4), None, None]
    assert table["point_flux"].to_pylist() == [3000.0, -5.0, None]
    notes = json.loads(table.schema.metadata[b"rapid"])
    assert (notes["zero_point"], notes["zero_point_error"], notes["exposure_time"]) == (28.5, 0.003, 30.0)
    assert notes["obs_id"] == "a"
    assert_same(sources, sources_of(read_parquet(write_parquet(table), SOURCES)))


def test_a_failed_zero_point_gives_no_magnitudes() -> None:
    failed = ZeroPoint(np.nan, np.nan, np.nan, 0, 0, reason="no stars")
    assert "magnitude" not in source_table(some(3), **ID, zero_point=failed, exposure_time=30.0).column_names


def test_places_of_others_are_refused() -> None:
    with pytest.raises(
        InputError, match=r"ra and dec of other sources; expected shape \(3,\); found \(3,\) and \(2,\)"
    ):
        source_table(some(3), **ID, positions=(np.zeros(3), np.zeros(2)))
    with pytest.raises(InputError, match=r"point_flux and point_flux_error of other sources"):
        source_table(some(3), **ID, point_flux=(np.zeros(2), np.zeros(2)))


def test_a_zero_point_is_not_applied_to_the_light_of_a_region() -> None:
    with pytest.raises(InputError, match="a zero point without fluxes to apply it to; expected point_flux; found None"):
        source_table(some(3), **ID, zero_point=ZeroPoint(28.5, 0.003, 0.01, 100, 2), exposure_time=30.0)


def test_tables_of_several_detectors_are_one() -> None:
    parts = [source_table(some(10, seed=i), exposure_id=1, detector=i) for i in range(5)]
    whole = read_parquet(write_parquet(pa.concat_tables(parts)), SOURCES)
    assert len(sources_of(whole)) == 50
    assert whole["detector"].to_pylist() == sorted(list(range(5)) * 10)


def noted(table: pa.Table, **notes: object) -> pa.Table:
    said = json.loads(table.schema.metadata[b"rapid"]) | notes
    return table.replace_schema_metadata({b"rapid": json.dumps(said)})


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ({"radii": None}, "apertures without radii; expected lists of numbers; found None and 6.0"),
        ({"radii": "many"}, "apertures without radii"),
        ({"radii": [1, "2"]}, "apertures without radii"),
        ({"tophat_radius": None}, "apertures without radii"),
        (
            {"radii": [1.0, 2.0]},
            "fluxes of other apertures; expected aperture_flux_0, aperture_flux_1, aperture_flux_error_0, ",
        ),
        ({"version": 1}, "not the table that is wanted; expected 'rapid sources' of version 2; found .* version 1"),
        ({"schema": "others"}, "not the table that is wanted; .* found 'others' of version 2"),
    ],
)
def test_metadata_that_do_not_go_with_the_columns_are_refused(notes: dict[str, object], message: str) -> None:
    with pytest.raises(BadFile, match=message):
        sources_of(noted(source_table(some(3, whole=True), **ID), **notes))


def test_apertures_without_fluxes_are_refused() -> None:
    table = source_table(some(3, whole=True), **ID).drop_columns(["tophat_flux"])
    with pytest.raises(BadFile, match="fluxes of other apertures; expected aperture_flux_0"):
        sources_of(table)


def test_more_apertures_than_columns_are_refused() -> None:
    radii = np.arange(1.0, 18.0)
    flux = np.ones((3, len(radii)))
    apertures = Apertures(radii, flux, flux, 6.0, flux[:, 0], flux[:, 0])
    with pytest.raises(InputError, match="too many apertures; expected 16; found 17"):
        source_table(dataclasses.replace(some(3), apertures=apertures), **ID)
