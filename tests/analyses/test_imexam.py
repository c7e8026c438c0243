"""The brightest star in nine panels: truth recovered, flaws of the old one corrected, and every odd frame survived."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapid.analyses.imexam import analysis
from rapid.processing.analysis import Analysis
from rapid.processing.findings import (
    ContourPanel,
    Finding,
    ImagePanel,
    Line,
    Quality,
    Result,
    SeriesPanel,
    SurfacePanel,
    TextPanel,
)
from rapid.processing.frame import Mask, Psf, Study
from rapid.processing.moffat import moffat_over_pixels
from rapid.simulation.stars import Psf as DrawnPsf
from rapid.simulation.stars import draw_stars
from tests.support.studies import SATURATION, Star, make_info, make_sources, make_study, with_image

ROW = (
    "imexam_x", "imexam_y", "imexam_fwhm", "imexam_fwhm_gaussian", "imexam_ee50", "imexam_ee80", "imexam_flux",
    "imexam_peak",
)  # fmt: skip


def found(result: Result) -> dict[str, Finding]:
    return {finding.name: finding for finding in result.findings}


def check_sound(result: Result) -> None:
    """What holds for every frame whatsoever."""
    assert tuple(finding.name for finding in result.findings) == ROW
    assert [picture.channel for picture in result.pictures] == ["imexam"]
    json.dumps(result.sidecar, allow_nan=False)
    for panel in result.pictures[0].panels:
        if isinstance(panel, ImagePanel):
            assert np.isfinite([panel.low, panel.high, panel.offset, panel.step]).all()
            assert panel.high > panel.low


def test_it_is_an_analysis_of_everything_but_calibrations() -> None:
    assert isinstance(analysis, Analysis)
    assert [analysis.applies(make_info(kind)) for kind in ("bias", "dark", "flat")] == [False] * 3
    assert [analysis.applies(make_info(kind)) for kind in ("science", "cwfs", "focus", "acq", "engtest")] == [True] * 5


@pytest.mark.parametrize("beta", [3.0, 4.765, math.inf])
@pytest.mark.parametrize("fwhm", [4.0, 8.0, 12.0])
def test_width_place_and_energy_are_recovered(fwhm: float, beta: float) -> None:
    star = Star(161.37, 118.62, 2e6 * (fwhm / 8) ** 2, fwhm, beta)
    study = make_study([star], sky=200.0)
    values = found(analysis.run(study))
    scale = study.frame.detector.pixel_scale
    assert values["imexam_x"].value == pytest.approx(161.37, abs=0.02)
    assert values["imexam_y"].value == pytest.approx(118.62, abs=0.02)
    assert values["imexam_fwhm"].value == pytest.approx(fwhm * scale, rel=0.01)
    assert values["imexam_fwhm_gaussian"].value == pytest.approx(fwhm * scale, rel=0.01 if math.isinf(beta) else 0.11)
    assert values["imexam_peak"].value == pytest.approx(float(star.light(np.array(161.0), np.array(119.0))), rel=0.03)
    assert values["imexam_flux"].value == pytest.approx(star.flux, rel=0.02)
    summed = 1.0 if math.isinf(beta) else 1 - (1 + (5 * fwhm / star.alpha) ** 2) ** (1 - beta)
    for name, share in (("imexam_ee50", 0.5), ("imexam_ee80", 0.8)):
        assert values[name].value == pytest.approx(2 * star.energy_radius(share * summed) * scale, rel=0.015)
    assert all(finding.quality is Quality.GOOD for finding in values.values())


def test_the_uncertainty_of_the_fwhm_covers_the_truth() -> None:
    values = [
        found(analysis.run(make_study([Star(160, 120, 1e5, 8.0, 3.0)], seed=seed)))["imexam_fwhm"] for seed in range(20)
    ]
    scale = make_study().frame.detector.pixel_scale
    pulls = [(float(fwhm.value or 0) - 8.0 * scale) / float(fwhm.uncertainty or 0) for fwhm in values]
    assert np.mean(np.abs(pulls)) < 1.6


def drawn(seed: int, donut: float = 0.0, ellipticity: float = 0.0, flux: float = 3e6) -> Study:
    """A star as the telescope would draw it: elliptical, and out of focus by the diameter of its pupil [pixel]."""
    rng = np.random.default_rng(seed)
    x, y = 160 + rng.uniform(-0.5, 0.5), 120 + rng.uniform(-0.5, 0.5)
    image = np.full((240, 320), 300, np.float32)
    shape = DrawnPsf(8.0, 3.0, ellipticity, donut=donut)
    draw_stars(image, np.array([x]), np.array([y]), np.array([flux]), shape)
    image = image + rng.standard_normal(image.shape) * np.sqrt(image + 64)
    sources = make_sources([Star(x, y, flux, math.hypot(8.0, donut))])
    return with_image(make_study([], sources=sources), image.astype(np.float32))


def on_pixels(fwhm: float, beta: float) -> float:
    """Full width at half maximum [pixel] of light that fell on pixels: what is fitted is the image, not the light."""
    alpha = fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1))
    radius = np.linspace(0, fwhm, 10_001)
    profile = moffat_over_pixels(radius, alpha, beta)
    return float(2 * np.interp(0.5, profile[::-1] / profile[0], radius[::-1]))


@pytest.mark.parametrize(("flux", "ellipticity"), [(1e5, 0.0), (1e6, 0.05), (3e6, 0.1)])
def test_the_pull_of_the_fwhm_is_one(flux: float, ellipticity: float) -> None:
    values = [found(analysis.run(drawn(seed, ellipticity=ellipticity, flux=flux)))["imexam_fwhm"] for seed in range(25)]
    scale = make_study().frame.detector.pixel_scale
    assert all(value.quality is Quality.GOOD for value in values)
    true = on_pixels(8.0, 3.0) * scale
    pulls = [(float(value.value or 0) - true) / float(value.uncertainty or 0) for value in values]
    assert 0.4 < np.sqrt(np.mean(np.square(pulls))) < 1.3


@pytest.mark.parametrize("donut", [20.0, 30.0, 60.0])
def test_a_star_out_of_focus_has_suspect_widths_and_a_large_error(donut: float) -> None:
    result = analysis.run(drawn(1, donut=donut))
    values, reason = found(result), "the star's profile is not a Moffat: central depression"
    for name in ("imexam_fwhm", "imexam_fwhm_gaussian"):
        assert (values[name].quality, values[name].reason) == (Quality.SUSPECT, reason)
    assert values["imexam_fwhm"].uncertainty > 0.02 * values["imexam_fwhm"].value  # type: ignore[operator]
    assert values["imexam_flux"].quality is Quality.GOOD
    text = result.pictures[0].panels[2]
    assert isinstance(text, TextPanel)
    assert text.rows[-1] == ("", f"Suspect: {reason}.")
    assert result.sidecar["misfit"] == reason


def test_the_errors_of_place_energy_and_peak_are_their_scatter() -> None:
    star = Star(160.0, 120.0, 3e5, 4.0, 3.0)
    values = [found(analysis.run(make_study([star], seed=seed))) for seed in range(50)]
    for name in ("imexam_x", "imexam_y", "imexam_ee50", "imexam_ee80", "imexam_flux", "imexam_peak"):
        scatter = np.std([float(value[name].value or 0) for value in values], ddof=1)
        predicted = np.mean([float(value[name].uncertainty or 0) for value in values])
        assert scatter / predicted == pytest.approx(1.0, abs=0.3), name


def test_the_error_of_a_place_that_was_not_a_mean_of_light_is_not_told() -> None:
    values = found(analysis.run(make_study([Star(3.2, 4.1, 1e6, 8.0, 3.0)])))
    assert values["imexam_x"].uncertainty is None


@settings(deadline=None, max_examples=12)
@given(st.floats(-4, 4), st.floats(-4, 4))
def test_shifting_the_star_shifts_the_centroid_and_nothing_else(dx: float, dy: float) -> None:
    reference = found(analysis.run(make_study([Star(160, 120, 1e6, 8.0, 3.0)], noise=False)))
    shifted = found(analysis.run(make_study([Star(160 + dx, 120 + dy, 1e6, 8.0, 3.0)], noise=False)))
    assert float(shifted["imexam_x"].value or 0) - float(reference["imexam_x"].value or 0) == pytest.approx(
        dx, abs=5e-3
    )
    assert float(shifted["imexam_y"].value or 0) - float(reference["imexam_y"].value or 0) == pytest.approx(
        dy, abs=5e-3
    )
    for name in ("imexam_fwhm", "imexam_ee50", "imexam_ee80", "imexam_flux"):
        assert shifted[name].value == pytest.approx(reference[name].value, rel=5e-3)


def test_there_are_nine_panels() -> None:
    (picture,) = analysis.run(make_study([Star(160, 120)])).pictures
    assert picture.columns == 3
    assert [type(panel) for panel in picture.panels] == [
        ImagePanel, ImagePanel, TextPanel, SurfacePanel, ContourPanel, SeriesPanel, SeriesPanel, SeriesPanel, SeriesPanel,
    ]  # fmt: skip
    frame, cutout = picture.panels[:2]
    assert isinstance(frame, ImagePanel)
    assert isinstance(cutout, ImagePanel)
    box = frame.marks[-1]
    assert (box.kind, box.x, box.y) == ("box", pytest.approx(160, abs=0.05), pytest.approx(120, abs=0.05))
    assert (cutout.x0, cutout.y0, cutout.binning) == (112, 72, 1)


def test_the_sidecar_holds_every_number_that_is_shown() -> None:
    result = analysis.run(make_study([Star(160, 120, 1e6, 8.0, 3.0)]))
    text = result.pictures[0].panels[2]
    assert isinstance(text, TextPanel)
    numbers = [float(value) for value in result.sidecar.values() if isinstance(value, int | float)]
    shown = [n for _, value in text.rows for n in re.findall(r"-?\d[\d,]*\.?\d*", value.replace("e-", ""))]
    assert len(shown) >= 20
    for number in shown:
        digits = len(number.partition(".")[2])
        plain = float(number.replace(",", ""))
        assert any(abs(plain - known) <= 0.5001 * 10**-digits for known in numbers), number


def test_sidecar_row_and_panels_say_the_same() -> None:
    study = make_study([Star(160, 120, 1e6, 8.0, 3.0)])
    result = analysis.run(study)
    sidecar, values = result.sidecar, found(result)
    assert sidecar["fwhm_arcsec"] == values["imexam_fwhm"].value
    assert sidecar["fwhm_arcsec_error"] == values["imexam_fwhm"].uncertainty
    assert sidecar["moffat_fwhm_pixel"] == pytest.approx(
        float(values["imexam_fwhm"].value or 0) / study.frame.detector.pixel_scale
    )
    energy = result.pictures[0].panels[5]
    assert isinstance(energy, SeriesPanel)
    (line,) = energy.lines
    np.testing.assert_allclose(line.x, sidecar["energy_radius_pixel"])
    np.testing.assert_allclose(line.y, 100 * np.array(sidecar["energy_electron"]) / sidecar["flux_electron"])
    assert sidecar["ee50_arcsec"] == pytest.approx(2 * energy.x_lines[0][0] * study.frame.detector.pixel_scale)
    assert np.interp(energy.x_lines[1][0], line.x, line.y) == pytest.approx(80.0, abs=0.01)


def test_the_slices_are_the_pixels_of_the_frame() -> None:
    study = make_study([Star(160.2, 119.6)])
    result = analysis.run(study)
    row, column = result.pictures[0].panels[6:8]
    assert isinstance(row, SeriesPanel)
    assert isinstance(column, SeriesPanel)
    sky = float(result.sidecar["sky_electron"])  # type: ignore[arg-type]
    along_x, along_y = row.lines[0], column.lines[0]
    assert isinstance(along_x, Line)
    np.testing.assert_allclose(along_x.y + sky, study.frame.image[120, along_x.x.astype(int)], rtol=1e-6)
    np.testing.assert_allclose(along_y.y + sky, study.frame.image[along_y.x.astype(int), 160], rtol=1e-6)


# --- flaws of the observatory's image examiner, each put right ----------------------------------------------------


def test_the_count_of_pixels_at_the_maximum_is_not_inverted() -> None:
    study = make_study([Star(160, 120)])
    assert analysis.run(study).sidecar["n_at_maximum_pixel"] == 1
    image = study.frame.image.copy()
    image[119:121, 160] = image.max()
    assert analysis.run(with_image(study, image)).sidecar["n_at_maximum_pixel"] >= 2


def test_a_calibration_is_skipped_with_its_reason() -> None:
    result = analysis.run(make_study(observation_type="flat"))
    check_sound(result)
    assert {finding.reason for finding in result.findings} == {"a flat shows no sky"}


@pytest.mark.parametrize("stars", [[Star(160, 120)], [], [Star(160, 120, 9e7)]])
def test_the_frame_is_never_changed(stars: list[Star]) -> None:
    study = make_study(stars)
    image, mask = study.frame.image.copy(), study.frame.mask.copy()
    analysis.run(study)
    np.testing.assert_array_equal(study.frame.image, image)
    np.testing.assert_array_equal(study.frame.mask, mask)


@pytest.mark.parametrize("sky", [0.0, 300.0, 20_000.0])
def test_the_sky_does_not_change_the_encircled_energy(sky: float) -> None:
    result = analysis.run(make_study([Star(160, 120, 2e6, 8.0)], sky=sky))
    scale = make_study().frame.detector.pixel_scale
    assert found(result)["imexam_ee80"].value == pytest.approx(2 * Star(0, 0).energy_radius(0.8) * scale, rel=0.03)


def test_the_sky_of_the_fit_is_the_sky() -> None:
    result = analysis.run(make_study([Star(160, 120, 1e6, 8.0, 3.0)], sky=750.0))
    assert result.sidecar["moffat_background_electron"] == pytest.approx(750.0, abs=2.0)


def test_the_centre_is_refined_from_a_poor_position() -> None:
    study = make_study([Star(160.4, 120.3, 1e6)], sources=make_sources([Star(162.0, 119.0, 1e6)]))
    values = found(analysis.run(study))
    assert (values["imexam_x"].value, values["imexam_y"].value) == pytest.approx((160.4, 120.3), abs=0.02)


def test_an_unsaturated_star_is_preferred() -> None:
    values = found(analysis.run(make_study([Star(80, 80, 9e7), Star(240, 160, 1e6)])))
    assert (values["imexam_x"].value, values["imexam_y"].value) == pytest.approx((240, 160), abs=0.1)


def test_a_saturated_star_is_measured_by_its_wings_and_suspect() -> None:
    star = Star(160.4, 120.3, 6e7, 8.0, 3.0)
    study = make_study([star])
    assert study.frame.image.max() == SATURATION
    result = analysis.run(study)
    check_sound(result)
    values = found(result)
    scale = study.frame.detector.pixel_scale
    assert values["imexam_fwhm"].value == pytest.approx(8.0 * scale, rel=0.03)
    assert (values["imexam_x"].value, values["imexam_y"].value) == pytest.approx((160.4, 120.3), abs=0.05)
    assert values["imexam_fwhm"].quality is Quality.SUSPECT
    assert values["imexam_fwhm"].reason == "the star is saturated: its core was left out"
    for name in ("imexam_ee50", "imexam_ee80", "imexam_flux", "imexam_fwhm_gaussian"):
        assert values[name].quality is Quality.MISSING
        assert values[name].reason == "the star is saturated: the light of its core is lost"
    panel = result.pictures[0].panels[5]
    assert isinstance(panel, TextPanel)
    assert panel.rows == (("", "Not measured: the star is saturated: the light of its core is lost."),)


@pytest.mark.parametrize(("x", "y"), [(4.3, 120.2), (160.1, 236.8), (3.2, 4.1), (317.5, 2.2)])
def test_a_star_at_the_edge_keeps_its_place(x: float, y: float) -> None:
    study = make_study([Star(x, y, 1e6, 8.0, 3.0)])
    result = analysis.run(study)
    check_sound(result)
    values = found(result)
    assert (values["imexam_x"].value, values["imexam_y"].value) == pytest.approx((x, y), abs=0.1)
    assert values["imexam_fwhm"].value == pytest.approx(8.0 * study.frame.detector.pixel_scale, rel=0.03)
    assert values["imexam_flux"].value == pytest.approx(1e6, rel=0.05)
    assert values["imexam_fwhm"].reason == "the star is cut by the edge of the frame"


def test_a_neighbour_does_not_widen_the_star() -> None:
    alone = found(analysis.run(make_study([Star(160, 120, 2e6, 8.0, 3.0)])))
    crowded = found(analysis.run(make_study([Star(160, 120, 2e6, 8.0, 3.0), Star(200, 130, 1.5e6, 8.0, 3.0)])))
    assert crowded["imexam_fwhm"].value == pytest.approx(alone["imexam_fwhm"].value, rel=0.01)
    assert crowded["imexam_ee80"].value == pytest.approx(alone["imexam_ee80"].value, rel=0.03)


# --- odd frames ---------------------------------------------------------------------------------------------------


def test_a_frame_without_a_star_says_so() -> None:
    result = analysis.run(make_study())
    check_sound(result)
    assert all(finding.quality is Quality.MISSING for finding in result.findings)
    assert {finding.reason for finding in result.findings} == {"no source was detected"}
    assert result.sidecar == {"no_star": "no source was detected"}
    image, text = result.pictures[0].panels
    assert isinstance(image, ImagePanel)
    assert isinstance(text, TextPanel)
    assert text.rows[0] == ("", "No star: no source was detected.")


def test_a_dead_amplifier_does_no_harm() -> None:
    result = analysis.run(make_study([Star(150, 90, 1e6)], dead=["C01"]))
    check_sound(result)
    assert found(result)["imexam_fwhm"].value == pytest.approx(8.0 * 0.095695, rel=0.03)


@pytest.mark.parametrize("value", [np.nan, 0.0, 1.0, SATURATION, -1e9])
def test_a_frame_of_one_value_with_a_source_in_it(value: float) -> None:
    study = make_study([], sources=make_sources([Star(160, 120)]))
    mask = np.full((240, 320), int(Mask.SATURATED if value == SATURATION else Mask(0)), np.uint16)
    result = analysis.run(with_image(study, np.full((240, 320), value, np.float32), mask))
    check_sound(result)
    assert all(finding.value is None for finding in result.findings)


def test_a_frame_where_everything_is_masked() -> None:
    study = make_study([Star(160, 120, 1e6)])
    result = analysis.run(with_image(study, study.frame.image, np.full((240, 320), int(Mask.BAD), np.uint16)))
    check_sound(result)
    assert all(finding.reason for finding in result.findings)


def test_a_star_of_holes() -> None:
    study = make_study([Star(160, 120, 1e6)])
    image = study.frame.image.copy()
    rows, columns = np.indices(image.shape)
    image[(rows + columns) % 2 == 0] = np.nan
    result = analysis.run(with_image(study, image))
    check_sound(result)
    assert found(result)["imexam_fwhm"].value == pytest.approx(8.0 * 0.095695, rel=0.02)


@pytest.mark.parametrize("shape", [(12, 14), (40, 30)])
def test_a_tiny_frame(shape: tuple[int, int]) -> None:
    check_sound(analysis.run(make_study([Star(6, 6, 1e5, 3.0)], shape=shape)))


def test_a_study_without_background_or_psf() -> None:
    study = replace(
        make_study([Star(160, 120)]), background=None, psf=Psf(math.nan, math.nan, math.nan, math.nan, 0, "no")
    )
    check_sound(analysis.run(study))
    assert isinstance(study, Study)


def test_a_faint_star_is_measured_or_says_why() -> None:
    for flux in (300.0, 1500.0, 5000.0):
        result = analysis.run(make_study([Star(160, 120, flux, 8.0)]))
        check_sound(result)


def test_sources_with_impossible_shapes() -> None:
    stars = [Star(160, 120), Star(100, 60)]
    sources = make_sources(stars)
    odd = replace(sources, xx=np.array([np.nan, -1.0]), yy=np.array([1.0, 0.0]))
    result = analysis.run(make_study(stars, sources=odd))
    check_sound(result)
    assert found(result)["imexam_x"].reason == "none of 2 detected sources looks like a star"
