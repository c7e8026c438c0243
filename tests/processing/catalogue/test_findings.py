"""Findings come back from a table as they went in, and a bad table says what is wrong."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from astropy import units
from hypothesis import given
from hypothesis import strategies as st

from rapid.errors import BadFile, InputError
from rapid.processing.catalogue import FINDINGS, findings_of, findings_table, read_parquet, write_parquet
from rapid.processing.findings import Finding, Quality, missing

FWHM = Finding("psf_fwhm", 1.234567890123456, "arcsec", "Width", "PSF FWHM", uncertainty=0.01, n=42)

words = st.text(st.characters(codec="utf-8"), max_size=20)
values = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
    words,
)
findings = st.one_of(
    st.builds(missing, words, words.filter(bool), unit=words, description=words, label=words),
    st.builds(
        Finding,
        words,
        values,
        words,
        words,
        words,
        uncertainty=st.none() | st.floats(0, 1e300),
        n=st.none() | st.integers(0, 2**60),
        quality=st.just(Quality.GOOD),
        reason=st.just(""),
    ),
    st.builds(Finding, words, values, quality=st.just(Quality.SUSPECT), reason=words.filter(bool)),
)


@given(rows=st.lists(findings, max_size=5), detector=st.none() | st.integers(0, 204))
def test_they_come_back_as_they_were(rows: list[Finding], detector: int | None) -> None:
    table = findings_table(rows, exposure_id=2026031500051, detector=detector, analysis="quicklook")
    again = findings_of(read_parquet(write_parquet(table), FINDINGS))
    assert again == rows
    assert [type(one.value) for one in again] == [type(one.value) for one in rows]


def test_a_row_has_its_value_in_the_column_of_its_type() -> None:
    rows = [FWHM, Finding("n", 3), Finding("dead", False), Finding("kind", "donut"), missing("zero_point", "no stars")]
    table = findings_table(rows, exposure_id=1, detector=94, analysis="monitor").to_pylist()
    found = [tuple(row[name] for name in ("real", "integer", "truth", "text")) for row in table]
    assert found == [
        (FWHM.value, None, None, None),
        (None, 3, None, None),
        (None, None, False, None),
        (None, None, None, "donut"),
        (None, None, None, None),
    ]
    assert {(row["exposure_id"], row["detector"], row["analysis"]) for row in table} == {(1, 94, "monitor")}
    assert (table[4]["quality"], table[4]["reason"]) == ("missing", "no stars")


def test_the_scalars_of_numpy_are_numbers_too() -> None:
    table = findings_table([Finding("a", np.float64(2.5)), Finding("b", np.float64(1.0))], exposure_id=1, detector=0)
    assert table["real"].to_pylist() == [2.5, 1.0]


@pytest.mark.parametrize("uncertainty", [math.nan, math.inf, None])
def test_an_uncertainty_that_is_no_number_is_missing(uncertainty: float | None) -> None:
    table = findings_table([Finding("a", 1.0, uncertainty=uncertainty)], exposure_id=1, detector=0)
    assert table["uncertainty"].to_pylist() == [None]


def test_tables_of_many_frames_are_one() -> None:
    parts = [findings_table([FWHM], exposure_id=i, detector=i % 189) for i in range(50)]
    whole = read_parquet(write_parquet(pa.concat_tables(parts)), FINDINGS)
    assert findings_of(whole) == [FWHM] * 50
    assert whole["exposure_id"].to_pylist() == list(range(50))


def test_every_column_says_what_it_is() -> None:
    for column in FINDINGS.columns:
        assert column.description
        units.Unit(column.unit)
    field = findings_table([FWHM], exposure_id=1, detector=0).schema.field("uncertainty")
    assert field.metadata == {b"description": b"One standard deviation"}


def test_a_number_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="a value of integer does not fit; expected int64"):
        findings_table([Finding("big", 2**63)], exposure_id=1, detector=0)


def changed(**columns: list[object]) -> pa.Table:
    table = findings_table([FWHM], exposure_id=1, detector=0)
    for name, items in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, table.schema.field(name), pa.array(items, table.schema.field(name).type))
    return table


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": ["also"]}, "row 0 has several values; expected one; found .*1.23.*also"),
        ({"quality": ["splendid"]}, "row 0 is no finding; found 'splendid' is not a valid Quality"),
        ({"quality": ["missing"]}, "row 0 is no finding; found .* does not go with quality missing"),
        ({"quality": ["suspect"]}, "row 0 is no finding; found .* does not say why"),
        ({"real": [None]}, "row 0 is no finding; found .* does not go with quality good"),
        ({"real": [math.nan]}, "real has NaN; expected nulls for what is missing"),
        ({"name": [None]}, "values of name are missing; expected none; found 1 of them"),
    ],
)
def test_a_row_that_is_no_finding_is_refused(columns: dict[str, list[object]], message: str) -> None:
    with pytest.raises(BadFile, match=f"night.parquet: {message}"):
        findings_of(changed(**columns), subject="night.parquet")
