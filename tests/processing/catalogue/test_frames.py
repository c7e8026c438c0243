"""The catalogue of a frame has its stars where they are and as bright as they are, each to its own error."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from rapid.processing.catalogue import (
    FINDINGS,
    SOURCES,
    catalogue_of,
    findings_of,
    findings_of_frame,
    read_parquet,
    sources_of,
    write_parquet,
)
from rapid.processing.findings import Finding, missing
from rapid.processing.frame import Study
from rapid.processing.refcat import separation
from rapid.processing.sources import no_sources
from tests.support.dithers import ZERO_POINT, Exposed, exposed


@pytest.fixture(scope="module")
def seen() -> Exposed:
    return exposed(0.0, 0.0, 10.0)


def table_of(study: Study) -> pa.Table:
    table = catalogue_of(study)
    assert table is not None
    return read_parquet(write_parquet(table), SOURCES)


def matches(seen: Exposed) -> tuple[np.ndarray, np.ndarray, np.ndarray, pa.Table]:
    """Rows of stars, the stars they are, how far off they are [arcsec], and the table."""
    table = table_of(seen.study)
    ra, dec = (table[name].to_numpy() for name in ("ra", "dec"))
    apart = 3600.0 * separation(ra[:, None], dec[:, None], seen.stars.ra[None, :], seen.stars.dec[None, :])
    nearest = apart.argmin(axis=1)
    rows = np.flatnonzero(table["star"].to_numpy() & (apart.min(axis=1) < 0.5))
    return rows, nearest[rows], apart.min(axis=1)[rows], table


def test_stars_are_where_they_are_on_the_sky(seen: Exposed) -> None:
    rows, _, apart, table = matches(seen)
    stars = table["star"].to_numpy()
    assert len(rows) == stars.sum() > 100
    error = np.hypot(*(table[name].to_numpy()[rows] for name in ("x_error", "y_error")))
    pulls = apart / (error * seen.study.frame.detector.pixel_scale)
    # a Rayleigh distribution of scale 1 / sqrt(2): the median is sqrt(ln 2)
    assert np.median(pulls) == pytest.approx(np.sqrt(np.log(2)), rel=0.25)


def test_magnitudes_are_those_of_all_the_light(seen: Exposed) -> None:
    """The light of a region, by which they would be up to a tenth too faint, is not what the zero point holds for."""
    rows, star, _, table = matches(seen)
    found, error = (table[name].to_numpy()[rows] for name in ("magnitude", "magnitude_error"))
    known = np.isfinite(found)
    off = found[known] - seen.stars.magnitudes["latiss_r"][star[known]]
    assert known.mean() > 0.95
    assert np.median(off) == pytest.approx(0, abs=0.01)
    pulls = (off - np.median(off)) / error[known]
    assert 1.4826 * np.median(np.abs(pulls)) == pytest.approx(1, abs=0.25)
    notes = json.loads(table.schema.metadata[b"rapid"])
    assert notes["zero_point"] == pytest.approx(ZERO_POINT, abs=0.01 + 3 * notes["zero_point_error"])
    regions = notes["zero_point"] - 2.5 * np.log10(table["flux"].to_numpy()[rows] / notes["exposure_time"])
    assert np.median(regions - seen.stars.magnitudes["latiss_r"][star]) > 0.02


def test_every_row_says_whose_it_is(seen: Exposed) -> None:
    table = table_of(seen.study)
    info = seen.study.frame.info
    assert set(table["exposure_id"].to_pylist()) == {info.exposure_id}
    assert set(table["detector"].to_pylist()) == {info.detector}
    notes = json.loads(table.schema.metadata[b"rapid"])
    assert (notes["obs_id"], notes["band"], notes["reason"]) == (info.obs_id, "r", "")
    sources = seen.study.sources
    assert sources is not None
    again = sources_of(table)
    np.testing.assert_array_equal(again.x, sources.x)
    np.testing.assert_array_equal(again.reserved, sources.reserved)


def test_the_same_study_gives_the_same_bytes(seen: Exposed) -> None:
    one, other = catalogue_of(seen.study), catalogue_of(seen.study)
    assert one is not None
    assert other is not None
    assert write_parquet(one) == write_parquet(other)


def test_without_known_stars_there_are_pixels_only(seen: Exposed) -> None:
    table = table_of(replace(seen.study, comparison=None))
    assert not {"ra", "dec", "magnitude", "point_flux"} & set(table.column_names)
    assert table.num_rows == len(seen.study.sources or ())


def test_where_the_stars_are_not_recognised_there_are_pixels_only(seen: Exposed) -> None:
    comparison = seen.study.comparison
    assert comparison is not None
    lost = replace(comparison, astrometry=type(comparison.astrometry)("no stars"), photometry=None)
    assert "ra" not in table_of(replace(seen.study, comparison=lost)).column_names


def test_what_every_analysis_found_is_one_table(seen: Exposed) -> None:
    info = seen.study.frame.info
    findings = {
        "one": [Finding("a", 1.5, "s", "A", uncertainty=0.1, n=3)],
        "none": [],
        "two": [missing("b", "why", description="B")],
    }
    table = read_parquet(write_parquet(findings_of_frame(info, findings)), FINDINGS)
    assert table["analysis"].to_pylist() == ["one", "two"]
    assert set(table["exposure_id"].to_pylist()) == {info.exposure_id}
    assert findings_of(table) == [*findings["one"], *findings["two"]]
    assert read_parquet(write_parquet(findings_of_frame(info, {})), FINDINGS).num_rows == 0


def test_no_sources_are_an_empty_table_and_none_looked_for_is_none(seen: Exposed) -> None:
    empty = table_of(replace(seen.study, sources=no_sources("nothing above 5 sigma"), psf=None, comparison=None))
    assert empty.num_rows == 0
    assert json.loads(empty.schema.metadata[b"rapid"])["reason"] == "nothing above 5 sigma"
    assert catalogue_of(replace(seen.study, sources=None)) is None
