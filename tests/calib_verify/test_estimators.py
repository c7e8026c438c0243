"""What was put into simulated exposures comes out of the measurements, within the errors they claim."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from calib_verify.measurements import FrameMeasurements, MeasuredFrame, Measurement, measure_pair
from calib_verify.measurements.flats import pair_gain
from rapid.processing.isr import CalibrationImage, Calibrations
from rapid.simulation.camera import latiss
from tests.calib_verify.frames import AMPLIFIERS, LATISS, observed

BIASES, PAIRS = 6, 2
GAINS = np.array([each.gain for each in LATISS.amplifiers])
TRUE_NOISE = np.array([math.hypot(each.read_noise, each.gain / math.sqrt(12)) for each in LATISS.amplifiers])
DARK_CURRENT = 0.03


def table(frames: list[FrameMeasurements], name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and errors of a quantity, shape (frames, amplifiers)."""
    places = [frame.by_place() for frame in frames]
    return split([[place[name, amplifier] for amplifier in AMPLIFIERS] for place in places])


def split(rows: list[list[Measurement]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return tuple(np.array([[getattr(each, what) for each in row] for row in rows]) for what in ("value", "uncertainty"))


def bias_pattern() -> Calibrations:
    """Make the bias that the simulated camera has: structure of its columns, less what the parallel overscan takes off."""
    image = np.zeros(LATISS.shape)
    for index, amplifier in enumerate(LATISS.amplifiers):
        data = amplifier.data
        columns = latiss().columns[index][data.x0 : data.x0 + data.width].astype(np.float64) * amplifier.gain
        left = columns - median_filter(columns, size=31, mode="nearest")
        part = np.broadcast_to(left, (data.height, data.width))
        image[amplifier.bbox.slices] = part[amplifier.turn]
    return Calibrations(bias=CalibrationImage.bias(image, variance=np.zeros(len(AMPLIFIERS)), identity="the pattern"))


@pytest.fixture(scope="module")
def biases() -> list[FrameMeasurements]:
    return [observed("bias", number).measurements for number in range(1, BIASES + 1)]


@pytest.fixture(scope="module")
def flats() -> list[MeasuredFrame]:
    return [observed("flat", number) for number in range(51, 51 + 2 * PAIRS)]


@pytest.mark.parametrize(
    "name",
    [
        "mean",
        "mean_clipped",
        "median",
        "noise",
        "noise_robust",
        "cr_noise",
        "amp_corner",
        "row_scatter",
        "column_scatter",
        "read_noise",
        "read_noise_adu",
        "bias_shift_noise",
    ],
)
def test_errors_are_those_of_the_scatter_from_frame_to_frame(biases: list[FrameMeasurements], name: str) -> None:
    values, errors = table(biases, name)
    pulls = (values - values.mean(axis=0)) / errors * math.sqrt(BIASES / (BIASES - 1))
    assert 0.75 < pulls.std() < 1.3, f"{pulls.std():.3f} from {pulls.size} values"


def test_the_level_of_a_bias_is_that_of_its_pattern(biases: list[FrameMeasurements]) -> None:
    values, errors = table(biases, "mean_clipped")
    mean_error = math.sqrt((errors**2).mean() / values.size)
    assert values.mean() == pytest.approx(0.0, abs=4 * mean_error + 0.05)  # medians of 58 random columns leave 0.05


def test_noise_is_what_is_predicted(biases: list[FrameMeasurements]) -> None:
    noise, errors = table(biases, "noise_robust")
    predicted, predicted_errors = table(biases, "predicted_noise")
    pulls = (noise - predicted) / np.hypot(errors, predicted_errors)
    assert np.abs(pulls).max() < 5
    assert (noise / predicted).mean() == pytest.approx(1.0, abs=0.003)  # the pattern of the columns adds a thousandth


def test_read_noise_is_that_of_the_amplifiers(biases: list[FrameMeasurements]) -> None:
    """With what the columns of the overscan differ by: a pattern that no single exposure can tell from noise."""
    values, errors = table(biases, "read_noise")
    starts = [each.data.x0 + each.data.width + 3 for each in LATISS.amplifiers]
    pattern = [columns[start:-3].std() for columns, start in zip(latiss().columns, starts, strict=True)]
    true = np.hypot(TRUE_NOISE, np.array(pattern) * GAINS)
    pulls = (values - true) / errors
    assert pulls.std() == pytest.approx(1.0, abs=0.25)
    assert abs(pulls.mean()) < 4 / math.sqrt(pulls.size)
    assert (values / true - 1).mean() == pytest.approx(0.0, abs=0.001)


def test_a_bias_that_is_subtracted_leaves_no_columns(biases: list[FrameMeasurements]) -> None:
    found = [observed("bias", 1, calibrations=bias_pattern()).measurements]
    assert dict(found[0].calibrations)["bias"].startswith("the pattern")
    before, _ = table(biases[:1], "column_scatter")
    after, errors = table(found, "column_scatter")
    noise, _ = table(found, "noise")
    columns = np.hypot(noise / math.sqrt(2000), 0.0422 * TRUE_NOISE)  # of pixels, and of the smoothed levels of 45 rows
    assert (before > after).all()
    assert np.median(before / after) > 1.2
    assert np.abs((after - columns) / errors).max() < 5


def test_nothing_goes_together_in_a_healthy_camera(biases: list[FrameMeasurements]) -> None:
    for frame in biases:
        assert abs(frame.by_place()["image_correlation", ""].value) < 0.01
        assert abs(frame.by_place()["overscan_correlation", ""].value) < 0.05


def test_a_dark_tells_its_current_and_its_hot_pixels() -> None:
    camera = latiss()
    long = [observed("dark", number, exposure_time=300.0).measurements for number in (31,)]
    current, errors = table(long, "dark_current")
    typical = float(np.median(errors))
    assert typical < 0.001
    assert np.abs(current - DARK_CURRENT).max() < 5 * typical + 0.0005
    for index, amplifier in enumerate(LATISS.amplifiers):
        y, x = camera.hot_pixels
        box = amplifier.bbox
        inside = (y >= box.y0) & (y < box.y0 + box.height) & (x >= box.x0) & (x < box.x0 + box.width)
        true = int((camera.hot_currents[inside] >= 5.0).sum())
        for frame in long:
            found = frame.by_place()["hot_pixels", amplifier.name]
            # a cosmic ray leaves more than 1500 electron in a pixel now and then
            assert true - 1 <= found.value <= true + 60, AMPLIFIERS[index]


def test_a_short_dark_tells_no_hot_pixels() -> None:
    found = observed("dark", 33, exposure_time=5.0).measurements.by_place()["hot_pixels", "C10"]
    assert found.value is None
    assert found.reason.startswith("too short: a hot pixel collects 25")


def test_pairs_of_flats_tell_the_gain(flats: list[MeasuredFrame]) -> None:
    rows = [of_pair(first, second) for first, second in zip(flats[::2], flats[1::2], strict=True)]
    gains, errors = split([[each for each in row if each.name == "pair_gain"] for row in rows])
    assert np.median(errors / GAINS) < 0.002
    pulls = (gains - GAINS) / errors
    assert 0.75 < pulls.std() < 1.3
    assert abs(pulls.mean()) < 4 / math.sqrt(pulls.size)
    assert (gains / GAINS - 1).mean() == pytest.approx(0.0, abs=0.001)
    noise, errors = split([[each for each in row if each.name == "pair_read_noise"] for row in rows])
    assert abs(((noise - TRUE_NOISE) / errors).mean()) < 4 / math.sqrt(noise.size)
    assert np.abs(noise / TRUE_NOISE - 1).max() < 0.01


def test_a_pair_tells_the_gain_whatever_the_frames_were_made_with(flats: list[MeasuredFrame]) -> None:
    wrong = Calibrations(gains=dict.fromkeys(AMPLIFIERS, 1.3))
    first, second = (observed("flat", number, calibrations=wrong) for number in (51, 52))
    assert first.pairing is not None
    assert second.pairing is not None
    found = measure_pair(first.pairing, second.pairing, [1.3] * len(AMPLIFIERS))
    usual = of_pair(flats[0], flats[1])
    for one, other in zip(found, usual, strict=True):
        if one.name in {"pair_gain", "pair_read_noise"}:
            assert one.value == pytest.approx(other.value, rel=1e-3)


def of_pair(first: MeasuredFrame, second: MeasuredFrame) -> list[Measurement]:
    assert first.pairing is not None
    assert second.pairing is not None
    return list(measure_pair(first.pairing, second.pairing, GAINS.tolist()))


@pytest.mark.parametrize("gain", [0.9, 1.05, 1.7])
@pytest.mark.parametrize("level", [500.0, 30_000.0])
def test_the_gain_of_a_pair_inverts_its_statistics(gain: float, level: float) -> None:
    """Up to half a thousandth of an electron in a level: the terms that the full solution leaves out."""
    noise = 7.5
    k = 1 / gain + noise**2 / level
    assert pair_gain(level, k, noise) == pytest.approx(gain, rel=1 / (gain * level))
    assert math.isnan(pair_gain(level, 0.0, noise))
