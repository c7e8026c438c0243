"""The numbers of the table: right, with units, and with reasons where they are missing."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from astropy import units

from rapid.analyses.imexam import analysis as imexam
from rapid.analyses.quicklook import analysis
from rapid.processing.analysis import Analysis
from rapid.processing.findings import Finding, Quality
from rapid.processing.frame import Mask, Profile, Psf, Study
from rapid.processing.isr import calibrate
from rapid.processing.isr.amplifier_offsets import AmplifierOffsets
from tests.support.frames import info_of, read_out, small_detector
from tests.support.studies import Star, make_info, make_study, with_image

ALWAYS = {
    "psf_fwhm": "PSF FWHM",
    "psf_effective_fwhm": "PSF effective FWHM",
    "psf_e1": "PSF e1",
    "psf_e2": "PSF e2",
    "psf_star_count": "PSF star count",
    "psf_ee50": "PSF EE50 radius",
    "psf_ee80": "PSF EE80 radius",
    "psf_ee90": "PSF EE90 radius",
    "sky_mean": "Sky mean",
    "sky_rms": "Sky RMS",
    "n_sources": "Sources",
    "n_saturated": "Saturated pixels",
    "n_bad": "Bad pixels",
    "postisr_pixel_median": "PostISR pixel median",
    "dead_amplifiers": "Dead amplifiers",
    "bias_level": "Bias level",
    "read_noise": "Read noise",
}


def found(study: Study) -> dict[str, Finding]:
    return {finding.name: finding for finding in analysis.run(study).findings}


def test_it_is_an_analysis_of_everything() -> None:
    assert isinstance(analysis, Analysis)
    assert all(analysis.applies(make_info(kind)) for kind in ("bias", "flat", "science", "unknown"))


def test_a_sky_frame() -> None:
    study = make_study([Star(60, 60, 1e6), Star(200, 150, 9e7)])
    values = found(study)
    assert {name: finding.label for name, finding in values.items()} == ALWAYS
    assert values["psf_fwhm"].value == pytest.approx(8.0 * 0.095695, rel=1e-3)
    assert values["psf_fwhm"].uncertainty == pytest.approx(0.02 * 0.095695)
    assert values["psf_effective_fwhm"].value == pytest.approx(8.4 * 0.095695)
    assert values["psf_fwhm"].n == values["psf_star_count"].value == 1
    assert (values["psf_e1"].value, values["psf_e2"].value) == (0.01, -0.02)
    assert (values["sky_mean"].value, values["sky_mean"].uncertainty) == (300.0, 0.1)
    assert values["sky_rms"].value == pytest.approx(math.sqrt(364.0))
    assert values["n_sources"].value == 2
    assert values["n_saturated"].value == np.count_nonzero(study.frame.mask & Mask.SATURATED) > 0
    assert values["postisr_pixel_median"].value == pytest.approx(np.median(study.frame.image), abs=1.0)
    assert (values["bias_level"].value, values["read_noise"].value) == (25_000.0, 8.0)
    assert (values["dead_amplifiers"].value, values["dead_amplifiers"].quality) == (0, Quality.GOOD)
    assert values["n_bad"].quality is Quality.GOOD


@pytest.mark.parametrize(("kind", "level"), [("bias", 0.0), ("dark", 3.0), ("flat", 30_000.0)])
def test_a_calibration_has_a_level_and_noise_and_says_why_it_has_no_sky(kind: str, level: float) -> None:
    values = found(make_study(observation_type=kind, sky=level))
    assert values["calib_level"].value == pytest.approx(level, abs=0.2 + level * 1e-4)
    assert values["calib_noise"].value == pytest.approx(math.sqrt(level + 64.0), rel=0.02)
    assert values["calib_level"].n == 4
    for name in (
        "psf_fwhm",
        "psf_effective_fwhm",
        "psf_e1",
        "psf_e2",
        "psf_star_count",
        "sky_mean",
        "sky_rms",
        "n_sources",
    ):
        assert values[name].quality is Quality.MISSING
        assert values[name].reason == f"a {kind} shows no sky"


def test_stars_that_are_not_a_psf_in_focus_are_told() -> None:
    study = make_study([Star(40 + 50 * i, 120, 1e6) for i in range(5)])
    assert study.psf is not None
    values = found(
        replace(study, psf=replace(study.psf, kind="donut", doubt="out of focus: stars are donuts of 83 pixels"))
    )
    for name in ("psf_fwhm", "psf_effective_fwhm", "psf_e1", "psf_e2"):
        assert (values[name].quality, values[name].reason) == (
            Quality.SUSPECT,
            "out of focus: stars are donuts of 83 pixels",
        )


def test_encircled_energy_is_in_arcsec_and_missing_where_it_is_beyond() -> None:
    study = make_study([Star(40 + 50 * i, 120, 1e6) for i in range(5)])
    assert study.psf is not None
    none = np.zeros(0)
    profile = Profile(
        none, none, none, 8.0, 0.1, 3.0, 8.0, 0.1, 8.0, 0.1, (5.0, 9.0, math.nan), (0.1, 0.2, math.nan),
        hollow=False, n_stars=5,
    )  # fmt: skip
    values = found(replace(study, psf=replace(study.psf, profile=profile, e1_error=0.004, e2_error=0.005)))
    assert values["psf_ee50"].value == pytest.approx(5 * 0.095695)
    assert values["psf_ee80"].uncertainty == pytest.approx(0.2 * 0.095695)
    assert values["psf_ee90"].reason == "the light of the stars goes on beyond three times their width"
    assert (values["psf_e1"].uncertainty, values["psf_e2"].uncertainty) == (0.004, 0.005)


def test_a_bias_has_no_sky_although_its_level_was_measured() -> None:
    sky = make_study().background
    values = found(replace(make_study(observation_type="bias"), background=sky, why_not=""))
    assert values["sky_mean"].reason == values["sky_rms"].reason == "a bias shows no sky"


def test_dead_amplifiers_are_named_and_left_out() -> None:
    values = found(make_study(observation_type="flat", sky=30_000.0, dead=["C01", "C10"]))
    assert values["dead_amplifiers"].value == 2
    assert values["dead_amplifier_names"].value == "C10, C01"
    assert values["calib_level"].value == pytest.approx(30_000.0, rel=1e-3)
    assert values["postisr_pixel_median"].value == pytest.approx(30_000.0, rel=1e-3)
    assert values["n_bad"].value == 2 * 120 * 160
    for name in ("dead_amplifiers", "n_bad"):
        assert (values[name].quality, values[name].reason) == (Quality.SUSPECT, "C10, C01 carry no signal")
    assert values["read_noise"].n == 2


def test_dead_amplifiers_make_level_and_noise_of_the_others_suspect() -> None:
    values, whole = found(make_study(dead=["C01", "C10"])), found(make_study())
    for name in ("bias_level", "read_noise"):
        assert (values[name].quality, values[name].reason) == (Quality.SUSPECT, "C10, C01 carry no signal")
        assert (whole[name].quality, whole[name].reason) == (Quality.GOOD, "")


def test_one_dead_amplifier_is_not_silent() -> None:
    assert found(make_study(dead=["C01"]))["dead_amplifiers"].reason == "C01 carries no signal"


@pytest.mark.parametrize(("n", "reason"), [(1, "only 1 star"), (4, "only 4 stars"), (5, "")])
def test_a_psf_of_a_few_stars_is_suspect(n: int, reason: str) -> None:
    values = found(make_study([Star(40 + 50 * i, 120, 1e6) for i in range(n)]))
    for name in ("psf_fwhm", "psf_effective_fwhm", "psf_e1", "psf_e2"):
        assert values[name].reason == reason
        assert values[name].quality is (Quality.SUSPECT if reason else Quality.GOOD)


@pytest.mark.parametrize("n", [1, 2, 15, 16])
@pytest.mark.parametrize("apart", [0.0, 0.3, 1000.0])
def test_the_error_over_amplifiers_is_that_of_repeating_their_median(apart: float, n: int) -> None:
    rng, study, values, errors = np.random.default_rng(5), make_study(), [], []
    one = replace(study.frame.amplifiers[0], bias_level_error=0.1)
    for _ in range(200):
        levels = 25_000 + apart * np.arange(n) + 0.1 * rng.standard_normal(n)
        amplifiers = tuple(replace(one, bias_level=float(level)) for level in levels)
        level = found(replace(study, frame=replace(study.frame, amplifiers=amplifiers)))["bias_level"]
        values.append(float(level.value or 0))
        errors.append(float(level.uncertainty or 0))
    # The scatter is known to 5 %; alike values are smoothed once more by drawing about them, which adds some 15 %.
    assert 0.85 < np.mean(errors) / np.std(values) < 1.4


def biases(n: int) -> list[dict[str, Finding]]:
    """What is found on biases that differ by nothing but their noise; the amplifiers' levels lie 700 adu apart."""
    detector, study, all_found = small_detector(), make_study(observation_type="bias"), []
    for seed in range(n):
        raw = read_out(np.zeros(detector.shape), detector, seed=seed, IMGTYPE="BIAS")
        frame = calibrate(raw, info_of(raw), detector, repair=False)
        all_found.append(found(replace(study, frame=frame)))
    return all_found


def test_level_and_noise_of_repeated_biases_scatter_by_their_errors() -> None:
    repeated = biases(24)
    for name in ("bias_level", "read_noise"):
        scatter = np.std([float(values[name].value or 0) for values in repeated], ddof=1)
        claimed = np.mean([float(values[name].uncertainty or 0) for values in repeated])
        assert 0.5 < scatter / claimed < 2.0
    for name in ("calib_level", "calib_noise"):
        assert repeated[0][name].uncertainty is None


def test_unknown_errors_of_amplifiers_tell_no_error() -> None:
    values = found(make_study(observation_type="bias"))
    for name in ("bias_level", "read_noise", "calib_level", "calib_noise"):
        assert (values[name].n, values[name].uncertainty) == (4, None)


def test_the_error_of_the_median_is_its_scatter() -> None:
    values = [found(make_study(seed=seed))["postisr_pixel_median"] for seed in range(60)]
    pulls = [(float(median.value or 0) - 300.0) / float(median.uncertainty or 0) for median in values]
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1.0, abs=0.25)
    assert values[0].n == 240 * 320


def noisy_shapes(seed: int, n: int = 40) -> Study:
    """A study of round stars whose second moments scatter as their light does; the PSF is their weighted mean."""
    rng = np.random.default_rng(seed)
    study = make_study([Star(100, 100, 1e6)] * n, noise=False)
    assert study.sources is not None
    assert study.psf is not None
    share = rng.uniform(0.005, 0.05, n)
    e1, e2 = np.hypot(share, 0.01) * rng.standard_normal((2, n))
    weights = 1 / (share**2 + 0.01**2)
    sources = replace(study.sources, xx=10 * (1 + e1), yy=10 * (1 - e1), xy=10 * e2, flux_error=share * 1e6)
    psf = replace(
        study.psf, e1=float(np.average(e1, weights=weights)), e2=float(np.average(e2, weights=weights)), n_stars=n
    )
    return replace(study, sources=sources, psf=psf)


def test_the_error_of_the_ellipticity_is_its_scatter() -> None:
    values = [found(noisy_shapes(seed)) for seed in range(80)]
    for name in ("psf_e1", "psf_e2"):
        pulls = [float(value[name].value or 0) / float(value[name].uncertainty or 0) for value in values]
        assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1.0, abs=0.25)


def test_two_stars_tell_no_error_of_the_ellipticity() -> None:
    values = found(make_study([Star(60, 60, 1e6), Star(200, 150, 1e6)]))
    assert values["psf_e1"].uncertainty is None
    assert values["psf_e2"].uncertainty is None


def test_when_every_amplifier_is_dead() -> None:
    values = found(make_study(observation_type="bias", dead=["C00", "C01", "C10", "C11"]))
    assert values["bias_level"].reason == "no live amplifier has a measured overscan"
    assert values["calib_noise"].reason == "no live amplifier has a measured bias"
    assert values["postisr_pixel_median"].reason == "no pixel of the frame is usable"


def test_a_psf_that_could_not_be_had() -> None:
    study = make_study([Star(60, 60)])
    values = found(replace(study, psf=Psf(math.nan, math.nan, math.nan, math.nan, 0, "no star is bright enough")))
    assert values["psf_fwhm"].reason == "no star is bright enough"
    assert values["psf_star_count"].value == 0


def test_a_background_that_is_not_a_number() -> None:
    study = make_study([Star(60, 60)])
    assert study.background is not None
    values = found(replace(study, background=replace(study.background, level=math.nan, noise_error=math.nan)))
    assert values["sky_mean"].reason == "the sky is not a number"
    assert values["sky_rms"].uncertainty is None
    assert values["sky_rms"].quality is Quality.GOOD


def test_a_frame_without_pixels() -> None:
    study = make_study([])
    values = found(with_image(study, np.full((240, 320), np.nan, np.float32)))
    assert values["postisr_pixel_median"].value is None


def test_columns_never_change_their_type_unit_or_label() -> None:
    good, bad = found(make_study([Star(60, 60)])), found(make_study(observation_type="bias"))
    for name in ALWAYS:
        assert (good[name].unit, good[name].label, good[name].description) == (
            bad[name].unit,
            bad[name].label,
            bad[name].description,
        )
        if bad[name].value is not None:
            assert type(good[name].value) is type(bad[name].value)


@pytest.mark.parametrize("kind", ["bias", "flat", "science"])
def test_every_finding_has_a_unit_that_can_be_read_and_a_description(kind: str) -> None:
    study = make_study([Star(60, 60)], observation_type=kind)
    for finding in (*analysis.run(study).findings, *imexam.run(study).findings):
        units.Unit(finding.unit)
        assert finding.description
        assert finding.label


def test_offsets_between_amplifiers_appear_when_they_were_measured() -> None:
    covariance = np.array([[0.04, -0.04], [-0.04, 0.04]])
    pedestals = np.array([3.0, -3.0])
    offsets = AmplifierOffsets(pedestals, np.sqrt(np.diagonal(covariance)), covariance, 0, 1.0, 80, ("", ""))
    finding = found(replace(make_study([Star(60, 60)]), offsets=offsets))["amplifier_offset_rms"]
    assert finding.value == pytest.approx(3.0)
    assert finding.uncertainty == pytest.approx(0.2)
    assert (finding.unit, finding.n, finding.quality) == ("electron", 2, Quality.GOOD)


def test_offsets_that_could_not_be_had_are_missing_with_the_reason() -> None:
    nothing = np.full(2, math.nan)
    why = "only 3 blocks of sky, and no other amplifier to compare with"
    offsets = AmplifierOffsets(nothing, nothing, np.full((2, 2), math.nan), -1, math.nan, 0, (why, why))
    finding = found(replace(make_study([Star(60, 60)]), offsets=offsets))["amplifier_offset_rms"]
    assert (finding.value, finding.quality, finding.reason) == (None, Quality.MISSING, why)
