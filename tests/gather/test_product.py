"""What the line of an exposure says of its detectors."""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapid.gather.product import exposure_entry, summarize
from rapid.gather.progress import Progress
from tests.support.wholes import COLUMNS, DETECTORS, name_of

NAME = name_of()


def entry(detector: str, state: str = "done", notes: dict[str, str] | None = None, **cells: Any) -> dict[str, Any]:
    return {"detector_name": detector, "state": state, "cells": cells, "notes": notes or {}}


def progress(done: int, *, failed: tuple[str, ...] = (), late: tuple[str, ...] = ()) -> Progress:
    missing = tuple(name for name in DETECTORS[done:] if name not in (*failed, *late))
    return Progress(DETECTORS, DETECTORS[:done], tuple((name, "not FITS") for name in failed), late, missing)


def test_a_whole_exposure() -> None:
    fwhm, stars = [0.7, 0.8, 0.9, 1.0, 2.0], [10, 20, 30, 40, 50]
    entries = [
        entry(name, filter="r_57", psf_fwhm=width, n_stars=count)
        for name, width, count in zip(DETECTORS, fwhm, stars, strict=True)
    ]
    made, columns = exposure_entry(NAME, progress(5), entries, COLUMNS)
    assert made["cells"] == {
        "detectors_expected": 5, "detectors_done": 5, "detectors_failed": 0, "detectors_missing": 0,
        "detectors_late": 0, "filter": "r_57", "psf_fwhm": 0.9, "psf_fwhm_mad": pytest.approx(0.1), "psf_fwhm_n": 5,
        "n_stars": 30, "n_stars_mad": 10.0, "n_stars_n": 5,
    }  # fmt: skip
    assert (made["camera"], made["obs_id"], made["detector_name"], made["state"]) == (
        "lsstcam", NAME.obs_id, "", "done",
    )  # fmt: skip
    assert made["notes"] == made["failures"] == {}
    assert columns["psf_fwhm_mad"] == {
        "label": "PSF FWHM MAD", "unit": "arcsec", "type": "number", "group": "spread",
        "description": "Median absolute deviation of PSF FWHM over the detectors",
    }  # fmt: skip
    assert set(columns) == set(made["cells"]) - set(COLUMNS)  # type: ignore[arg-type]


def test_n_of_m_names_who_is_not_there_and_why() -> None:
    entries = [entry(name, psf_fwhm=1.0) for name in DETECTORS[:2]] + [entry(DETECTORS[4], "failed")]
    made, columns = exposure_entry(NAME, progress(2, failed=DETECTORS[4:], late=DETECTORS[3:4]), entries, COLUMNS)
    cells = made["cells"]
    assert [cells[f"detectors_{kind}"] for kind in ("expected", "done", "failed", "missing", "late")] == [5, 2, 1, 1, 1]  # type: ignore[index,call-overload]
    assert cells["missing_detector_names"] == "R22_S02"  # type: ignore[index,call-overload]
    assert cells["late_detector_names"] == "R22_S10"  # type: ignore[index,call-overload]
    assert cells["failed_detector_names"] == "R22_S11"  # type: ignore[index,call-overload]
    assert made["failures"] == {"R22_S11": "not FITS"}
    assert made["notes"] == {
        "detectors_missing": "1 of 5 files had not come at the deadline",
        "detectors_late": "1 of 5 detectors were not measured at the deadline",
        "detectors_failed": "1 of 5 detectors failed",
    }
    assert "missing_detector_names" in columns


@pytest.mark.parametrize(
    ("found", "error"),
    [
        (progress(0), "none of 5 files has come"),
        (progress(0, failed=DETECTORS), "R22_S00: not FITS (and 4 more detectors)"),
        (progress(0, late=DETECTORS[:1]), "no detector was measured before the deadline"),
    ],
)
def test_an_exposure_of_which_nothing_was_measured_has_failed(found: Progress, error: str) -> None:
    made, _ = exposure_entry(NAME, found, [], COLUMNS)
    assert (made["state"], made["error"], made["failures"]) == ("failed", error, {})


def test_the_only_detector_that_is_missing_stands_in_its_own_place() -> None:
    alone = Progress(("R00_S00",), (), (), (), ("R00_S00",))
    made, columns = exposure_entry(name_of(camera="AT"), alone, [], {})
    assert (made["camera"], made["detector_name"], made["state"]) == ("auxtel", "R00_S00", "failed")
    assert (made["error"], made["cells"], columns) == ("no file has come", {}, {})


def test_a_number_nobody_has_is_missing_for_the_reason_most_give() -> None:
    reasons = ["no stars", "clouds", "no stars"]
    entries = [
        entry(name, notes={"psf_fwhm": why}, psf_fwhm=None) for name, why in zip(DETECTORS, reasons, strict=False)
    ]
    found = summarize(entries, COLUMNS)
    assert (found.cells, found.notes) == ({"psf_fwhm": None, "psf_fwhm_n": 0}, {"psf_fwhm": "no stars"})


def test_words_on_which_the_detectors_differ_are_left_out() -> None:
    assert summarize([entry("a", filter="r_57"), entry("b", filter="g_6")], COLUMNS).cells == {}
    assert summarize([entry("a", filter="r_57"), entry("b", filter=None)], COLUMNS).cells == {"filter": "r_57"}


@given(st.lists(st.none() | st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_the_median_is_that_of_the_detectors_that_have_the_number(values: list[float | None]) -> None:
    found = summarize([entry(str(n), psf_fwhm=value) for n, value in enumerate(values)], COLUMNS)
    numbers = [value for value in values if value is not None]
    assert found.cells["psf_fwhm_n"] == len(numbers)
    if numbers:
        median = statistics.median(numbers)
        assert found.cells["psf_fwhm"] == median
        assert found.cells["psf_fwhm_mad"] == statistics.median(abs(number - median) for number in numbers)


def test_the_error_of_the_median_is_that_of_many_exposures() -> None:
    """Of 2000 exposures with 49 detectors the medians scatter as their errors say, to 3 sigma of either estimate."""
    chance = np.random.default_rng(3)
    medians, errors = [], []
    for widths in chance.normal(0.8, 0.05, (2000, 49)):
        found = summarize([entry(str(n), psf_fwhm=float(width)) for n, width in enumerate(widths)], COLUMNS)
        medians.append(found.cells["psf_fwhm"])
        errors.append(found.uncertainties["psf_fwhm"])
    scatter = float(np.std(np.array(medians, float)))
    said = float(np.sqrt(np.mean(np.square(errors))))
    assert said == pytest.approx(scatter, rel=0.08)
    assert "psf_fwhm" not in summarize([entry("a", psf_fwhm=1.0), entry("b", psf_fwhm=2.0)], COLUMNS).uncertainties
