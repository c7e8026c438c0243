"""Calibrations keep their values, and those of another detector are refused."""

from __future__ import annotations

import numpy as np
import pytest

from rapid.errors import BadCalibration
from rapid.processing.isr import CalibrationImage, Calibrations
from rapid.processing.isr.crosstalk import Crosstalk
from rapid.processing.isr.cti import Cti
from rapid.processing.isr.defects import Defects
from rapid.processing.isr.linearity import Linearity
from tests.support.frames import small_detector

DETECTOR = small_detector()
NOISE = np.full(4, 0.25)


def test_a_bias_is_kept_to_its_step() -> None:
    values = np.random.default_rng(1).normal(0, 30, DETECTOR.shape)
    bias = CalibrationImage.bias(values, variance=NOISE, identity="b1")
    assert np.abs(bias.values - values).max() <= 2**-7
    assert bias.n_unusable == 0
    assert not bias.counts.flags.writeable


@pytest.mark.parametrize(
    ("kind", "values", "usable"),
    [
        ("bias", [-511.9, 511.9, 513.0, np.nan, -np.inf], [True, True, False, False, False]),
        ("dark", [0.0, 31.9, 33.0, np.nan, 1e9], [True, True, False, False, False]),
        ("flat", [1.0, 1.99, 0.04, 2.1, np.nan], [True, True, False, False, False]),
    ],
)
def test_values_out_of_reach_are_unusable(kind: str, values: list[float], usable: list[bool]) -> None:
    image = getattr(CalibrationImage, kind)(np.array([values]), variance=NOISE, identity="x")
    np.testing.assert_array_equal(np.isfinite(image.values[0]), usable)
    np.testing.assert_allclose(image.values[0][usable], np.array(values)[usable], atol=0.008)
    assert image.n_unusable == usable.count(False)


def test_what_is_no_image_or_no_variance_is_refused() -> None:
    with pytest.raises(BadCalibration, match=r"^b1: not an image; expected two axes; found shape \(4,\)"):
        CalibrationImage.bias(np.zeros(4), variance=NOISE, identity="b1")
    for wrong in (np.array([1.0, np.nan]), np.array([-1.0]), np.zeros((2, 2))):
        with pytest.raises(BadCalibration, match=r"^d1: the variance is none; expected one number >= 0"):
            CalibrationImage.dark(np.zeros((2, 2)), variance=wrong, identity="d1")


def test_calibrations_of_the_detector_pass() -> None:
    zero = np.zeros(DETECTOR.shape)
    Calibrations().check(DETECTOR)
    Calibrations(
        bias=CalibrationImage.bias(zero, variance=NOISE, identity="b"),
        dark=CalibrationImage.dark(zero, variance=NOISE, identity="d"),
        flat=CalibrationImage.flat(zero + 1, variance=NOISE, identity="f"),
        defects=Defects(()),
        bad_amplifiers=frozenset({DETECTOR.amplifiers[0].name}),
        gains={DETECTOR.amplifiers[1].name: 1.1},
        saturations={DETECTOR.amplifiers[1].name: 1e5},
    ).check(DETECTOR)


@pytest.mark.parametrize(
    ("calibrations", "message"),
    [
        (
            Calibrations(bias=CalibrationImage.bias(np.zeros((5, 5)), variance=NOISE, identity="b1")),
            r"^LATISS R00_S00 bias b1: does not fit the detector; expected shape .*; found shape \(5, 5\)",
        ),
        (
            Calibrations(flat=CalibrationImage.flat(np.ones(DETECTOR.shape), variance=NOISE[:2], identity="f1")),
            r"flat f1: does not fit the detector; expected 4 amplifiers; found 2",
        ),
        (Calibrations(crosstalk=Crosstalk(np.zeros((16, 16)))), r"crosstalk: .*expected 4 amplifiers; found 16"),
        (Calibrations(linearity=Linearity(((), ()))), r"linearity: .*expected 4 amplifiers; found 2"),
        (Calibrations(cti=Cti(np.full(3, 1e-6), np.ones(3), 512)), r"CTI: .*expected 4 amplifiers; found 3"),
        (Calibrations(bad_amplifiers=frozenset({"C99"})), r"bad amplifiers: .*amplifiers of this detector; found C99"),
        (Calibrations(gains={"C99": 1.0}), r"gains: .*; found C99"),
        (
            Calibrations(cti=Cti(np.full(4, 1e-6), np.ones(4), 522)),
            r"CTI: .*a register of 512 pixels; found one of 522",
        ),
        (Calibrations(gains={"C12": 1e4}), r"gains of C12: .*at most 100 electron/adu; found 10000.0"),
        (Calibrations(gains={"C12": 0.0}), r"gains of C12: .*a positive number; found 0.0"),
        (Calibrations(saturations={"C12": float("nan")}), r"saturations of C12: .*; found nan"),
    ],
)
def test_calibrations_of_another_detector_are_refused(calibrations: Calibrations, message: str) -> None:
    with pytest.raises(BadCalibration, match=message):
        calibrations.check(DETECTOR)
