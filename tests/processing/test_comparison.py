"""A frame against the known stars: what was put into the simulation comes out, each number to its own error."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy.ndimage import uniform_filter

from rapid.analyses.sky import analysis
from rapid.errors import NotAvailable
from rapid.processing.apertures import TOPHAT_OUTER
from rapid.processing.comparison import Catalogue, tophat_part, total_flux
from rapid.processing.findings import Quality
from rapid.processing.frame import Frame, Profile, Study
from rapid.processing.geometry import detectors
from rapid.processing.headers import translate
from rapid.processing.isr import calibrate
from rapid.processing.measure import measure
from rapid.processing.refcat import References, Selection
from rapid.simulation.single import simulate_detector
from tests.support.fields import Known

EAST, NORTH, CLEAR = 20.0, -35.0, 0.8
CASES = {"LSSTCam": ("R22_S11", "lsst_r", 0.8), "LATISS": ("R00_S00", "latiss_r", 1.2)}


class Away:
    def cone(self, ra: float, dec: float, radius: float, *, year: float) -> Selection:
        gone = "the catalogue is not there"
        raise NotAvailable(gone)


@cache
def exposed(camera: str) -> tuple[Frame, dict[str, object], Known]:
    """A simulated frame, its truth, and its stars as a catalogue has them."""
    detector, band, seeing = CASES[camera]
    readout = simulate_detector(camera, detector, seeing=seeing, pointing_error=(EAST, NORTH), transmission=CLEAR)
    raw, truth = readout.raw(), readout.truth()
    frame = calibrate(raw, translate(raw.header, name=raw.name), detectors(camera)[detector])
    columns = {name: np.array([star[name] for star in truth["stars"]]) for name in ("ra", "dec", "magnitude")}  # type: ignore[attr-defined,index]
    n = len(columns["ra"])
    none, small = np.zeros(n), np.full(n, 0.005)
    stars = References(
        id=np.arange(n),
        ra=columns["ra"],
        dec=columns["dec"],
        epoch=np.full(n, 2026.0),
        pm_ra=none,
        pm_dec=none,
        ra_error=none,
        dec_error=none,
        magnitudes={band: columns["magnitude"]},
        magnitude_errors={band: small},
    )
    return frame, truth, Known(stars)


def compared(frame: Frame, catalogue: Catalogue) -> Study:
    study = measure(frame, catalogue=catalogue)
    assert study.comparison is not None
    return study


@pytest.mark.parametrize("camera", CASES)
def test_pointing_and_depth_of_a_simulated_frame(camera: str) -> None:
    frame, truth, known = exposed(camera)
    comparison = compared(frame, known).comparison
    assert comparison is not None
    found, seen, sky = comparison.astrometry, comparison.photometry, truth["sky"]
    assert isinstance(sky, dict)
    assert seen is not None, comparison.why_no_photometry
    assert (found.pointing_ra, found.pointing_dec) == pytest.approx((EAST, NORTH), abs=4 * found.pointing_error + 0.002)
    assert found.pointing_error < 0.01
    assert abs(found.rotation) < 4 * found.rotation_error + 2e-4
    assert seen.zero_point.value == pytest.approx(sky["zero_point"], abs=0.005 + 3 * seen.zero_point.error)
    assert seen.zero_point.error < 0.012  # that of the light beyond the top hat is 0.007
    assert seen.transparency.value == pytest.approx(CLEAR, abs=0.012)
    rate = sky["sky_electron_per_px"] / frame.info.exposure_time / found.scale**2
    expected = sky["zero_point"] - 2.5 * np.log10(rate)
    dark_and_glow = 0.2 if camera == "LATISS" else 0.01  # no dark was taken off, and the sky of LATISS is 5 electrons
    assert seen.sky_brightness.value == pytest.approx(expected, abs=dark_and_glow)
    time = seen.effective_time
    factors = time.seeing.value * time.transparency.value * time.sky.value
    assert time.time.value == pytest.approx(frame.info.exposure_time * factors)


def test_the_total_light_is_all_of_a_moffat_profile() -> None:
    frame, truth, known = exposed("LSSTCam")
    study = compared(frame, known)
    assert study.sources is not None
    assert study.psf is not None
    assert study.comparison is not None
    assert study.sources.apertures is not None
    assert study.psf.profile is not None
    flux, error = total_flux(study.sources.apertures, study.psf.profile)
    found = study.comparison.astrometry
    stars = [star for star in truth["stars"] if not star["saturated"]]  # type: ignore[attr-defined]
    places = np.array([(star["x"], star["y"]) for star in stars])
    ratios = []
    for i in found.detection:
        distances = np.hypot(places[:, 0] - study.sources.x[i], places[:, 1] - study.sources.y[i])
        alone = np.sum(distances < 40) == 1 and distances.min() < 0.5
        if alone and error[i] < 0.01 * flux[i]:
            ratios.append(flux[i] / stars[int(distances.argmin())]["flux"])
    assert len(ratios) > 50
    assert np.median(ratios) == pytest.approx(1.0, abs=0.004)


@pytest.mark.parametrize(("fwhm", "beta", "radius"), [(2.5, 3.5, 4.3), (2.5, 2.5, 4.3), (6.0, 4.5, 10.0)])
def test_the_part_of_the_light_in_a_top_hat_is_that_of_a_drawn_star(fwhm: float, beta: float, radius: float) -> None:
    fine, reach = 10, 30 * fwhm
    axis = (np.arange(int(2 * reach * fine)) + 0.5) / fine - reach
    r2 = axis**2 + axis[:, None] ** 2
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    light = uniform_filter((beta - 1) / (np.pi * alpha**2) * (1 + r2 / alpha**2) ** -beta / fine**2, fine)  # on pixels
    inside = [light[r2 < r**2].sum() for r in (radius, TOPHAT_OUTER * radius)]
    drawn = inside[0] - (inside[1] - inside[0]) / (TOPHAT_OUTER**2 - 1)
    none = np.zeros(0)
    profile = Profile(none, none, none, fwhm, 0.0, beta, fwhm, 0.0, fwhm, 0.0, (), (), False, 10)
    assert tophat_part(radius, profile) == pytest.approx(drawn, abs=5e-4)


def test_findings_have_units_and_errors() -> None:
    frame, _, known = exposed("LSSTCam")
    findings = {finding.name: finding for finding in analysis.run(compared(frame, known)).findings}
    assert findings["zero_point"].unit == "mag"
    assert findings["pointing_ra"].uncertainty is not None
    assert findings["n_matched_stars"].value == findings["pointing_ra"].n
    assert all(finding.description for finding in findings.values())


def test_a_catalogue_that_is_away_costs_only_what_needs_it() -> None:
    frame, _, _ = exposed("LATISS")
    study = compared(frame, Away())
    assert study.psf is not None
    assert study.psf.n_stars > 5
    findings = analysis.run(study).findings
    reasons = {finding.name: finding.reason for finding in findings if finding.value is None}
    assert set(reasons) == {finding.name for finding in findings} - {"n_matched_stars"}
    assert all("the catalogue is not there" in reason for reason in reasons.values())


def test_without_pointing_there_is_nothing_to_compare() -> None:
    frame, _, known = exposed("LATISS")
    study = compared(replace(frame, info=replace(frame.info, ra=None)), known)
    assert study.comparison is not None
    assert "where the telescope pointed" in study.comparison.astrometry.reason


def test_a_catalogue_without_this_band_gives_pointing_and_no_zero_point() -> None:
    frame, _, known = exposed("LATISS")
    names = {"sdss_u": known.stars.magnitudes["latiss_r"]}
    other = Known(replace(known.stars, magnitudes=names, magnitude_errors=names), ("a shard is damaged",))
    study = compared(frame, other)
    assert study.comparison is not None
    assert study.comparison.astrometry.reason == ""
    assert study.comparison.photometry is None
    assert "no magnitudes for band r of LATISS" in study.comparison.why_no_photometry
    assert study.comparison.faults == ("a shard is damaged",)


def test_what_was_measured_without_parts_of_the_catalogue_is_suspect() -> None:
    frame, _, known = exposed("LATISS")
    findings = analysis.run(compared(frame, replace(known, faults=("Npix1 is gone", "Npix2 is gone")))).findings
    doubt = "2 parts of the reference catalogue could not be used: Npix1 is gone"
    measured = [finding for finding in findings if finding.value is not None]
    assert {"pointing_ra", "zero_point", "n_matched_stars"} <= {finding.name for finding in measured}
    assert all(finding.quality is Quality.SUSPECT and finding.reason.endswith(doubt) for finding in measured)
    whole = {finding.name: finding for finding in analysis.run(compared(frame, known)).findings}
    assert whole["pointing_ra"].quality is Quality.GOOD
    assert all(finding.value == whole[finding.name].value for finding in measured)
    assert all("could not be used" not in finding.reason for finding in whole.values())


def test_a_solution_missing_for_damage_names_the_damage() -> None:
    frame, _, known = exposed("LATISS")
    nothing = known.stars.chosen(np.zeros(0, dtype=np.int64))
    study = compared(frame, Known(nothing, ("Npix7 is damaged",)))
    assert study.comparison is not None
    said = "1 part of the reference catalogue could not be used: Npix7 is damaged; "
    assert study.comparison.astrometry.reason.startswith(said)
    assert "reference stars" in study.comparison.astrometry.reason.removeprefix(said)
    missing = [finding for finding in analysis.run(study).findings if finding.value is None]
    assert {"pointing_ra", "zero_point"} <= {finding.name for finding in missing}
    assert all(said in finding.reason for finding in missing)


def test_no_catalogue_no_columns() -> None:
    frame, _, _ = exposed("LATISS")
    assert analysis.run(measure(frame)).findings == ()
