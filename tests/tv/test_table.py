"""The night's table as RubinTV reads it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.processing.describe import describe
from rapid.tv.table import night_table
from tests.support.memory_feed import COLUMNS, entry_of
from tests.support.studies import make_info


def line_of(*entries: dict[str, Any], seq_num: int = 51) -> dict[str, Any]:
    return dict(night_table(COLUMNS, entries)[str(seq_num)])


def test_a_line_has_what_rubintv_needs_under_its_own_labels() -> None:
    line = line_of(entry_of(51))
    assert line["Date begin"] == "2026-03-16T00:51:07.250"
    assert line["Exposure time"] == 30.0
    assert line["Image type"] == "science"
    assert line["Target"] == "HD 20051"
    assert line["Filter"] == "SDSSr_65mm"
    assert line["_Filter"] == "r_color"
    assert line["PSF star count"] == 47


def test_numbers_stay_numbers_and_what_is_missing_is_left_out() -> None:
    entry = entry_of(51, cells={"psf_fwhm": None}, notes={"psf_fwhm": "no star"})
    line = line_of(entry)
    assert "PSF FWHM" not in line
    assert "_PSF FWHM" not in line
    kinds = {
        type(value) for label, value in line.items() if label in {"Airmass", "Sky mean", "Sky RMS", "Exposure time"}
    }
    assert kinds == {float}
    assert type(line["Saturated pixels"]) is int


def test_a_style_is_given_only_where_it_means_something() -> None:
    line = line_of(entry_of(51, notes={"psf_fwhm": "only 4 stars"}))
    assert line["_PSF FWHM"] == "warning"
    assert {label for label in line if label.startswith("_")} == {"_PSF FWHM", "_Filter"}


@pytest.mark.parametrize(("name", "style"), [("SDSSy_65mm", "y_color"), ("u_24", "u_color"), ("SDSSz", "z_color")])
def test_a_filter_has_the_colour_of_the_band_in_its_name(name: str, style: str) -> None:
    assert line_of(entry_of(51, cells={"filter": name}))["_Filter"] == style


def test_the_core_gives_what_rubintvs_clock_reads() -> None:
    info = make_info()
    labels = {finding.label: finding.value for finding in describe(info)}
    assert labels["Date begin"] == info.begin_tai
    assert labels["Exposure time"] == info.exposure_time


def test_a_filter_of_no_known_band_has_no_colour() -> None:
    line = line_of(entry_of(51, cells={"filter": "BG40_65mm_1"}))
    assert line["Filter"] == "BG40_65mm_1"
    assert "_Filter" not in line


def test_a_failed_exposure_says_so_where_its_pictures_would_be() -> None:
    done = entry_of(50, channels={"monitor": "a", "imexam": "b", "specexam": "c"})
    line = line_of(done, entry_of(51, state="failed", error="it is no FITS"))
    assert line == {"@monitor": "✖", "@imexam": "✖", "@specexam": "✖", "Failure": "it is no FITS"}


def test_a_failed_first_exposure_of_a_night_has_the_usual_channels() -> None:
    assert line_of(entry_of(51, state="failed", error="x")) == {"@monitor": "✖", "@imexam": "✖", "Failure": "x"}


def test_an_analysis_that_raised_is_marked_in_its_own_channel_only() -> None:
    entries = entry_of(50, channels={"monitor": "a", "imexam": "b"}), entry_of(51, channels={"monitor": "a"})
    line = line_of(*entries, entries[1] | {"failures": {"imexam": "ValueError: no source", "quicklook": "x"}})
    assert [label for label in line if label.startswith("@")] == ["@imexam"]


def test_what_is_still_to_be_done_is_not_in_the_table() -> None:
    entries = [entry_of(1), *(entry_of(n, state=s) for n, s in ((2, "waiting"), (3, "running"), (4, "superseded")))]
    assert list(night_table(COLUMNS, entries)) == ["1"]


def test_detectors_of_an_exposure_share_a_line_and_overwrite_nothing() -> None:
    entries = [
        entry_of(51, detector_name=name, cells={"psf_fwhm": fwhm, "sky_mean": 800.0})
        for name, fwhm in (("R22_S11", 0.9), ("R22_S12", 1.1))
    ]
    line = line_of(*entries)
    assert line["PSF FWHM"] == {"R22_S11": 0.9, "R22_S12": 1.1}
    assert line["Sky mean"] == 800.0


def test_a_column_keeps_one_form_through_the_night() -> None:
    early = entry_of(50, detector_name="R22_S11", cells={"psf_fwhm": 0.9})
    later = [entry_of(51, detector_name=f"R22_S1{n}", cells={"psf_fwhm": 0.9 + n}) for n in (1, 2)]
    table = night_table(COLUMNS, [early, *later])
    assert table["50"]["PSF FWHM"] == {"R22_S11": 0.9}


def test_two_columns_that_would_share_a_label_are_told_apart() -> None:
    columns = {name: {"label": "FWHM", "unit": "arcsec"} for name in ("fwhm_x", "fwhm_y")}
    line = night_table(columns, [entry_of(51, cells={"fwhm_x": 1.0, "fwhm_y": 2.0})])["51"]
    assert (line["FWHM (fwhm_x)"], line["FWHM (fwhm_y)"]) == (1.0, 2.0)


def test_a_column_that_nobody_described_goes_by_its_name() -> None:
    assert night_table({}, [entry_of(51, cells={"new_thing": 3})])["51"]["new_thing"] == 3


@given(st.randoms())
def test_the_order_of_arrival_does_not_matter(order: random.Random) -> None:
    entries = [entry_of(n, detector_name=name) for n in (1, 2, 10) for name in ("R22_S11", "R22_S12")]
    entries.append(entry_of(11, state="failed", error="x"))
    shuffled = order.sample(entries, len(entries))
    assert night_table(COLUMNS, shuffled) == night_table(COLUMNS, entries)


def test_the_line_of_an_exposure_stands_for_its_detectors() -> None:
    detectors = [entry_of(51, detector_name=name, cells={"psf_fwhm": fwhm}) for name, fwhm in (("a", 0.8), ("b", 1.0))]
    whole = entry_of(51, detector_name="", cells={"psf_fwhm": 0.9}, failures={"c": "not FITS"})
    line = line_of(*detectors, whole)
    assert line["PSF FWHM"] == 0.9
    assert line["Failure"] == "not FITS"
    assert line_of(*detectors)["PSF FWHM"] == {"a": 0.8, "b": 1.0}
